// Keeps a worker from spinning where a server wakes it for nothing, again and again: gearmand does so as long as it has a job whose
// time has not come, and every server with many workers wakes most of them in vain. Knows no timer.

/** So many wakings in vain are nothing special, in so long a time. */
const MAX_IN_VAIN = 20;
const PERIOD_MS = 100;

export class GrabPace {
  #inVain = 0;
  #periodAt = 0;

  gotJob(): void {
    this.#inVain = 0;
  }

  /** There was no job. Answers how long not to ask again: the rest of the period, where there were too many. */
  gotNone(now: number): number {
    if (now - this.#periodAt >= PERIOD_MS) {
      this.#periodAt = now;
      this.#inVain = 0;
    }
    this.#inVain++;
    return this.#inVain > MAX_IN_VAIN ? Math.max(1, this.#periodAt + PERIOD_MS - now) : 0;
  }
}
