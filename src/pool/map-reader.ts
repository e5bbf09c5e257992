// What a map reads: its inputs, as far ahead as it may, in pieces that may travel together. Sends nothing, and knows no outcome.
import { types } from "node:util";
import type { ChunkSize } from "../core/chunk-size.ts";
import type { Values } from "../protocol/packing.ts";
import { NOT_PLAIN, PlainCopier } from "../protocol/plain-copy.ts";
import type { Engine } from "./engine.ts";
import { type Inputs, IteratorSource, isAsyncIterable, ListSource, type SyncSource } from "./map-source.ts";

const MIN_WINDOW = 16;

/** Who sends what was read. */
export interface MapSender {
  /** Items that were sent and have no outcome yet. */
  readonly open: number;
  send(items: Values): void;
  /** Everything was read and sent. */
  allSent(): void;
  sourceFailed(error: unknown): void;
}

export class MapReader {
  readonly #engine: Engine;
  readonly #size: ChunkSize;
  /** The caller's; 0 for the default. */
  readonly #fixedWindow: number;
  readonly #sender: MapSender;
  readonly #copier = new PlainCopier(types.isProxy);
  readonly #source: SyncSource | undefined;
  #asyncSource: AsyncIterator<unknown> | undefined;
  /** A value that was read and cannot travel with others. */
  #held: { readonly value: unknown } | undefined;
  /** Read from an async source and not sent yet. */
  #pending: unknown[] = [];
  #read = 0;
  #taken = 0;
  #isExhausted = false;
  #isClosed = false;
  #isFilling = false;
  /** With so few inputs read ahead it is worth reading on. */
  #refillAt = 0;
  #onRoom: (() => void) | undefined;

  constructor(engine: Engine, inputs: Inputs<unknown>, size: ChunkSize, window: number, sender: MapSender) {
    this.#engine = engine;
    this.#size = size;
    this.#fixedWindow = window;
    this.#sender = sender;
    if (Array.isArray(inputs)) this.#source = new ListSource(inputs);
    else if (isAsyncIterable(inputs)) this.#asyncSource = inputs[Symbol.asyncIterator]();
    else this.#source = new IteratorSource(inputs);
  }

  /** How many inputs were read. */
  get read(): number {
    return this.#read;
  }

  /** How many there are; undefined where they are not a list. */
  get total(): number | undefined {
    return this.#source !== undefined && this.#source.total >= 0 ? this.#source.total : undefined;
  }

  /** Everything was read and sent. */
  get isDone(): boolean {
    return this.#isExhausted && this.#held === undefined && this.#pending.length === 0;
  }

  /** There is room for more than a few. */
  get isThirsty(): boolean {
    return this.#ahead <= this.#refillAt;
  }

