// What travels between the pool and a worker. Tasks and results go in columns: one array a field, because an object a task
// costs five to ten times as much to copy as its numbers. Version 1.

import type { MaybePacked } from "./packing.ts";

export const PROTOCOL_VERSION = 1;

export type TaskId = string | number;

// ── To the worker ────────────────────────────────────────────────────────────────────────────────────────────────────────

export const RUN = 1;
export const ABORT = 2;
export const CREDIT = 3;
export const STOP_STREAM = 4;
export const DRAIN = 5;

/** What few tasks have; left out where all is as usual. */
export interface TaskExtras {
  /** Attempt number; 1 where it is left out. */
  readonly attempt?: number;
  /** 0 where it is left out. */
  readonly priority?: number;
  /** The task's values go back one by one, at first so many. */
  readonly credit?: number;
  /** The input is an array of inputs of one map, answered in groups. */
  readonly isChunk?: true;
  /** Answers that wait are sent before this task begins, so that its clock can be kept by the other side. */
  readonly isTimed?: true;
  /** The duration of each item of the chunk is wanted, not only of all. */
  readonly eachMs?: true;
}

export type RunRequest = readonly [
  kind: typeof RUN,
  /** One name for all, or one each. */
  names: string | readonly string[],
  tickets: readonly number[],
  /** One id each, or the first of consecutive numbers. */
  ids: number | readonly TaskId[],
  /** One each; packed where they are numbers, or small objects of one shape. */
  inputs: MaybePacked,
  extras: 0 | readonly (TaskExtras | 0)[],
];

export type WorkerRequest =
  | RunRequest
  | readonly [kind: typeof ABORT, ticket: number]
  | readonly [kind: typeof CREDIT, ticket: number, credit: number]
  | readonly [kind: typeof STOP_STREAM, ticket: number]
  | readonly [kind: typeof DRAIN];

// ── From the worker ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const HELLO = 1;
export const FAILED = 2;
export const DEFERRED = 3;
export const REFUSED = 4;
export const PROGRESS = 5;
export const LOG = 6;
export const LABEL = 7;
export const STREAM_ITEM = 8;
export const CHUNK_ITEMS = 9;
export const CHUNK_ITEM_FAILED = 10;
export const OUTPUT = 11;
export const STRAY = 12;
export const MEMORY = 13;
export const START_FAILED = 14;

/** How a failure is to be treated. */
export const THROWN = 0;
export const PERMANENT = 1;
/** The module has no such task; the record's message lists the ones it has. */
export const UNKNOWN_TASK = 2;
/** The value that the task gave cannot be sent. */
export const NOT_SERIALIZABLE = 3;

/** An error, or any other thrown value, as plain data. See `error-record.ts`. */
export type ErrorRecord = readonly unknown[];

/** What one worker can do less than its backend could. */
export interface WorkerAbilities {
  /** Tasks at once. */
  readonly capacity?: number;
  /** Whether it takes tasks beyond those. */
  readonly takesAhead?: boolean;
}

export type WorkerEvent =
  | readonly [
      kind: typeof HELLO,
      version: number,
      /** Empty: it takes any name. */
      tasks: readonly string[],
      /** 0 where it is not known. */
      memoryBytes: number,
      abilities?: WorkerAbilities,
    ]
  | readonly [kind: typeof START_FAILED, error: ErrorRecord]
  | readonly [kind: typeof FAILED, ticket: number, micros: number, error: ErrorRecord, how: number]
  | readonly [kind: typeof DEFERRED, ticket: number, priority: number | null, delayMs: number]
  | readonly [kind: typeof REFUSED, ticket: number, retryAfterMs: number]
  | readonly [kind: typeof PROGRESS, ticket: number, id: TaskId, value: unknown]
  | readonly [kind: typeof LOG, id: TaskId, args: readonly unknown[]]
  | readonly [kind: typeof LABEL, ticket: number, text: string]
  | readonly [kind: typeof STREAM_ITEM, ticket: number, value: unknown]
  /** Values of consecutive items from `first`; `micros` of all together, or of each. */
  | readonly [
      kind: typeof CHUNK_ITEMS,
      ticket: number,
      first: number,
      values: MaybePacked,
      micros: number | readonly number[],
    ]
  | readonly [
      kind: typeof CHUNK_ITEM_FAILED,
      ticket: number,
      index: number,
      micros: number,
      error: ErrorRecord,
      how: number,
      /** For an item that asks to run later: `[priority, delayMs]`. */
      deferral: readonly [priority: number | null, delayMs: number] | null,
    ]
  /** `id` null: outside of any task. */
  | readonly [kind: typeof OUTPUT, id: TaskId | null, stream: 1 | 2, text: string]
  | readonly [kind: typeof STRAY, id: TaskId | null, error: ErrorRecord]
  | readonly [kind: typeof MEMORY, bytes: number];

/** Results in columns, and the events that came before them. */
export type WorkerReply = readonly [
  tickets: readonly number[],
  micros: readonly number[],
  /** One each; packed where they are numbers, or small objects of one shape. */
  values: MaybePacked,
  events: 0 | readonly WorkerEvent[],
];
