// A worker's account of one ventilator: what it has of it, what it was promised, and what there is to tell.
import type { Report } from "./messages.ts";

/** @typeParam P who it is, as the shell knows it */
export class Source<P> {
  readonly peer: P;
  /** What the ventilator calls itself. */
  readonly ventilator: string;
  /** Its session is lost: what is done of it is of use to nobody but the sink. */
  isOver = false;
  /** Its requests that wait or run. */
  #held = 0;
  /** Those that it may send, and that have not come yet. */
  #promised = 0;
  #done: number[] = [];
  #returned: number[] = [];

  constructor(peer: P, ventilator: string) {
    this.peer = peer;
    this.ventilator = ventilator;
  }

  /** What is here of it, or will be. */
  get expected(): number {
    return this.#held + this.#promised;
  }

  /** So many requests have come. */
  came(count: number): void {
    this.#promised = Math.max(0, this.#promised - count);
    this.#held += count;
  }

  /** One of its requests has an answer. */
  answered(): void {
    this.#held--;
  }

  /** The sink has the answers to these. */
  done(numbers: readonly number[]): void {
    for (const number of numbers) this.#done.push(number);
  }

  /** One that has not begun goes back. */
  giveBack(number: number): void {
    this.#held--;
    this.#returned.push(number);
  }

  /** What is to be said, with leave to send so many more; undefined where that is nothing. It is taken for said. */
  report(credit: number): Report | undefined {
    const done = this.#done;
    const returned = this.#returned;
    if (this.isOver || (credit === 0 && done.length === 0 && returned.length === 0)) return undefined;
    this.#promised += credit;
    this.#done = [];
    this.#returned = [];
    return { credit, done, returned };
  }
}
