// Quantiles of durations in constant memory: logarithmic buckets, each about 9 % wide.

const BUCKETS_PER_DOUBLING = 8;
const SMALLEST_MS = 0.001;
const BUCKETS = 8 * 40;

export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  get max(): number {
    return this.#max;
  }

  record(ms: number): void {
    const bucket = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log2(ms / SMALLEST_MS) * BUCKETS_PER_DOUBLING);
    const at = Math.min(BUCKETS - 1, bucket);
    this.#buckets[at] = this.#buckets[at]! + 1;
    this.#count++;
    this.#sum += ms;
    if (ms > this.#max) this.#max = ms;
  }

  /** The value that a share `q` (0…1) of the records do not exceed, within about 9 %; 0 when there are none. */
  quantile(q: number): number {
    if (this.#count === 0) return 0;
    let left = Math.max(1, Math.ceil(q * this.#count));
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#buckets[bucket]!;
      if (left <= 0) return Math.min(this.#max, SMALLEST_MS * 2 ** (bucket / BUCKETS_PER_DOUBLING));
    }
    return this.#max;
  }
}
