// Answers that a worker has and has not sent yet, in memory that it shares with the pool: so that they are seen while it is at a long
// task, which keeps it from sending anything. Only what has a fixed size is posted; everything else waits for its message.
//
// The worker alone writes, round a ring. It counts what it has posted and what has left in messages, and neither count ever goes back: a
// reader that met the writer knows from the count whether the places that it copied have been written anew since.
import type { WorkerReply } from "./messages.ts";

/** As many answers as may wait at one worker. */
const MOST_WAITING = 1_536;
/** Places of the ring, a power of two, which counts go round for ever. */
const PLACES = 4_096;
/** What is copied stays whole while the writer is no further ahead of it: short of a round, for a place is written before it is counted. */
const WHOLE = PLACES - 256;
const WORDS_A_PLACE = 3;
const HEAD_WORDS = 2;
const WORDS = HEAD_WORDS + PLACES * WORDS_A_PLACE;
/** Values are aligned to eight bytes. */
const VALUES_AT = Math.ceil(WORDS / 2) * 8;
export const BOARD_BYTES: number = VALUES_AT + PLACES * 8;

/** How many answers have left, and how many were posted, as 32 bits that overflow. */
const LEFT = 0;
const POSTED = 1;

const NUMBER = 0;
const OTHERS: readonly unknown[] = [undefined, undefined, null, false, true];

export class AnswerBoard {
  readonly #words: Int32Array;
  readonly #values: Float64Array;
  #left = 0;
  #posted = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, WORDS);
    this.#values = new Float64Array(buffer, VALUES_AT, PLACES);
  }

  /** Posts the answer if it has a place and is small enough. */
  post(ticket: number, micros: number, value: unknown): void {
    const kind = typeof value === "number" ? NUMBER : OTHERS.indexOf(value, 1);
    const posted = this.#posted;
    if (kind < 0 || ((posted - this.#left) | 0) === MOST_WAITING) return;
    const place = posted & (PLACES - 1);
    const word = HEAD_WORDS + place * WORDS_A_PLACE;
    this.#words[word] = ticket;
    this.#words[word + 1] = micros;
    this.#words[word + 2] = kind;
    if (kind === NUMBER) this.#values[place] = value as number;
    this.#posted = (posted + 1) | 0;
    Atomics.store(this.#words, POSTED, this.#posted);
  }

  /** All of them were sent. */
  clear(): void {
    if (this.#left === this.#posted) return;
    this.#left = this.#posted;
    Atomics.store(this.#words, LEFT, this.#left);
  }

  /** What is posted; undefined where nothing is, or the writer was too quick. Some of it may just have left as well. */
  read(): WorkerReply | undefined {
    const words = this.#words;
    const left = Atomics.load(words, LEFT);
    const count = (Atomics.load(words, POSTED) - left) | 0;
    if (count === 0 || count > WHOLE) return undefined;
    const tickets: number[] = [];
    const micros: number[] = [];
    const values: unknown[] = [];
    for (let at = 0; at < count; at++) {
      const place = (left + at) & (PLACES - 1);
      const word = HEAD_WORDS + place * WORDS_A_PLACE;
      tickets.push(words[word]!);
      micros.push(words[word + 1]!);
      const kind = words[word + 2]!;
      values.push(kind === NUMBER ? this.#values[place]! : OTHERS[kind]);
    }
    // Adding nothing, unlike a load, also keeps what was read before it from being read after it.
    return ((Atomics.add(words, POSTED, 0) - left) | 0) <= WHOLE ? [tickets, micros, values, 0] : undefined;
  }
}
