// The results that came to a sink and wait for its reader: in order, each result once, and which batches their workers may forget. `S` is a
// worker's session, as the shell knows it.
import type { Answer, ResultBatch } from "./messages.ts";
import { SeenNumbers } from "./seen-numbers.ts";

export interface Waiting<S> {
  readonly session: S;
  readonly batch: number;
  readonly ventilator: string;
  readonly answers: readonly Answer[];
  /** The first that is not read. */
  at: number;
  /** How many its worker was told of. */
  told: number;
}

/** A result that is read now. */
export interface Reading<S> {
  readonly from: Waiting<S>;
  readonly answer: Answer;
}

export class Inbox<S> {
  /** By ventilator: what has been read. */
  readonly #seen = new Map<string, SeenNumbers>();
  #queue: Waiting<S>[] = [];
  #head = 0;
  /** Those of which more was read than their workers know. */
  readonly #untold = new Set<Waiting<S>>();
  /** What the reader is at: seen, and not yet with it for good. */
  #open: Reading<S> | undefined;
  #read = 0;

  /** How many results have been read. */
  get read(): number {
    return this.#read;
  }

  /** How many of these were read has to be told. */
  get untold(): number {
    return this.#untold.size;
  }

  /** Takes these for read: their results are dropped. */
  markRead(ventilator: string, number: number): void {
    this.#seenOf(ventilator).add(number);
  }

  add(session: S, { batch, skip, ventilator, answers }: ResultBatch): void {
    const at = Math.min(skip, answers.length);
    const waiting = { session, batch, ventilator, answers, at, told: at };
    this.#queue.push(waiting);
    // One of which all was taken before is told again: the worker asks.
    if (at === answers.length) this.#untold.add(waiting);
    this.#skipSeen();
  }

  /** Drops what is not read of a session: its worker sends it again in another one. */
  drop(session: S): void {
    this.#queue = this.#queue.slice(this.#head).filter((waiting) => waiting.session !== session);
    this.#head = 0;
    this.#skipSeen();
    for (const waiting of this.#untold) if (waiting.session === session) this.#untold.delete(waiting);
  }

  /** The next result that was not read before; undefined where there is none yet. What was given before is done. */
  next(): Reading<S> | undefined {
    this.done();
    const from = this.#queue[this.#head];
    if (from === undefined) return undefined;
    const answer = from.answers[from.at++]!;
    this.#seenOf(from.ventilator).add(answer.number);
    this.#read += 1;
    this.#open = { from, answer };
    return this.#open;
  }

  /** The reader has what `next` gave: its worker may be told. */
  done(): void {
    if (this.#open === undefined) return;
    this.#untold.add(this.#open.from);
    this.#open = undefined;
    this.#skipSeen();
  }

  /** What to tell each worker: pairs of batch and how many of it have been read. */
  tell(): Map<S, number[]> {
    const words = new Map<S, number[]>();
    for (const waiting of this.#untold) {
      // Before the reader is done with a result its worker must not forget it.
      const count = waiting === this.#open?.from ? waiting.at - 1 : waiting.at;
      if (count <= waiting.told && count < waiting.answers.length) continue;
      waiting.told = count;
      const pairs = words.get(waiting.session);
      if (pairs === undefined) words.set(waiting.session, [waiting.batch, count]);
      else pairs.push(waiting.batch, count);
    }
    this.#untold.clear();
    return words;
  }

  /** Passes over copies of what was read, so that their workers may forget them, whether or not somebody reads on. */
  #skipSeen(): void {
    for (;;) {
      const waiting = this.#queue[this.#head];
      if (waiting === undefined) return;
      const answer = waiting.answers[waiting.at];
      if (answer === undefined) {
        this.#shift();
        continue;
      }
      // How much of a batch its worker may forget is counted from its beginning.
      if (this.#open?.from === waiting) return;
      const { ventilator } = waiting;
      if (!this.#seenOf(ventilator).has(answer.number)) return;
      // The last copy of a result must not be forgotten while the reader is at another.
      if (this.#open?.answer.number === answer.number && this.#open.from.ventilator === ventilator) return;
      waiting.at += 1;
      this.#untold.add(waiting);
    }
  }

  #shift(): void {
    this.#head += 1;
    if (this.#head < 64 || this.#head * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  #seenOf(ventilator: string): SeenNumbers {
    let seen = this.#seen.get(ventilator);
    if (seen === undefined) {
      seen = new SeenNumbers();
      this.#seen.set(ventilator, seen);
    }
    return seen;
  }
}
