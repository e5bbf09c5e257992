import type { TaskId } from "../protocol/messages.ts";

/** What a task is given beside its input. Its members may be taken apart: `const { signal, progress } = ctx`. */
export interface TaskContext {
  readonly taskId: TaskId;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Lower runs first. */
  readonly priority: number;
  readonly workerId: string;
  /** Aborted when the task is cancelled, times out, or its stream is left. */
  readonly signal: AbortSignal;
  /** Tells the caller how far the task is; the value is copied. Always arrives before the result. */
  progress(value: unknown): void;
  /** Writes a line to the pool's log, with the task's id. */
  log(...args: readonly unknown[]): void;
  /** Names what the worker is at, as seen in `pool.workers()`, until the task ends. */
  setLabel(text: string): void;
}

/** What a run needs from the loop that runs it. */
export interface RunHost {
  readonly workerId: string;
  reportProgress(run: TaskRun, value: unknown): void;
  reportLog(run: TaskRun, args: readonly unknown[]): void;
  reportLabel(run: TaskRun, text: string): void;
}

/** What the items of a chunk have in common; a single task has one of its own. */
export interface RunShare {
  readonly host: RunHost;
  readonly ticket: number;
  readonly attempt: number;
  readonly priority: number;
  /** In milliseconds of the worker's clock. */
  readonly startedAt: number;
}

/** A signal was not asked for before it was aborted. */
const ABORTED = Symbol("aborted");

/** One attempt at a task inside the worker: its context, and what the loop keeps of it. Small, for there is one for each item of a map. */
export class TaskRun implements TaskContext {
  readonly taskId: TaskId;
  isSettled = false;
  readonly share: RunShare;
  #controller: AbortController | typeof ABORTED | undefined;

  constructor(share: RunShare, taskId: TaskId) {
    this.share = share;
    this.taskId = taskId;
  }

  get ticket(): number {
    return this.share.ticket;
  }

  get attempt(): number {
    return this.share.attempt;
  }

  get priority(): number {
    return this.share.priority;
  }

  /** In milliseconds of the worker's clock; of an item, when its chunk began. */
  get startedAt(): number {
    return this.share.startedAt;
  }

  get workerId(): string {
    return this.share.host.workerId;
  }

  // Made when it is asked for: a controller costs more than a small task.
  get signal(): AbortSignal {
    if (typeof this.#controller !== "object") {
      const wasAborted = this.#controller === ABORTED;
      this.#controller = new AbortController();
      if (wasAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  get progress(): (value: unknown) => void {
    return (value) => this.share.host.reportProgress(this, value);
  }

  get log(): (...args: readonly unknown[]) => void {
    return (...args) => this.share.host.reportLog(this, args);
  }

  get setLabel(): (text: string) => void {
    return (text) => this.share.host.reportLabel(this, String(text));
  }

  abort(): void {
    if (typeof this.#controller === "object") this.#controller.abort();
    else this.#controller = ABORTED;
  }
}
