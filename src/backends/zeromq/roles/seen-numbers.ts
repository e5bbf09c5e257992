// Which numbers have been seen, in as little memory as they have gaps: runs of consecutive ones, in order.

export class SeenNumbers {
  /** [first, end) of each run, ascending, never touching. */
  readonly #firsts: number[] = [];
  readonly #ends: number[] = [];

  /** How many runs there are: what the memory is for. */
  get runs(): number {
    return this.#firsts.length;
  }

  has(number: number): boolean {
    const at = this.#runBefore(number);
    return at >= 0 && number < this.#ends[at]!;
  }

  /** Answers whether it is new. */
  add(number: number): boolean {
    const before = this.#runBefore(number);
    if (before >= 0 && number < this.#ends[before]!) return false;
    const joinsBefore = before >= 0 && this.#ends[before] === number;
    const joinsAfter = this.#firsts[before + 1] === number + 1;
    if (joinsBefore && joinsAfter) {
      this.#ends[before] = this.#ends[before + 1]!;
      this.#firsts.splice(before + 1, 1);
      this.#ends.splice(before + 1, 1);
    } else if (joinsBefore) this.#ends[before] = number + 1;
    else if (joinsAfter) this.#firsts[before + 1] = number;
    else {
      this.#firsts.splice(before + 1, 0, number);
      this.#ends.splice(before + 1, 0, number + 1);
    }
    return true;
  }

  /** The last run that begins at the number or before, -1 for none. */
  #runBefore(number: number): number {
    const firsts = this.#firsts;
    let low = 0;
    let high = firsts.length;
    // Nearly all that is asked for is in the last runs.
    if (high > 0 && firsts[high - 1]! <= number) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (firsts[middle]! <= number) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
