// A task whose values go to the caller one by one, as fast as that one takes them and no faster.
import { types } from "node:util";
import { STREAM_ITEM } from "../protocol/messages.ts";
import type { Outbox } from "./outbox.ts";
import type { TaskRun } from "./task-context.ts";

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

export interface StreamHooks {
  /** The reader has given no credit: the stream waits. */
  onWaiting(): void;
  onResumed(): void;
}

export class StreamRun {
  readonly #run: TaskRun;
  readonly #value: unknown;
  readonly #outbox: Outbox;
  readonly #hooks: StreamHooks;
  #credit: number;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(run: TaskRun, value: unknown, credit: number, outbox: Outbox, hooks: StreamHooks) {
    this.#run = run;
    this.#value = value;
    this.#credit = credit;
    this.#outbox = outbox;
    this.#hooks = hooks;
  }

  grant(credit: number): void {
    this.#credit += credit;
    this.#wake?.();
  }

  /** Nobody reads any more: the generator is returned, so that its `finally` runs. */
  stop(): void {
    this.#isStopped = true;
    this.#run.abort();
    this.#wake?.();
  }

  /** Runs to the end of the generator. A task that is none gives its one value. */
  async pump(): Promise<void> {
    if (typeof this.#value !== "object" || this.#value === null || !isGenerator(this.#value)) {
      await this.#waitForCredit();
      if (!this.#isStopped) this.#send(this.#value);
      return;
    }
    const iterator = iteratorOf(this.#value);
    for (;;) {
      await this.#waitForCredit();
      if (this.#isStopped || this.#run.isSettled) {
        await iterator.return?.();
        return;
      }
      const step = await iterator.next();
      if (step.done === true) return;
      const value = await step.value;
      if (!this.#isStopped) this.#send(value);
    }
  }

  #send(value: unknown): void {
    this.#credit--;
    this.#outbox.eventWith(value, (copy) => [STREAM_ITEM, this.#run.ticket, copy]);
    this.#outbox.schedule();
  }

  async #waitForCredit(): Promise<void> {
    if (this.#credit > 0 || this.#isStopped) return;
    this.#hooks.onWaiting();
    while (this.#credit <= 0 && !this.#isStopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = undefined;
    this.#hooks.onResumed();
  }
}

/** Generators, and what behaves like one; arrays, maps and sets are plain values. */
export function isGenerator(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  try {
    return (
      typeof (value as { next?: unknown }).next === "function" &&
      (Symbol.asyncIterator in value || Symbol.iterator in value)
    );
  } catch {
    // Asked again for its iterator it throws again, and fails its task.
    return true;
  }
}

/** A promise of what the object comes to where it can be awaited; undefined for a plain value. */
export function promiseOf(value: object): PromiseLike<unknown> | undefined {
  try {
    if (typeof (value as { then?: unknown }).then !== "function") return undefined;
  } catch {
    // Asked again by the promise it throws again, and fails its task.
  }
  return types.isPromise(value) ? value : new Promise((resolve) => resolve(value));
}

/** All values of a generator, for a caller that wants them together. */
export async function collect(generator: object, run: TaskRun): Promise<unknown[]> {
  const iterator = iteratorOf(generator);
  const values: unknown[] = [];
  for (;;) {
    const step = await iterator.next();
    if (step.done === true) return values;
    values.push(await step.value);
    if (run.isSettled) {
      await iterator.return?.();
      return values;
    }
  }
}

function iteratorOf(generator: object): AnyIterator {
  if (Symbol.asyncIterator in generator) return (generator as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  return (generator as Iterable<unknown>)[Symbol.iterator]();
}
