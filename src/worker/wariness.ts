// How many answers may wait in front of a task. A long one holds up those that are not sent, and nobody knows beforehand how long a
// task will take: so a name that has not run here yet is reckoned to be long, and one that was long may be so again.

/** Longer than this, answers would rather have left. */
const LONG_MS = 3;
/** For so many tasks after a long one another is to be reckoned with. */
const WARY_TASKS = 512;
/** So many answers make a message worth its while even then. */
const FEW = 8;

/** One name of a task, on one worker. */
export class Wariness {
  /** With so many answers waiting, they are sent before the task begins. */
  limit = 1;
  #left = 0;

  /** A task of this name kept the worker for `ms`. */
  ran(ms: number): void {
    if (ms > LONG_MS) {
      this.#left = WARY_TASKS;
      this.limit = 1;
    } else if (this.#left === 0) this.limit = Number.POSITIVE_INFINITY;
    else {
      this.#left--;
      this.limit = FEW;
    }
  }
}
