// One run of a handler over one job.
import { show } from "../../protocol/options.ts";
import type { AssignedJob } from "./assigned-job.ts";
import { kept } from "./kept.ts";
import { payload } from "./names.ts";

/** What a handler gets beside the payload. */
export interface GearmanJob {
  readonly handle: string;
  /** The function that was called. */
  readonly fn: string;
  /**
   * What the client called it; empty where it did not say, or the server does not. A `GearmanClient` that submits a job again adds
   * `.2`, `.3`, … to it.
   */
  readonly unique: string;
  /** The function that is to put partial results together; empty for a plain job. */
  readonly reducer: string;
  /** The server that it came from, as `host:port`. */
  readonly server: string;
  /** Aborted when nobody will take the result: the connection is lost, or the time is over. */
  readonly signal: AbortSignal;
  /** Sends something before the result. Dropped after the job's end, as the next two are. The Perl server drops it always. */
  data(bytes: string | Uint8Array): void;
  /** Sends a warning. The Perl server drops it. */
  warning(bytes: string | Uint8Array): void;
  /** Says how far it is, in whole numbers. */
  status(numerator: number, denominator: number): void;
}

/** What a handler may give: bytes or text; nothing is an empty result. */
export type HandlerResult = string | Uint8Array | undefined | void;

/** Does a job. What it throws is sent to the client as an exception: the message of an error, or the text of anything else. */
export type GearmanHandler = (payload: Buffer, job: GearmanJob) => HandlerResult | Promise<HandlerResult>;

export class WorkerJob implements GearmanJob {
  readonly server: string;
  readonly #job: AssignedJob;
  #abort: AbortController | undefined;
  #lostFor: unknown;
  #timer: NodeJS.Timeout | undefined;
  #hasExceptions = true;

  constructor(job: AssignedJob, server: string) {
    this.#job = job;
    this.server = server;
    job.onLost = (cause) => this.#end(cause);
  }

  get handle(): string {
    return this.#job.handle;
  }

  get fn(): string {
    return this.#job.fn;
  }

  get unique(): string {
    return this.#job.unique;
  }

  get reducer(): string {
    return this.#job.reducer;
  }

  get signal(): AbortSignal {
    // Most handlers never ask for it.
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#lostFor !== undefined) this.#abort.abort(this.#lostFor);
    }
    return this.#abort.signal;
  }

  data(bytes: string | Uint8Array): void {
    this.#job.data(payload(bytes));
  }

  warning(bytes: string | Uint8Array): void {
    this.#job.warning(payload(bytes));
  }

  status(numerator: number, denominator: number): void {
    this.#job.status(whole(numerator), whole(denominator));
  }

  /** Runs the handler and answers the job, once. */
  run(handler: GearmanHandler, timeoutMs: number | undefined, hasExceptions: boolean): void {
    this.#hasExceptions = hasExceptions;
    const bytes = kept(this.#job.payload);
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.#timedOut(timeoutMs), timeoutMs);
    try {
      const result = handler(bytes, this);
      if (isPromise(result)) result.then(this.#returned, this.#threw);
      else this.#returned(result);
    } catch (error) {
      this.#threw(error);
    }
  }

  readonly #returned = (result: unknown): void => {
    clearTimeout(this.#timer);
    if (result === undefined) this.#job.complete("");
    else if (typeof result === "string" || result instanceof Uint8Array) this.#job.complete(result);
    else this.#failed(`Cannot send the result of "${this.fn}": expected text or bytes, got ${show(result)}`);
  };

  readonly #threw = (error: unknown): void => {
    clearTimeout(this.#timer);
    this.#failed(textOf(error));
  };

  #failed(text: string): void {
    if (this.#hasExceptions) this.#job.exception(text);
    else {
      this.#job.warning(text);
      this.#job.fail();
    }
  }

  #timedOut(timeoutMs: number): void {
    const error = new Error(`Cannot finish job "${this.handle}" of "${this.fn}": it took more than ${timeoutMs} ms`);
    this.#failed(error.message);
    this.#end(error);
  }

  #end(reason: unknown): void {
    clearTimeout(this.#timer);
    this.#lostFor = reason;
    this.#abort?.abort(reason);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function textOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  try {
    return String(error);
  } catch {
    return "the handler threw something that has no text";
  }
}

function whole(value: number): number {
  return Number.isFinite(value) && value > 0 ? Math.min(Math.round(value), 0xffffffff) : 0;
}
