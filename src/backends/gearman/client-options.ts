// What a client and its calls may be told, and how that is read.
import {
  signal as abortSignal,
  func,
  milliseconds,
  oneOf,
  positiveMilliseconds,
  positiveWholeNumber,
  type Read,
  type Rule,
  type Rules,
  readOptions,
  wholeNumber,
} from "../../protocol/options.ts";
import type { JobCallbacks } from "./client-job.ts";
import type { JobPriority } from "./client-link.ts";
import { uniqueName } from "./names.ts";
import { type TlsOptions, tlsOptions } from "./socket.ts";

export interface GearmanClientOptions {
  /** How long to wait for any server to be there, and for one to answer at first, in milliseconds; default 5,000. */
  readonly connectTimeoutMs?: number;
  /** A server that is silent for so long is asked whether it lives, and has as long to answer; default 5,000 ms, 0 never asks. */
  readonly heartbeatMs?: number;
  /** How often a foreground job is submitted again when its connection is lost before its result; default 2. */
  readonly retries?: number;
  /** TLS to every server: `true`, or options of `tls.connect` of Node; default plain TCP. */
  readonly tls?: TlsOptions | true;
  /** A packet with more than so many bytes ends its connection; default 1 GiB. */
  readonly maxPacketBytes?: number;
}

export interface SubmitOptions extends JobCallbacks {
  /**
   * Jobs of one function with the same unique that are under way at the same time are run once, and all get the result; `"-"` means
   * the payload. At most 63 bytes. Default: one of its own. Servers lose such jobs in some cases: see docs/reference/gearman.md.
   */
  readonly unique?: string;
  /** Among the jobs of one function; default `"normal"`. */
  readonly priority?: JobPriority;
  /** Rejects with its reason, and takes the job out of the server's queue. A job that runs goes on, unheard. */
  readonly signal?: AbortSignal;
  /** Rejects with `TaskTimeoutError` when the result is not there after so long, waiting included; default never. */
  readonly timeoutMs?: number;
  /** What the worker sends before its result (WORK_DATA). A callback that throws rejects the job. */
  readonly onData?: (data: Buffer) => void;
  /** Warnings of the worker (WORK_WARNING). */
  readonly onWarning?: (data: Buffer) => void;
  /** How far the worker is (WORK_STATUS). */
  readonly onStatus?: (numerator: number, denominator: number) => void;
}

export interface BackgroundOptions {
  /** As for `submit`. Default: one of its own; a job without would be lost in a durable queue. */
  readonly unique?: string;
  readonly priority?: JobPriority;
  /** Not before that instant: a date, or seconds since 1970. Of normal priority only, and see docs/reference/gearman.md. */
  readonly at?: Date | number;
}

const priority: Rule<JobPriority> = oneOf("high", "normal", "low");

const instant: Rule<number> = (value, refuse) => {
  const seconds = value instanceof Date ? value.getTime() / 1_000 : value;
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0
    ? Math.ceil(seconds)
    : refuse("a Date, or seconds since 1970");
};

const unique: Rule<string> = (value) => uniqueName(value);

const clientRules: ClientRules = {
  connectTimeoutMs: positiveMilliseconds,
  heartbeatMs: milliseconds,
  retries: wholeNumber,
  tls: tlsOptions,
  maxPacketBytes: positiveWholeNumber,
};

const submitRules: SubmitRules = {
  unique,
  priority,
  signal: abortSignal,
  timeoutMs: positiveMilliseconds,
  onData: func as Rule<(data: Buffer) => void>,
  onWarning: func as Rule<(data: Buffer) => void>,
  onStatus: func as Rule<(numerator: number, denominator: number) => void>,
};

const backgroundRules: BackgroundRules = { unique, priority, at: instant };

interface ClientRules extends Rules {
  readonly connectTimeoutMs: Rule<number>;
  readonly heartbeatMs: Rule<number>;
  readonly retries: Rule<number>;
  readonly tls: Rule<TlsOptions>;
  readonly maxPacketBytes: Rule<number>;
}

interface SubmitRules extends Rules {
  readonly unique: Rule<string>;
  readonly priority: Rule<JobPriority>;
  readonly signal: Rule<AbortSignal>;
  readonly timeoutMs: Rule<number>;
  readonly onData: Rule<(data: Buffer) => void>;
  readonly onWarning: Rule<(data: Buffer) => void>;
  readonly onStatus: Rule<(numerator: number, denominator: number) => void>;
}

interface BackgroundRules extends Rules {
  readonly unique: Rule<string>;
  readonly priority: Rule<JobPriority>;
  readonly at: Rule<number>;
}

export function readClientOptions(given: unknown): Read<ClientRules> {
  return readOptions("GearmanClient()", given, clientRules);
}

/** @param what the call that they are for */
export function readSubmitOptions(what: string, given: unknown): Read<SubmitRules> {
  return readOptions(what, given, submitRules);
}

export function readBackgroundOptions(given: unknown): Read<BackgroundRules> {
  return readOptions("background()", given, backgroundRules);
}
