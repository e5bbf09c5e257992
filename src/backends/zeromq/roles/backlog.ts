// Requests that a worker has and has not begun, in the order in which they came.
import type { Assignment } from "./messages.ts";

export class Backlog<S> {
  #waiting: Assignment<S>[] = [];
  /** The first that waits. */
  #head = 0;

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  /** @param assignments belongs to the backlog from now on */
  add(assignments: Assignment<S>[]): void {
    if (this.size === 0) {
      this.#waiting = assignments;
      this.#head = 0;
    } else for (const assignment of assignments) this.#waiting.push(assignment);
  }

  /** The next one, which waits no longer. */
  next(): Assignment<S> | undefined {
    const first = this.#waiting[this.#head];
    if (first === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#waiting.length) this.takeAll();
    return first;
  }

  /** All that wait, which do so no longer. */
  takeAll(): readonly Assignment<S>[] {
    const all = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    return all;
  }

  /** Without those of a source. */
  drop(source: S): void {
    this.add(this.takeAll().filter((one) => one.source !== source));
  }
}
