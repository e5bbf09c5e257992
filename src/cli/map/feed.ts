// Gives items to a lazy map one by one, and keeps those that are on their way. What cannot be read goes another way.
import type { Input } from "../input/index.ts";
import type { Item } from "../input/item.ts";

export interface FeedListener {
  onRead(item: Item): void;
  /** An item that no task can be given. `before` is how many went to tasks before it. Nothing is read until this resolves. */
  onBad(item: Item, before: number): Promise<void> | undefined;
  /** Everything was read. */
  onEnd(): void;
  /** The input broke off. */
  onError(error: unknown): void;
}

export class Feed implements AsyncIterable<unknown> {
  readonly #input: Input;
  readonly #listener: FeedListener;
  readonly #onTheirWay: Map<number, Item> = new Map();
  #isStopped = false;
  #interrupt: () => void = () => {};
  #given = 0;
  #lastRead: Item | undefined;

  constructor(input: Input, listener: FeedListener) {
    this.#input = input;
    this.#listener = listener;
  }

  /** The item that was given as the `index`-th, from 0. It is forgotten with `take`. */
  get(index: number): Item | undefined {
    return this.#onTheirWay.get(index);
  }

  take(index: number): Item | undefined {
    const item = this.#onTheirWay.get(index);
    this.#onTheirWay.delete(index);
    return item;
  }

  /** Those that were given and not taken back, in order. */
  rest(): Iterable<Item> {
    return this.#onTheirWay.values();
  }

  get lastRead(): Item | undefined {
    return this.#lastRead;
  }

  /** Gives nothing more. A read that is under way is dropped. */
  stop(): void {
    this.#isStopped = true;
    this.#interrupt();
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
          if (item.problem) {
            await this.#listener.onBad(item, this.#given);
          } else {
            this.#onTheirWay.set(this.#given++, item);
            yield item.value;
          }
          if (this.#isStopped) return;
        }
      }
      this.#listener.onEnd();
    } catch (error) {
      if (!this.#isStopped) this.#listener.onError(error);
    }
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
