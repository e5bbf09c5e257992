// Where the outcomes of a map go: into one list, or one by one to whoever iterates.
import type { MapRun, MapSink } from "./map-run.ts";
import { type ItemOutcome, OutcomeBuffer } from "./outcome-buffer.ts";

/** What `onError: "collect"` gives for each input. */
export type Outcome<O> =
  | { readonly ok: true; readonly value: O; readonly index: number }
  | { readonly ok: false; readonly error: unknown; readonly index: number };

/** A longer list that is made at once is a table in V8. */
const MAX_LIST = 2 ** 24;

/** All results, in the order of the inputs. */
export class ResultList implements MapSink {
  readonly promise: Promise<unknown[]>;
  readonly #collects: boolean;
  readonly #results: unknown[];
  #run: MapRun | undefined;
  #resolve!: (results: unknown[]) => void;
  #reject!: (error: unknown) => void;

  /** @param inputs how many there will be, where that is known */
  constructor(collects: boolean, inputs: number) {
    this.#collects = collects;
    this.#results = inputs <= MAX_LIST ? new Array<unknown>(inputs).fill(undefined) : [];
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  begin(run: MapRun): void {
    this.#run = run;
    run.start();
  }

  put(index: number, ok: boolean, value: unknown): void {
    this.#reach(index + 1);
    if (this.#collects) this.#results[index] = toOutcome({ index, ok, value });
    else if (ok) this.#results[index] = value;
    else this.#reject(value);
    this.#run?.took(1);
  }

  putAll(first: number, values: ArrayLike<unknown>): void {
    this.#reach(first + values.length);
    const results = this.#results;
    for (let at = 0; at < values.length; at++) {
      const value = values[at];
      results[first + at] = this.#collects ? toOutcome({ index: first + at, ok: true, value }) : value;
    }
    this.#run?.took(values.length);
  }

  /** Chunks come back in any order, and a list with gaps would become a table. */
  #reach(length: number): void {
    const results = this.#results;
    while (results.length < length) results.push(undefined);
  }

  end(): void {
    this.#resolve(this.#results);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

/** Results as they are asked for. Begins to read when the first one is. */
export class ResultIterator implements MapSink, AsyncIterableIterator<unknown> {
  readonly #collects: boolean;
  readonly #buffer: OutcomeBuffer;
  readonly #waiters: Waiter[] = [];
  #run: MapRun | undefined;
  #hasBegun = false;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(isOrdered: boolean, collects: boolean) {
    this.#buffer = new OutcomeBuffer(isOrdered);
    this.#collects = collects;
  }

  attach(run: MapRun): void {
    this.#run = run;
  }

  put(index: number, ok: boolean, value: unknown): void {
    if (this.#isOver) return;
    this.#buffer.put(index, ok, value);
    // Without order a failure that ends the map is not held back by what came before it.
    if (this.#waiters.length > 0) this.#serve();
  }

  putAll(first: number, values: ArrayLike<unknown>): void {
    if (this.#isOver) return;
    for (let at = 0; at < values.length; at++) this.#buffer.put(first + at, true, values[at]);
    if (this.#waiters.length > 0) this.#serve();
  }

  end(): void {
    this.#isOver = true;
    this.#serve();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#isOver = true;
    this.#serve();
  }

  next(): Promise<IteratorResult<unknown>> {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#run?.start();
    }
    if (this.#waiters.length === 0 && this.#buffer.isReady) return this.#take();
    if (this.#isOver) return this.#last();
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<unknown>> {
    this.#leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<unknown>> {
    this.#leave();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Promise<IteratorResult<unknown>> {
    const outcome = this.#buffer.take();
    this.#run?.took(1);
    if (this.#collects) return Promise.resolve({ value: toOutcome(outcome), done: false });
    if (outcome.ok) return Promise.resolve({ value: outcome.value, done: false });
    this.#leave();
    return Promise.reject(outcome.value);
  }

  #last(): Promise<IteratorResult<unknown>> {
    if (this.#failure === undefined) return Promise.resolve({ value: undefined, done: true });
    const { error } = this.#failure;
    this.#failure = undefined;
    return Promise.reject(error);
  }

  #serve(): void {
    while (this.#waiters.length > 0 && (this.#buffer.isReady || this.#isOver)) {
      const waiter = this.#waiters.shift()!;
      (this.#buffer.isReady ? this.#take() : this.#last()).then(
        (result) => waiter.resolve(result),
        (error: unknown) => waiter.reject(error),
      );
    }
  }

  /** Nobody takes any more: silently, what waits is cancelled and the source closed. */
  #leave(): void {
    this.#isOver = true;
    this.#failure = undefined;
    this.#buffer.clear();
    this.#run?.stop();
    this.#serve();
  }
}

function toOutcome({ index, ok, value }: ItemOutcome): Outcome<unknown> {
  return ok ? { ok: true, value, index } : { ok: false, error: value, index };
}
