// The caller's end of a stream: what the task yields, in order, with credit given back as values are taken.

import type { Abortable } from "../protocol/abort-groups.ts";
import {
  CREDIT,
  STOP_STREAM,
  STREAM_ITEM,
  type TaskExtras,
  type TaskId,
  type WorkerEvent,
} from "../protocol/messages.ts";
import type { Engine } from "./engine.ts";
import type { TaskDetails } from "./task.ts";
import type { RunFacts, Unit } from "./unit.ts";
import { usualExtras } from "./unit.ts";

/** Values that may be on the way or unread. */
const CREDIT_AT_FIRST = 32;

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

export class StreamReader implements Unit, Abortable {
  readonly id: TaskId;
  readonly name: string;
  readonly input: unknown;
  slot = -1;
  readonly #engine: Engine;
  readonly #details: TaskDetails | undefined;
  readonly #values: unknown[] = [];
  #at = 0;
  readonly #waiters: Waiter[] = [];
  /** Received and not yet credited again. */
  #uncredited = 0;
  #granted = CREDIT_AT_FIRST;
  #received = 0;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #onOver: (() => void) | undefined;

  constructor(engine: Engine, id: TaskId, name: string, input: unknown, details: TaskDetails | undefined) {
    this.#engine = engine;
    this.id = id;
    this.name = name;
    this.input = input;
    this.#details = details;
  }

  get transferList(): readonly object[] | undefined {
    return this.#details?.transferList;
  }

  get label(): string | undefined {
    return this.#details?.label;
  }

  extras(attempt: number, priority: number): TaskExtras {
    const usual = usualExtras(attempt, priority, (this.#details?.timeoutMs ?? 0) > 0);
    return { ...(usual === 0 ? {} : usual), credit: CREDIT_AT_FIRST };
  }

  timeMs(reason: "timeout" | "deadline"): number {
    return (reason === "timeout" ? this.#details?.timeoutMs : this.#details?.deadlineMs) ?? 0;
  }

  event(event: WorkerEvent): void {
    if (event[0] !== STREAM_ITEM) return;
    // What has been read cannot be unread: the stream is not tried again.
    if (this.#received++ === 0) this.#engine.makeFinal(this);
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#values.push(event[2]);
    else {
      waiter.resolve({ value: event[2], done: false });
      this.#taken();
    }
    // The worker waits for credit now: its hand is free.
    if (this.#received === this.#granted) this.#engine.stall(this);
  }

  completed(): void {
    this.#over(undefined);
  }

  failed(error: unknown, _facts: RunFacts): void {
    this.#over({ error });
  }

  refuse(error: unknown): void {
    this.#over({ error });
  }

  aborted(reason: unknown): void {
    if (this.slot >= 0) this.end(reason);
  }

  end(error: unknown): void {
    this.#engine.cancel(this, error);
    this.#values.length = 0;
    this.#at = 0;
    this.#over({ error });
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#at < this.#values.length) {
      const value = this.#values[this.#at];
      this.#values[this.#at++] = undefined;
      if (this.#at === this.#values.length) {
        this.#values.length = 0;
        this.#at = 0;
      }
      this.#taken();
      return Promise.resolve({ value, done: false });
    }
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Stops the generator in the worker and waits until it has. */
  async leave(): Promise<void> {
    this.#values.length = 0;
    this.#at = 0;
    this.#failure = undefined;
    if (this.#isOver) return;
    const isTold = this.#engine.isRunning(this.slot) && this.#engine.tell(this, (ticket) => [STOP_STREAM, ticket]);
    if (!isTold) {
      this.#cancel();
      return;
    }
    this.#engine.resumeStream(this);
    const over = new Promise<void>((resolve) => {
      this.#onOver = resolve;
    });
    // A generator that does not come to its end is cancelled as any task.
    const timer = setTimeout(() => this.#cancel(), this.#engine.graceMs);
    timer.unref();
    await over;
    clearTimeout(timer);
    this.#failure = undefined;
  }

  #cancel(): void {
    if (this.slot >= 0) this.#engine.cancel(this, undefined);
    this.#over(undefined);
  }

  #taken(): void {
    this.#uncredited++;
    if (this.#isOver || this.#uncredited * 2 < CREDIT_AT_FIRST) return;
    const credit = this.#uncredited;
    this.#uncredited = 0;
    this.#granted += credit;
    this.#engine.resumeStream(this);
    this.#engine.tell(this, (ticket) => [CREDIT, ticket, credit]);
  }

  #over(failure: { readonly error: unknown } | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.slot = -1;
    this.#failure = failure;
    const signal = this.#details?.signal;
    if (signal !== undefined) this.#engine.signals.remove(signal, this);
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#failure === undefined) waiter.resolve({ value: undefined, done: true });
      else {
        waiter.reject(this.#failure.error);
        this.#failure = undefined;
      }
    }
    this.#onOver?.();
  }
}

/** The stream as its caller reads it. Leaving it early stops the generator in the worker. */
export function readStream(reader: StreamReader): AsyncIterableIterator<unknown> {
  const iterator: AsyncIterableIterator<unknown> = {
    next: () => reader.next(),
    async return() {
      await reader.leave();
      return { value: undefined, done: true };
    },
    async throw(error: unknown) {
      await reader.leave();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  return iterator;
}
