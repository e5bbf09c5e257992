import { AsyncResource } from "node:async_hooks";
import type { Abortable } from "../protocol/abort-groups.ts";
import { PROGRESS, type TaskExtras, type TaskId, type WorkerEvent } from "../protocol/messages.ts";
import type { Engine } from "./engine.ts";
import type { RunFacts, Unit } from "./unit.ts";
import { cancelledError, usualExtras } from "./unit.ts";

export type TaskState = "queued" | "running" | "completed" | "failed" | "cancelled";

/** What few tasks have. */
export interface TaskDetails {
  readonly transferList?: readonly object[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly label?: string | undefined;
  /** 0 for none. */
  readonly timeoutMs: number;
  /** 0 for none. */
  readonly deadlineMs: number;
}

// The executor runs before `this` is there, so the function it is given is caught here: one function for all tasks, not a closure each.
// The other one is let go of, for a task that waits is to be small: a failure is told by what resolves to it.
let caughtResolve: (value: unknown) => void;
function catchResolve(resolve: (value: unknown) => void): void {
  caughtResolve = resolve;
}

/** What a promise that is resolved with it rejects with. */
class Rejection {
  readonly #reason: unknown;

  constructor(reason: unknown) {
    this.#reason = reason;
  }

  // oxlint-disable-next-line no-thenable -- that is what it is for
  then(_: unknown, reject: (reason: unknown) => void): void {
    reject(this.#reason);
  }
}

const PENDING = 0;
const COMPLETED = 1;
const FAILED = 2;
const CANCELLED = 3;
const STATES: readonly TaskState[] = ["queued", "completed", "failed", "cancelled"];

/** One task: a promise of its value, with an id, a state, and ways to cancel, re-prioritise and watch it. */
export class Task<O = unknown> extends Promise<O> implements Unit, Abortable {
  readonly id: TaskId;
  readonly name: string;
  /** @internal */
  input: unknown;
  /** @internal */
  slot = -1;
  readonly #engine: Engine;
  readonly #details: TaskDetails | undefined;
  readonly #resolve: (value: unknown) => void;
  #outcome = PENDING;
  #attempts = 0;
  #listeners: ((value: unknown) => void)[] | undefined;

  /** @internal Tasks are made by `pool.run` and `pool.runAll`. */
  constructor(engine: Engine, id: TaskId, name: string, input: unknown, details: TaskDetails | undefined) {
    super(catchResolve as never);
    this.#resolve = caughtResolve;
    this.#engine = engine;
    this.id = id;
    this.name = name;
    this.input = input;
    this.#details = details;
  }

  get state(): TaskState {
    if (this.#outcome !== PENDING) return STATES[this.#outcome]!;
    return this.#engine.isRunning(this.slot) ? "running" : "queued";
  }

  /** The number of the current or last attempt; 0 before the first. */
  get attempt(): number {
    return this.slot >= 0 ? this.#engine.attemptOf(this.slot) : this.#attempts;
  }

  get label(): string | undefined {
    return this.#details?.label;
  }

  /** @internal */
  get transferList(): readonly object[] | undefined {
    return this.#details?.transferList;
  }

  /**
   * Ends the task: it rejects with `TaskCancelledError` whose `cause` is the reason. A task that runs is told through its
   * `ctx.signal`, and its worker is killed when it does not stop. Does nothing once the task has settled.
   */
  cancel(reason?: unknown): void {
    if (this.slot < 0) return;
    this.end(cancelledError(this, reason));
  }

  /** Moves the queued task, in the order of insertion among its new equals. @throws NoSuchTaskError once it has begun */
  setPriority(priority: number): void {
    this.#engine.setPriority(this, priority);
  }

  /** Calls `listener` with each value that the task gives to `ctx.progress`, in the caller's async context. Answers the task. */
  onProgress(listener: (value: unknown) => void): this {
    const bound = AsyncResource.bind(listener);
    if (this.#listeners === undefined) this.#listeners = [bound];
    else this.#listeners.push(bound);
    return this;
  }

  /** @internal */
  extras(attempt: number, priority: number): TaskExtras | 0 {
    return usualExtras(attempt, priority, (this.#details?.timeoutMs ?? 0) > 0);
  }

  /** @internal */
  timeMs(reason: "timeout" | "deadline"): number {
    return (reason === "timeout" ? this.#details?.timeoutMs : this.#details?.deadlineMs) ?? 0;
  }

  /** @internal */
  completed(value: unknown, facts: RunFacts): void {
    this.#settle(COMPLETED, facts.attempt);
    this.#resolve(value);
  }

  /** @internal */
  failed(error: unknown, facts: RunFacts): void {
    this.#settle(FAILED, facts.attempt);
    this.#resolve(new Rejection(error));
  }

  /** @internal */
  event(event: WorkerEvent): void {
    if (event[0] !== PROGRESS || this.#listeners === undefined) return;
    for (const listener of this.#listeners) {
      try {
        listener(event[3]);
      } catch (error) {
        // The listener's mistake is the listener's: the task goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** @internal */
  aborted(reason: unknown): void {
    if (this.slot >= 0) this.end(reason);
  }

  /** @internal Rejects a task that was never accepted. */
  refuse(error: unknown): void {
    this.#outcome = FAILED;
    this.input = undefined;
    this.#resolve(new Rejection(error));
  }

  /** @internal */
  end(error: unknown): void {
    const attempts = this.attempt;
    this.#engine.cancel(this, error);
    this.#settle(CANCELLED, attempts);
    this.#resolve(new Rejection(error));
  }

  #settle(outcome: number, attempts: number): void {
    this.#outcome = outcome;
    this.#attempts = attempts;
    this.slot = -1;
    this.input = undefined;
    this.#listeners = undefined;
    const signal = this.#details?.signal;
    if (signal !== undefined) this.#engine.signals.remove(signal, this);
  }

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** @internal What `console.log` shows. */
  override toString(): string {
    return `Task { id: ${JSON.stringify(this.id)}, name: ${JSON.stringify(this.name)}, state: "${this.state}" }`;
  }
}

Object.defineProperties(Task.prototype as object, {
  // `await` takes a promise as it is only if its constructor is Promise itself; for a subclass it makes another promise and waits
  // three turns more.
  constructor: { value: Promise, writable: true, configurable: true },
  // What `console.log` shows of a task.
  [Symbol.for("nodejs.util.inspect.custom")]: {
    value(this: Task): string {
      return this.toString();
    },
  },
});
