// Numbers in one piece of memory, which is cloned fastest.

/** Fewer are cloned faster as a list. */
export const FEWEST_NUMBERS = 32;
const ROOM = 64;
/** What was longer once is not kept for ever. */
const MOST_ROOM = 64 * 1024;

/** Whether 32 bits hold the number. Not -0, of which an integer keeps no sign. */
export function isInt32(value: number): boolean {
  return (value | 0) === value && (value !== 0 || !Object.is(value, -0));
}

/** A list of numbers that grows. */
export class NumberList {
  #numbers = new Float64Array(ROOM);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#numbers.length) {
      const longer = new Float64Array(this.#length * 2);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#numbers[this.#length++] = value;
  }

  /** Forgets what came after the first `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** What was pushed since the last call. */
  take(): number[] | Float64Array {
    const numbers = this.#numbers;
    const length = this.#length;
    this.#length = 0;
    if (numbers.length > MOST_ROOM) this.#numbers = new Float64Array(ROOM);
    if (length >= FEWEST_NUMBERS) return numbers.slice(0, length);
    const list: number[] = [];
    for (let at = 0; at < length; at++) {
      const value = numbers[at]!;
      // Small integers that come out of memory for doubles would stay doubles, which cost an object each.
      list.push(isInt32(value) ? value | 0 : value);
    }
    return list;
  }
}

/** `count` values of the list in one piece of memory; undefined where one of them is no number. */
export function packNumbers(
  list: ArrayLike<unknown>,
  from: number,
  count: number,
): Int32Array | Float64Array | undefined {
  const integers = new Int32Array(count);
  for (let at = 0; at < count; at++) {
    const value = list[from + at];
    if (typeof value !== "number") return undefined;
    if (!isInt32(value)) return packDoubles(list, from, count);
    integers[at] = value;
  }
  return integers;
}

function packDoubles(list: ArrayLike<unknown>, from: number, count: number): Float64Array | undefined {
  const doubles = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const value = list[from + at];
    if (typeof value !== "number") return undefined;
    doubles[at] = value;
  }
  return doubles;
}
