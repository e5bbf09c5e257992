// Answers that a worker has and has not sent yet, in memory that it shares with the pool: so that they are seen while it is at a long
// task, which keeps it from sending anything. Only what has a fixed size is posted; everything else waits for its message.
//
// The worker alone writes. It appends answers, and starts anew when a message with all of them has left, which changes the generation:
// what a reader copied within one generation is whole.
import type { WorkerReply } from "./messages.ts";

/** As many as may wait at one worker. */
const PLACES = 768;
const WORDS_A_PLACE = 3;
const HEAD_WORDS = 2;
const WORDS = HEAD_WORDS + PLACES * WORDS_A_PLACE;
/** Values are aligned to eight bytes. */
const VALUES_AT = Math.ceil(WORDS / 2) * 8;
export const BOARD_BYTES: number = VALUES_AT + PLACES * 8;

const GENERATION = 0;
const COUNT = 1;

const NUMBER = 0;
const OTHERS: readonly unknown[] = [undefined, undefined, null, false, true];

export class AnswerBoard {
  readonly #words: Int32Array;
  readonly #values: Float64Array;
  #count = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, WORDS);
    this.#values = new Float64Array(buffer, VALUES_AT, PLACES);
  }

  /** Posts the answer if it has a place and is small enough. */
  post(ticket: number, micros: number, value: unknown): void {
    const kind = typeof value === "number" ? NUMBER : OTHERS.indexOf(value, 1);
    const at = this.#count;
    if (kind < 0 || at === PLACES) return;
    const word = HEAD_WORDS + at * WORDS_A_PLACE;
    this.#words[word] = ticket;
    this.#words[word + 1] = micros;
    this.#words[word + 2] = kind;
    if (kind === NUMBER) this.#values[at] = value as number;
    this.#count = at + 1;
    Atomics.store(this.#words, COUNT, at + 1);
  }

  /** All of them were sent. */
  clear(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    Atomics.add(this.#words, GENERATION, 1);
    Atomics.store(this.#words, COUNT, 0);
  }

  /** What is posted; undefined where nothing is, or a message with it is on its way. */
  read(): WorkerReply | undefined {
    const words = this.#words;
    const generation = Atomics.load(words, GENERATION);
    const count = Atomics.load(words, COUNT);
    if (count === 0) return undefined;
    const tickets: number[] = [];
    const micros: number[] = [];
    const values: unknown[] = [];
    for (let at = 0; at < count; at++) {
      const word = HEAD_WORDS + at * WORDS_A_PLACE;
      tickets.push(words[word]!);
      micros.push(words[word + 1]!);
      const kind = words[word + 2]!;
      values.push(kind === NUMBER ? this.#values[at]! : OTHERS[kind]);
    }
    return Atomics.load(words, GENERATION) === generation ? [tickets, micros, values, 0] : undefined;
  }
}
