// What a way to have workers must be able to do, and what it tells. A backend reports facts and obeys commands: it keeps no queue,
// retries nothing, and holds no promise per task.
import type { WorkerReply, WorkerRequest } from "../protocol/messages.ts";

/** What a backend can and cannot do. Callers branch on these, never on a name. */
export interface Traits {
  /** Can end work that does not yield. */
  readonly canKill: boolean;
  /** A worker may hold tasks beyond those it runs. */
  readonly sendsAhead: boolean;
  /** Takes back what a worker has not begun: within the call, by an answer later, or not at all. */
  readonly recalls: "at once" | "on request" | "never";
  /** Every value of a message is copied by itself; otherwise a message is copied as one, and values must not share objects. */
  readonly copiesEach: boolean;
  /** SharedArrayBuffers and ports cross. */
  readonly sharesMemory: boolean;
  /** `transfer` moves memory; otherwise it copies. */
  readonly transfers: boolean;
  /** A worker can die without this process. */
  readonly losesWorkers: boolean;
  /** A native crash or a SIGKILL of a worker leaves this process alive. */
  readonly isolatesCrashes: boolean;
  /** What tasks write on stdout and stderr comes as events. */
  readonly capturesOutput: boolean;
  /** How many workers it may have comes and goes with the machines they are on, and is told by `grew` and by losses for good. */
  readonly roomVaries: boolean;
}

/** How many workers, or between which bounds. */
export interface Size {
  readonly min: number;
  readonly max: number;
  /** How long a worker above `min` may idle, default 10,000 ms. */
  readonly idleMs: number;
}

/** What the pool has to know to run the backend's workers. */
export interface Plan {
  readonly size: Size;
  /** Tasks at once in one worker. */
  readonly concurrency: number;
  /** The series all its workers serve. */
  readonly series: readonly string[];
  readonly startTimeoutMs: number;
  /** A worker is replaced after so many tasks; 0 for never. */
  readonly maxTasks: number;
  /** A worker is replaced when it uses more than so many MiB; 0 for never. */
  readonly maxRssMb: number;
}

/** What is known of a worker the moment it is started. */
export interface WorkerFacts {
  readonly host: string;
  readonly pid?: number;
  readonly threadId?: number;
  /** Series that it serves beside those of its backend. */
  readonly series?: readonly string[];
}

/** How a worker ended. */
export interface WorkerLoss {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly outOfMemory?: boolean;
  readonly cause?: unknown;
  /** Whether it had begun the ticket, where that is known. */
  readonly hasBegun?: (ticket: number) => boolean;
  /** No other will be started in its place. */
  readonly isForGood?: boolean;
}

/** What a backend tells. */
export interface BackendHost {
  /** A message came. The first one of a worker is its hello, or why it cannot start. */
  reply(worker: number, reply: WorkerReply): void;
  /** Answers that were seen at the worker. It will send them itself when it can; until then it is as silent as before. */
  seen(worker: number, reply: WorkerReply): void;
  /** Answers a `recall` that could not be answered at once. */
  recalled(worker: number, asked: readonly number[], got: readonly number[]): void;
  /** Answers a `recallItems` that could not be answered at once. */
  itemsRecalled(worker: number, ticket: number, from: number): void;
  /**
   * There is room for so many workers more, or, below 0, for so many fewer than those that are there. By 0 says after `unavailable` that
   * some may come again.
   */
  grew(by: number): void;
  /** The worker is to end when it has finished what it has begun, and nothing comes in its place. */
  retire(worker: number): void;
  /** No worker can be had, and why: what waits for one fails, until there is room again. */
  unavailable(cause: unknown): void;
  /** The worker is gone; said exactly once, after everything that it sent. */
  workerDown(worker: number, loss: WorkerLoss): void;
}

export interface Backend {
  readonly name: string;
  /** What its workers run, for messages: the task module. */
  readonly subject: string;
  readonly traits: Traits;
  readonly plan: Plan;
  /** Called once, before everything else. A backend serves one pool. */
  open(host: BackendHost): void;
  /** Starts a worker. That it fails is told by `workerDown`. What is known of it later may be added to the facts. */
  start(worker: number, workerId: string): WorkerFacts;
  /** Throws when a value in the request cannot be copied; then nothing was sent. A worker that is gone is no error. */
  send(worker: number, request: WorkerRequest, transfer?: readonly object[]): void;
  /** Takes back what of the tickets has not begun: answers them, or undefined when `recalled` will. */
  recall(worker: number, tickets: readonly number[]): readonly number[] | undefined;
  /** Takes back the items of a chunk that have not begun: answers the first one's index, or -1 when `itemsRecalled` will. */
  recallItems(worker: number, ticket: number): number;
  /** Lets the worker tear down and end. */
  stop(worker: number): void;
  /** Ends the worker now. */
  kill(worker: number): void;
  /** Releases what the backend holds; all its workers are gone. */
  close(): Promise<void>;
}
