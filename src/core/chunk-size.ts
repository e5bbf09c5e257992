// How many items of a map travel together: as many as take about TARGET_MS, from measured durations.

const TARGET_MS = 20;
const GROWTH = 4;
const MAX_ITEMS = 20_000;

export class ChunkSize {
  readonly #fixed: number;
  #size = 1;

  /** @param fixed the caller's own size, or 0 to adapt */
  constructor(fixed = 0) {
    this.#fixed = fixed;
  }

  /** The size of the next chunk. */
  get current(): number {
    return this.#fixed > 0 ? this.#fixed : this.#size;
  }

  get isAdaptive(): boolean {
    return this.#fixed === 0;
  }

  /** Notes that `items` took `ms` in a worker. Grows at most fourfold at a time; shrinks at once. */
  measured(items: number, ms: number): void {
    const perItemMs = ms / items;
    const wanted = Math.floor(TARGET_MS / (perItemMs + 1e-5));
    // A chunk that held fewer than the current size says how long items take, but is no reason to grow further.
    const limit = items * GROWTH < this.#size ? this.#size : items * GROWTH;
    this.#size = Math.max(1, Math.min(MAX_ITEMS, wanted, Math.max(limit, 1)));
  }
}
