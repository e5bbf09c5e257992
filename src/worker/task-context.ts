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

/** One attempt at a task inside the worker: its context, and what the loop keeps of it. */
export class TaskRun implements TaskContext {
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly priority: number;
  readonly ticket: number;
  /** In milliseconds of the worker's clock. */
  readonly startedAt: number;
  isSettled = false;
  readonly #host: RunHost;
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor(host: RunHost, ticket: number, taskId: TaskId, attempt: number, priority: number, startedAt: number) {
    this.#host = host;
    this.ticket = ticket;
    this.taskId = taskId;
    this.attempt = attempt;
    this.priority = priority;
    this.startedAt = startedAt;
  }

  get workerId(): string {
    return this.#host.workerId;
  }

  // Made when it is asked for: a controller costs more than a small task.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  get progress(): (value: unknown) => void {
    return (value) => this.#host.reportProgress(this, value);
  }

  get log(): (...args: readonly unknown[]) => void {
    return (...args) => this.#host.reportLog(this, args);
  }

  get setLabel(): (text: string) => void {
    return (text) => this.#host.reportLabel(this, String(text));
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}
