// Outcomes of a map's items that wait to be taken: in the order of the inputs, or as they come.

/** One item's outcome. */
export interface ItemOutcome {
  readonly index: number;
  readonly ok: boolean;
  /** The value, or the error. */
  readonly value: unknown;
}

const EMPTY: unique symbol = Symbol("empty");

export class OutcomeBuffer {
  readonly #isOrdered: boolean;
  /** Ordered: a ring by index. Unordered: a queue. Values alone, since nearly all of them are good. */
  #values: unknown[] = new Array<unknown>(64).fill(EMPTY);
  /** Index of each value; used where values come out of order. */
  #indexes: Float64Array = new Float64Array(64);
  readonly #failures = new Set<number>();
  #head = 0;
  #tail = 0;

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered;
  }

  put(index: number, ok: boolean, value: unknown): void {
    if (!ok) this.#failures.add(index);
    if (this.#isOrdered) {
      while (index - this.#head >= this.#values.length) this.#grow();
      this.#values[index & (this.#values.length - 1)] = value;
    } else {
      if (this.#tail - this.#head >= this.#values.length) this.#grow();
      const at = this.#tail++ & (this.#values.length - 1);
      this.#values[at] = value;
      this.#indexes[at] = index;
    }
  }

  /** Whether the next outcome is there. */
  get isReady(): boolean {
    return this.#values[this.#head & (this.#values.length - 1)] !== EMPTY;
  }

  /** Takes the next outcome out; ask `isReady` first. */
  take(): ItemOutcome {
    const at = this.#head & (this.#values.length - 1);
    const value = this.#values[at];
    const index = this.#isOrdered ? this.#head : this.#indexes[at]!;
    this.#values[at] = EMPTY;
    this.#head++;
    const ok = this.#failures.size === 0 || !this.#failures.delete(index);
    return { index, ok, value };
  }

  clear(): void {
    this.#values = new Array<unknown>(64).fill(EMPTY);
    this.#failures.clear();
  }

  #grow(): void {
    const { length } = this.#values;
    const values = new Array<unknown>(length * 2).fill(EMPTY);
    const indexes = new Float64Array(length * 2);
    for (let at = this.#head; at < this.#head + length; at++) {
      values[at & (length * 2 - 1)] = this.#values[at & (length - 1)];
      indexes[at & (length * 2 - 1)] = this.#indexes[at & (length - 1)]!;
    }
    this.#values = values;
    this.#indexes = indexes;
  }
}