  /** Inputs whose outcomes the caller has not taken. */
  get #ahead(): number {
    return this.#read - this.#taken;
  }

  /** Begins to read. */
  start(): void {
    if (this.#asyncSource === undefined) this.fill();
    else void this.#pump(this.#asyncSource);
  }

  /** The caller took `count` outcomes. */
  took(count: number): void {
    this.#taken += count;
  }

  /** Reads and sends as much as the window has room for. */
  fill(): void {
    if (this.#source === undefined) {
      this.#onRoom?.();
      return;
    }
    if (this.#isFilling || this.#isExhausted) return;
    this.#isFilling = true;
    try {
      this.#fillFrom(this.#source);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isFilling = false;
    }
  }

  /** Nothing more is read or sent, and the source is told so unless it has ended. */
  close(): void {
    this.#isClosed = true;
    const wasExhausted = this.#isExhausted;
    this.#isExhausted = true;
    this.#held = undefined;
    this.#pending = [];
    this.#onRoom?.();
    if (wasExhausted) return;
    try {
      this.#source?.close();
      // What a source says about being closed changes nothing any more.
      this.#asyncSource?.return?.().catch(() => {});
    } catch {
      // As above.
    }
  }

  #window(): number {
    if (this.#fixedWindow > 0) return this.#fixedWindow;
    const { hands, reach } = this.#engine;
    // What nobody has taken is no reason to read further: the window grows with what was taken.
    const wanted = Math.max(2 * reach, 4 * hands * this.#size.current);
    return Math.max(MIN_WINDOW, 2 * hands, Math.min(wanted, this.#taken));
  }

  #nextSize(source: SyncSource | undefined, window: number): number {
    const size = this.#size.current;
    if (!this.#size.isAdaptive || size === 1) return size;
    const hands = Math.max(1, this.#engine.hands);
    const share = Math.max(1, Math.floor(window / (2 * hands)));
    if (source === undefined || source.total < 0) return Math.min(size, share);
    // Towards the end the chunks get smaller, so that all hands end together.
    return Math.min(size, share, Math.max(1, Math.ceil((source.total - this.#read) / (3 * hands))));
  }

  #fillFrom(source: SyncSource): void {
    for (;;) {
      const window = this.#window();
      const size = this.#nextSize(source, window);
      this.#refillAt = Math.max(0, window - size);
      const room = window - this.#ahead;
      if (room <= 0) return;
      // Without any worker yet something has to wait for the first one.
      if (room < size && this.#sender.open >= Math.max(1, this.#engine.hands)) return;
      const items = this.#readItems(source, Math.min(size, room));
      if (items.length > 0) this.#sender.send(items);
      if (this.#isClosed) return;
      if (this.isDone) {
        this.#sender.allSent();
        return;
      }
    }
  }

  /** Reads up to `count` inputs that may travel together. */
  #readItems(source: SyncSource, count: number): Values {
    const items: unknown[] = [];
    if (this.#held !== undefined) {
      const { value } = this.#held;
      this.#held = undefined;
      return [value];
    }
    // Numbers need no copy, and are taken in one piece.
    const numbers = this.#isExhausted || count === 1 ? undefined : source.readNumbers?.(count);
    if (numbers !== undefined) {
      this.#read += numbers.length;
      return numbers;
    }
    while (items.length < count) {
      if (this.#isExhausted || !source.read()) {
        this.#isExhausted = true;
        break;
      }
      this.#read++;
      const { value } = source;
      if (count === 1) return [value];
      const copy = this.#copier.copy(value);
      if (copy === NOT_PLAIN) {
        // It goes by itself, after what came before it.
        if (items.length === 0) return [value];
        this.#held = { value };
        break;
      }
      items.push(copy);
    }
    return items;
  }

  async #pump(source: AsyncIterator<unknown>): Promise<void> {
    try {
      for (;;) {
        while (!this.#isClosed && this.#ahead >= this.#window()) {
          this.#sendPending();
          await new Promise<void>((resolve) => {
            this.#onRoom = resolve;
          });
        }
        if (this.#isClosed) return;
        const step = await source.next();
        if (this.#isClosed) return;
        if (step.done === true) break;
        this.#read++;
        this.#gather(step.value);
      }
      this.#isExhausted = true;
      this.#sendPending();
      this.#sender.allSent();
    } catch (error) {
      if (!this.#isClosed) this.#failed(error);
    }
  }

  /** Waits for company only while all hands are busy, and no longer than this turn of the event loop. */
  #gather(value: unknown): void {
    const copy = this.#copier.copy(value);
    if (copy === NOT_PLAIN) {
      this.#sendPending();
      this.#sender.send([value]);
      return;
    }
    if (this.#pending.length === 0) setImmediate(() => this.#sendPending());
    this.#pending.push(copy);
    const isIdle = this.#sender.open < this.#engine.hands;
    if (isIdle || this.#pending.length >= this.#nextSize(undefined, this.#window())) this.#sendPending();
  }

  #sendPending(): void {
    const items = this.#pending;
    if (items.length === 0) return;
    this.#pending = [];
    this.#sender.send(items);
  }

  /** The source ended itself by failing: it is not closed again. */
  #failed(error: unknown): void {
    this.#isExhausted = true;
    this.#sender.sourceFailed(error);
  }
}
