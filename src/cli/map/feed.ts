// Gives items to a lazy map one by one, and keeps those that are on their way. What cannot be read goes another way.
import type { Input } from "../input/index.ts";
import { BadInputError, type Item } from "../input/item.ts";
import type { Written } from "./results.ts";

export interface FeedListener {
  onRead(item: Item): void;
  /** An item that no task can be given. `before` is how many went to tasks before it. Nothing is read until this resolves. */
  onBad(item: Item, before: number): Promise<void> | undefined;
  /** Everything was read. */
  onEnd(): void;
  /** The input broke off. */
  onError(error: unknown): void;
}

/** An item between its reading and its writing. */
export interface OnItsWay {
  readonly item: Item;
  /** Once it is settled. */
  written: Written | undefined;
}

/** However small the items are: more of them do not make workers busier, and each takes memory. */
const MOST_ON_THEIR_WAY = 8192;

export class Feed implements AsyncIterable<unknown> {
  readonly #input: Input;
  readonly #listener: FeedListener;
  readonly #inputOf: (item: Item) => unknown;
  readonly #most: number;
  readonly #onTheirWay: Map<number, OnItsWay> = new Map();
  #isStopped = false;
  #interrupt: () => void = () => {};
  #onRoom: () => void = () => {};
  #given = 0;
  #lastRead: Item | undefined;

  /**
   * @param inputOf what the task is given for an item; throws where it cannot be given it
   * @param window how many items may be on their way at least
   */
  constructor(input: Input, listener: FeedListener, inputOf: (item: Item) => unknown, window = 0) {
    this.#input = input;
    this.#inputOf = inputOf;
    this.#listener = listener;
    this.#most = Math.max(MOST_ON_THEIR_WAY, window);
  }

  /** What was given as the `index`-th, from 0, until it is taken. */
  get(index: number): OnItsWay | undefined {
    return this.#onTheirWay.get(index);
  }

  /** What was given as the `index`-th and is settled: it is forgotten here. */
  take(index: number): OnItsWay | undefined {
    const way = this.#onTheirWay.get(index);
    if (way?.written === undefined) return undefined;
    this.#onTheirWay.delete(index);
    this.#onRoom();
    return way;
  }

  /** Those that were given and not taken back, in order. */
  rest(): Iterable<OnItsWay> {
    return this.#onTheirWay.values();
  }

  get lastRead(): Item | undefined {
    return this.#lastRead;
  }

  /** Gives nothing more. A read that is under way is dropped. */
  stop(): void {
    this.#isStopped = true;
    this.#interrupt();
    this.#onRoom();
    this.#input.stop();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    const batches = this.#input.batches[Symbol.asyncIterator]();
    try {
      for (;;) {
        const read = await this.#unlessStopped(batches.next());
        if (read === undefined || this.#isStopped) return;
        if (read.done) break;
        for (const item of read.value) {
          this.#lastRead = item;
          this.#listener.onRead(item);
          const input = this.#prepare(item);
          if (input instanceof BadInputError) {
            await this.#listener.onBad({ ...item, problem: input }, this.#given);
          } else {
            this.#onTheirWay.set(this.#given++, { item, written: undefined });
            yield input;
            if (this.#onTheirWay.size >= this.#most) await this.#room();
          }
          if (this.#isStopped) return;
        }
      }
      this.#listener.onEnd();
    } catch (error) {
      if (!this.#isStopped) this.#listener.onError(error);
    }
  }

  /** What the task is given, or why it cannot be. */
  #prepare(item: Item): unknown {
    if (item.problem) return item.problem;
    try {
      return this.#inputOf(item);
    } catch (error) {
      if (error instanceof BadInputError) return error;
      throw error;
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Undefined as soon as the feed is stopped; what the promise then does, a failure too, concerns nobody. */
  #unlessStopped<T>(promise: Promise<T>): Promise<T | undefined> {
    // Not Promise.race against one long-lived promise: that would keep something of every read.
    return new Promise((resolve, reject) => {
      this.#interrupt = () => resolve(undefined);
      promise.then(resolve, reject);
    });
  }
}
