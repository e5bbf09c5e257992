// Opens what is lost again, later each time that it fails. Knows neither what it opens nor how.
import { backoff } from "../../core/backoff.ts";

const BASE_MS = 100;
const MAX_MS = 5_000;

export class Reconnecting {
  readonly #open: () => void;
  readonly #random: () => number;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @param open makes one attempt, whose end is told with `lost` */
  constructor(open: () => void, random: () => number = Math.random) {
    this.#open = open;
    this.#random = random;
  }

  /** It stands: the next loss is the first again. */
  established(): void {
    this.#failures = 0;
  }

  /** It is lost, or could not be opened: opens it again after 50 to 100 ms, and after up to 5 s where that goes on. */
  lost(): void {
    if (this.#isStopped || this.#timer !== undefined) return;
    this.#failures++;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#open();
      },
      backoff(this.#failures, BASE_MS, this.#random, MAX_MS),
    ).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}
