// The options of a pool and of what it runs, read once at the border.
import type { TaskId } from "../protocol/messages.ts";
import {
  anyNumber,
  flag,
  func,
  milliseconds,
  oneOf,
  positiveMilliseconds,
  positiveWholeNumber,
  type Rule,
  type Rules,
  readOptions,
  signal,
  text,
  wholeNumber,
} from "../protocol/options.ts";
import type { MapProgress, Settled } from "./map-settings.ts";

export interface PoolOptions {
  /** Names the pool and its workers; default the backend's name. */
  readonly name?: string;
  /** Tasks that may wait; default no limit. `run` past it rejects with `QueueFullError`. */
  readonly maxQueue?: number;
  /** Further attempts after a failed or timed-out one; default 0. */
  readonly retries?: number;
  /** Before the first retry; doubled with each, at most 30,000, with a random part. Default 100. */
  readonly retryDelayMs?: number;
  /** How long one attempt may take, from its start; default no limit. */
  readonly timeoutMs?: number;
  /** A queued task gains one priority for each so many milliseconds it waits; default never. */
  readonly agingMs?: number;
  /** How many workers one task may kill before it is given up; default 3. */
  readonly poisonLimit?: number;
  /** Never sends a task twice: no retries, and a lost worker is final. Default false. */
  readonly atMostOnce?: boolean;
  /** How long a worker may take to tear down, and a left stream to end, before it is killed; default 5,000. */
  readonly graceMs?: number;
  /** How long an aborted task may go on before its worker is killed; default 100. */
  readonly abortGraceMs?: number;
}

export interface CommonOptions {
  /** Lower runs first; equal ones in the order of insertion. Default 0. */
  readonly priority?: number;
  /** Runs only on workers that serve this series. */
  readonly series?: string;
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly retryDelayMs?: number;
  readonly atMostOnce?: boolean;
  /** Aborting it rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Shown in `pool.workers()` while it runs. */
  readonly label?: string;
}

export interface RunOptions extends CommonOptions {
  /** Unique among the unsettled tasks of the pool; default a number. */
  readonly id?: TaskId;
  /** How long the task may take in all, waiting included; default no limit. */
  readonly deadlineMs?: number;
  /** What moves to the worker instead of being copied, where the backend can. Such a task is not tried again. */
  readonly transfer?: readonly object[];
}

export interface RunAllOptions extends Omit<RunOptions, "id" | "priority" | "transfer"> {
  /** One for all, or one each. */
  readonly priority?: number | readonly number[];
  /** One each. */
  readonly id?: readonly TaskId[];
}

export interface MapOptions extends CommonOptions {
  /** Inputs that travel together; default "auto": as many as take a few tens of milliseconds. */
  readonly chunkSize?: number | "auto";
  /** How many inputs may be read ahead of what the caller has taken; default from what the workers hold, at least 16. */
  readonly window?: number;
  /** "throw" (default) ends the map at the first failure; "collect" gives an outcome for each input. */
  readonly onError?: "throw" | "collect";
  /** Called after each answer. */
  readonly onProgress?: (progress: MapProgress) => void;
  /** Called for each item when it has its outcome, in the order of completion. */
  readonly onSettled?: (settled: Settled) => void;
}

export interface ImapOptions extends MapOptions {
  /** Results in the order of the inputs (default), or as they come. */
  readonly ordered?: boolean;
}

export interface StreamOptions extends Omit<RunOptions, "retries" | "retryDelayMs"> {
  readonly retries?: number;
  readonly retryDelayMs?: number;
}

export interface BroadcastOptions {
  /** Only the present workers; default false: later ones too, before their first task. */
  readonly ephemeral?: boolean;
}

export interface DetachOptions {
  /** What is unfinished after `graceMs` runs elsewhere instead of coming back. */
  readonly reassign?: boolean;
  /** How long what runs may go on; default without end. */
  readonly graceMs?: number;
  /** Ends it at once. */
  readonly kill?: boolean;
}

export interface WaitOptions {
  /** Aborting it rejects with its reason. */
  readonly signal?: AbortSignal;
}

const taskId: Rule<TaskId> = (value, refuse) =>
  typeof value === "string" || (typeof value === "number" && !Number.isNaN(value))
    ? value
    : refuse("a text or a number");

const list: Rule<readonly object[]> = (value, refuse) =>
  Array.isArray(value) ? (value as object[]) : refuse("a list");

const size: Rule<number | "auto"> = (value, refuse) =>
  value === "auto" || (Number.isInteger(value) && (value as number) > 0)
    ? (value as number | "auto")
    : refuse('"auto" or a whole number, 1 or more');

const poolRules = {
  name: text,
  maxQueue: wholeNumber,
  retries: wholeNumber,
  retryDelayMs: milliseconds,
  timeoutMs: positiveMilliseconds,
  agingMs: positiveMilliseconds,
  poisonLimit: positiveWholeNumber,
  atMostOnce: flag,
  graceMs: milliseconds,
  abortGraceMs: milliseconds,
} satisfies Rules;

const commonRules = {
  priority: anyNumber,
  series: text,
  timeoutMs: positiveMilliseconds,
  retries: wholeNumber,
  retryDelayMs: milliseconds,
  atMostOnce: flag,
  signal,
  label: text,
} satisfies Rules;

const runRules = { ...commonRules, id: taskId, deadlineMs: positiveMilliseconds, transfer: list } satisfies Rules;

const runAllRules = {
  ...commonRules,
  priority: ((value, refuse) =>
    Array.isArray(value) ? value.map((one) => anyNumber(one, refuse)) : anyNumber(value, refuse)) as Rule<
    number | readonly number[]
  >,
  id: ((value, refuse) =>
    Array.isArray(value) ? value.map((one) => taskId(one, refuse)) : refuse("a list of ids")) as Rule<
    readonly TaskId[]
  >,
  deadlineMs: positiveMilliseconds,
} satisfies Rules;

const imapRules = {
  ...commonRules,
  chunkSize: size,
  window: positiveWholeNumber,
  onError: oneOf("throw", "collect"),
  onProgress: func as Rule<(progress: MapProgress) => void>,
  onSettled: func as Rule<(settled: Settled) => void>,
  ordered: flag,
} satisfies Rules;

const { ordered: _, ...mapRules } = imapRules;

/** Options as they were read: every one is there, undefined where it was not given. */
type Given<T> = { readonly [K in keyof T]-?: T[K] | undefined };

export type GivenPool = Given<PoolOptions>;
export type GivenCommon = Given<CommonOptions>;
export type GivenRun = Given<RunOptions>;
export type GivenRunAll = Given<RunAllOptions>;
export type GivenMap = Given<MapOptions>;
export type GivenImap = Given<ImapOptions>;

export const readPool = (given: unknown): GivenPool => readOptions("Pool", given, poolRules);
export const readRun = (what: string, given: unknown): GivenRun => readOptions(what, given, runRules);
export const readRunAll = (given: unknown): GivenRunAll => readOptions("runAll()", given, runAllRules);
export const readMap = (given: unknown): GivenMap => readOptions("map()", given, mapRules);
export const readImap = (given: unknown): GivenImap => readOptions("imap()", given, imapRules);
export const readBroadcast = (given: unknown): Given<BroadcastOptions> =>
  readOptions("broadcast()", given, { ephemeral: flag });
export const readDetach = (given: unknown): Given<DetachOptions> =>
  readOptions("detach()", given, { reassign: flag, graceMs: milliseconds, kill: flag });
export const readWait = (what: string, given: unknown): Given<WaitOptions> => readOptions(what, given, { signal });
