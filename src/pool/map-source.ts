// The inputs of a map, whatever they come from: a list, an iterable, an async iterable.

export type Inputs<T> = Iterable<T> | AsyncIterable<T>;

/** One reading of a source that answers at once. */
export interface SyncSource {
  /** How many inputs there are in all; -1 when that is not known. */
  readonly total: number;
  /** Reads the next input into `value`; false at the end. */
  read(): boolean;
  readonly value: unknown;
  /** Reads the next `count` inputs at once, or up to the end, where they are all numbers; otherwise reads nothing. */
  readNumbers?(count: number): number[] | undefined;
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

  readNumbers(count: number): number[] | undefined {
    if (typeof this.#list[this.#at] !== "number") return undefined;
    const some = this.#list.slice(this.#at, this.#at + count);
    if (!areNumbers(some)) return undefined;
    this.#at += some.length;
    return some;
  }

  close(): void {}
}

function areNumbers(values: unknown[]): values is number[] {
  for (let at = 0; at < values.length; at++) if (typeof values[at] !== "number") return false;
  return true;
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
