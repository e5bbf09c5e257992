// What the pool shows of a worker, and what it remembers of it for messages.
import type { Backend, WorkerFacts, WorkerLoss } from "../backends/backend.ts";
import { type LossDetails, WorkerLostError } from "../protocol/errors.ts";
import type { TaskId } from "../protocol/messages.ts";

export type WorkerState = "starting" | "idle" | "busy" | "stopping";

/** A worker as plain data. */
export interface WorkerInfo {
  readonly id: string;
  /** The id of its backend. */
  readonly backend: string;
  readonly host: string;
  readonly pid?: number;
  readonly threadId?: number;
  readonly state: WorkerState;
  /** What a running task called itself with `ctx.setLabel`. */
  readonly label?: string;
  readonly series: readonly string[];
  /** Tasks at once. */
  readonly capacity: number;
  readonly running: number;
  /** Tasks that wait at the worker. */
  readonly sentAhead: number;
  readonly done: number;
  readonly failed: number;
  /** Time spent in tasks, measured in the worker. */
  readonly runMs: number;
  /** The same time as the pool saw it: from the start of each task to its answer. */
  readonly roundTripMs: number;
  /** The resident set of a process, the heap of a thread; undefined before its first message. */
  readonly memoryBytes?: number;
  /** In milliseconds since the epoch. */
  readonly startedAt: number;
  /** Names of the tasks it offers; empty before it is up. */
  readonly tasks: readonly string[];
}

const TAIL_LINES = 20;
const TAIL_CHARACTERS = 4_096;

export class WorkerView {
  readonly key: number;
  readonly id: string;
  readonly backendId: string;
  readonly backend: Backend;
  facts: WorkerFacts = { host: "" };
  tasks: readonly string[] = [];
  series: Set<string>;
  isUp = false;
  label: { readonly ticket: number; readonly text: string } | undefined;
  done = 0;
  failed = 0;
  runMs = 0;
  roundTripMs = 0;
  memoryBytes: number | undefined;
  readonly startedAt: number = Date.now();
  startError: { readonly error: unknown } | undefined;
  #tail = "";

  constructor(key: number, id: string, backendId: string, backend: Backend) {
    this.key = key;
    this.id = id;
    this.backendId = backendId;
    this.backend = backend;
    this.series = new Set(backend.plan.series);
  }

  /** Remembers the last lines of what it writes on stderr. */
  wroteError(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS);
  }

  get lastLines(): string {
    return this.#tail.trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
  }

  /** The error of a task that was lost with this worker. */
  lostError(
    loss: WorkerLoss,
    task: { readonly id: TaskId; readonly name: string; readonly attempt: number },
  ): WorkerLostError {
    const how = this.#howItEnded(loss);
    const tail = this.lastLines;
    return new WorkerLostError(
      `Cannot finish task "${task.name}" (id ${String(task.id)}, attempt ${task.attempt}): worker ${this.id} ${how}${tail === "" ? "" : `; it last wrote:\n${tail}`}`,
      {
        ...this.#details(loss),
        taskId: task.id,
        attempt: task.attempt,
        stderr: tail,
      },
      loss.cause === undefined ? undefined : { cause: loss.cause },
    );
  }

  /** Why it did not come up. */
  startFailure(loss: WorkerLoss): unknown {
    if (this.startError !== undefined) return this.startError.error;
    if (loss.cause !== undefined) return loss.cause;
    return this.#lossOf(loss, `Cannot start worker ${this.id}: it ${this.#howItEnded(loss)} before it was ready`);
  }

  /** Why it went, for whoever watches. */
  downError(loss: WorkerLoss): unknown {
    if (!this.isUp) return this.startFailure(loss);
    return this.#lossOf(loss, `Cannot go on with worker ${this.id}: it ${this.#howItEnded(loss)}`);
  }

  #lossOf(loss: WorkerLoss, message: string): WorkerLostError {
    const tail = this.lastLines;
    return new WorkerLostError(
      `${message}${tail === "" ? "" : `; it last wrote:\n${tail}`}`,
      { ...this.#details(loss), stderr: tail },
      loss.cause === undefined ? undefined : { cause: loss.cause },
    );
  }

  #details(loss: WorkerLoss): LossDetails {
    return {
      workerId: this.id,
      ...(loss.exitCode === undefined ? {} : { exitCode: loss.exitCode }),
      ...(loss.signal === undefined ? {} : { signal: loss.signal }),
      outOfMemory: this.#ranOutOfMemory(loss),
    };
  }

  #ranOutOfMemory(loss: WorkerLoss): boolean {
    return loss.outOfMemory === true || /heap out of memory|OOM error|Allocation failed/i.test(this.#tail);
  }

  #howItEnded(loss: WorkerLoss): string {
    const memory = this.#ranOutOfMemory(loss) ? "ran out of memory and " : "";
    if (loss.signal !== undefined) return `${memory}was ended by ${loss.signal}`;
    if (loss.exitCode !== undefined) return `${memory}exited with code ${loss.exitCode}`;
    return `${memory}ended`;
  }
}
