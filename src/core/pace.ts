// How long a worker's tasks take, and so how many may wait at it beyond what it runs.

/** The work, in milliseconds, that may wait at a worker. It has to outlast a round trip and stay short for who comes later. */
const AHEAD_MS = 5;
const MAX_AHEAD = 512;
/** Where none of the last so many was a long one, which is to be shared out late. */
const MAX_AHEAD_EVEN = 1_024;
const EVEN = 2_048;
/** Tasks of which fewer would fit go one by one: a round trip is little beside them. */
const FEWEST = 4;
/** A sample counts for at most this many times the usual one: a rare long task says little about the next. */
const CLIP = 8;
const WEIGHT = 1 / 16;
const WARM_UP = 32;

export class Pace {
  /** The usual duration of a task in milliseconds; -1 before the first one. */
  typicalMs = -1;
  /** The plain moving mean, which rare long tasks move too. */
  meanMs = -1;

  #samples = 0;
  /** How many have come since one that took longer than all that may wait. */
  #sinceLong = 0;

  add(ms: number): void {
    this.#sinceLong = ms > AHEAD_MS ? 0 : this.#sinceLong + 1;
    if (++this.#samples === 1) {
      this.typicalMs = ms;
      this.meanMs = ms;
      return;
    }
    // 1 µs keeps the estimate of no-ops above zero, from where it could not grow again.
    const limit = (this.typicalMs + 0.001) * CLIP;
    // The first runs of a function are slow ones: at first, what is faster counts more.
    const weight = this.#samples < WARM_UP && ms < this.typicalMs ? 0.5 : WEIGHT;
    this.typicalMs += ((ms < limit ? ms : limit) - this.typicalMs) * weight;
    this.meanMs += (ms - this.meanMs) * WEIGHT;
  }

  /** How many tasks may wait at the worker. Without `recall` a long one cannot be overtaken, so the mean decides. */
  ahead(canRecall: boolean): number {
    if (this.typicalMs < 0) return 0;
    const ms = canRecall ? this.typicalMs : this.meanMs;
    if (ms * FEWEST > AHEAD_MS) return 0;
    const most = this.#sinceLong < EVEN ? MAX_AHEAD : MAX_AHEAD_EVEN;
    return Math.min(most, Math.floor(AHEAD_MS / (ms + 0.001)));
  }
}
