// The inputs of a map, whatever they come from: a list, an iterable, an async iterable.

import { FEWEST_NUMBERS, packNumbers } from "../protocol/number-list.ts";

export type Inputs<T> = Iterable<T> | AsyncIterable<T>;

/** One reading of a source that answers at once. */
export interface SyncSource {
  /** How many inputs there are in all; -1 when that is not known. */
  readonly total: number;
  /** Reads the next input into `value`; false at the end. */
  read(): boolean;
  readonly value: unknown;
  /** Reads the next `count` inputs at once, or up to the end, where they are many and all numbers; otherwise reads nothing. */
  readNumbers?(count: number): Int32Array | Float64Array | undefined;
  /** Nothing more will be read. */
  close(): void;
}

export class ListSource implements SyncSource {
  readonly #list: readonly unknown[];
  readonly total: number;
  #at = 0;
  value: unknown = undefined;

  constructor(list: readonly unknown[]) {
    this.#list = list;
    this.total = list.length;
  }

  read(): boolean {
    if (this.#at >= this.#list.length) return false;
    this.value = this.#list[this.#at++];
    return true;
  }

  readNumbers(count: number): Int32Array | Float64Array | undefined {
    const most = Math.min(count, this.#list.length - this.#at);
    if (most < FEWEST_NUMBERS || typeof this.#list[this.#at] !== "number") return undefined;
    const numbers = packNumbers(this.#list, this.#at, most);
    if (numbers !== undefined) this.#at += most;
    return numbers;
  }

  close(): void {}
}

export class IteratorSource implements SyncSource {
  readonly #iterator: Iterator<unknown>;
  readonly total = -1;
  value: unknown = undefined;

  constructor(iterable: Iterable<unknown>) {
    this.#iterator = iterable[Symbol.iterator]();
  }

  read(): boolean {
    const step = this.#iterator.next();
    if (step.done === true) return false;
    this.value = step.value;
    return true;
  }

  close(): void {
    this.#iterator.return?.();
  }
}

export function isIterable(value: unknown): value is Iterable<unknown> {
  return value !== null && value !== undefined && typeof Reflect.get(Object(value), Symbol.iterator) === "function";
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    value !== null && value !== undefined && typeof Reflect.get(Object(value), Symbol.asyncIterator) === "function"
  );
}
