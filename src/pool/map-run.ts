// A map under way: reads its inputs as far ahead as it may, sends them one by one or in chunks, and says what became of each.
import { types } from "node:util";
import { backoff } from "../core/backoff.ts";
import { ChunkSize } from "../core/chunk-size.ts";
import type { Profile } from "../core/task-table.ts";
import type { Abortable } from "../protocol/abort-groups.ts";
import { CHUNK_ITEM_FAILED, THROWN, type WorkerEvent } from "../protocol/messages.ts";
import type { Values } from "../protocol/packing.ts";
import { NOT_PLAIN, PlainCopier } from "../protocol/plain-copy.ts";
import type { Engine } from "./engine.ts";
import { type Inputs, IteratorSource, isAsyncIterable, isIterable, ListSource, type SyncSource } from "./map-source.ts";
import { type ItemFacts, itemErrorOf, MapChunk, MapItem, type MapOwner } from "./map-units.ts";
import type { Ending, RunFacts, Unit } from "./unit.ts";
import type { WorkerView } from "./worker-view.ts";

const MIN_WINDOW = 16;
/** A chunk that has not answered for so long, while hands are idle, gives back what it has not begun. */
const STUCK_MS = 15;
const LOSS_BUDGET = 2;

/** What became of one item. */
export interface Settled {
  readonly index: number;
  readonly id: number;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: unknown;
  readonly attempt: number;
  /** Undefined where it never ran. */
  readonly workerId: string | undefined;
  readonly backend: string | undefined;
  /** From reading the input to starting the item, or its chunk. */
  readonly queuedMs: number;
  /** Measured in the worker. */
  readonly runMs: number;
}

/** How far a map is. */
export interface MapProgress {
  readonly done: number;
  readonly failed: number;
  readonly read: number;
  /** Undefined where the inputs are not a list. */
  readonly total: number | undefined;
}

export interface MapSettings {
  readonly priority: number;
  /** Of items that go by themselves. */
  readonly profile: Profile;
  readonly label: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** 0 to adapt. */
  readonly chunkSize: number;
  /** 0 for the default. */
  readonly window: number;
  /** "in order": what comes before the failed item still counts; nothing after it does. */
  readonly stopsAtFailure: "never" | "at once" | "in order";
  readonly onSettled: ((settled: Settled) => void) | undefined;
  readonly onProgress: ((progress: MapProgress) => void) | undefined;
}

/** Who takes the outcomes. */
export interface MapSink {
  put(index: number, ok: boolean, value: unknown): void;
  /** Good values of consecutive items. */
  putAll(first: number, values: ArrayLike<unknown>): void;
  /** Every input that was read has its outcome, and there are no more. */
  end(): void;
  /** The source failed, or the signal was aborted. */
  fail(error: unknown): void;
}

export class MapRun implements MapOwner, Abortable {
  readonly name: string;
  readonly wantsEachMs: boolean;
  readonly timeoutMs: number;
  readonly #engine: Engine;
  readonly #settings: MapSettings;
  readonly #chunkProfile: Profile;
  readonly #sink: MapSink;
  readonly #size: ChunkSize;
  readonly #copier = new PlainCopier(types.isProxy);
  readonly #source: SyncSource | undefined;
  #asyncSource: AsyncIterator<unknown> | undefined;
  /** A value that was read and cannot travel with others. */
  #held: { readonly value: unknown } | undefined;
  /** Read from an async source and not sent yet. */
  #pending: unknown[] = [];
  #read = 0;
  #sent = 0;
  #taken = 0;
  #done = 0;
  #failed = 0;
  /** Items that were sent, or wait to be sent again. */
  #open = 0;
  #isExhausted = false;
  /** Items from here on do not count: one failed. */
  #end = Number.POSITIVE_INFINITY;
  #isOver = false;
  #isFilling = false;
  /** With so few inputs read ahead it is worth reading on. */
  #refillAt = 0;
  #onRoom: (() => void) | undefined;
  #stuckTimer: NodeJS.Timeout | undefined;

  constructor(engine: Engine, name: string, inputs: Inputs<unknown>, settings: MapSettings, sink: MapSink) {
    this.#engine = engine;
    this.name = name;
    this.#settings = settings;
    this.#sink = sink;
    this.timeoutMs = settings.profile.timeoutMs;
    this.wantsEachMs = settings.onSettled !== undefined;
    // What must not be sent twice cannot share a message with what may have to be.
    this.#size = new ChunkSize(settings.profile.atMostOnce ? 1 : settings.chunkSize);
    // What a failed chunk comes to is decided item by item.
    this.#chunkProfile = { ...settings.profile, retries: 0, isChunk: true };
    if (Array.isArray(inputs)) this.#source = new ListSource(inputs);
    else if (isAsyncIterable(inputs)) this.#asyncSource = inputs[Symbol.asyncIterator]();
    else if (isIterable(inputs)) this.#source = new IteratorSource(inputs);
    if (settings.signal !== undefined) engine.signals.add(settings.signal, this);
  }

  get label(): string | undefined {
    return this.#settings.label;
  }

  /** Begins to read. */
  start(): void {
    if (this.#asyncSource === undefined) this.fill();
    else void this.#pump(this.#asyncSource);
  }

  /** The caller took `count` outcomes. */
  took(count: number): void {
    this.#taken += count;
    if (this.#read - this.#taken <= this.#refillAt) this.fill();
  }

  /** Reads and sends as much as the window has room for. */
  fill(): void {
    if (this.#isOver) return;
    if (this.#source === undefined) {
      this.#onRoom?.();
      return;
    }
    if (this.#isFilling || this.#isExhausted) return;
    this.#isFilling = true;
    try {
      this.#fillFrom(this.#source);
    } catch (error) {
      this.#sourceFailed(error);
    } finally {
      this.#isFilling = false;
    }
    this.#endIfDone();
  }

  /** Ends the map before its end: what waits is cancelled, what runs is let go, the source is closed. */
  stop(isAborted = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finish();
    for (const unit of this.#engine.units()) {
      if ((!(unit instanceof MapItem) && !(unit instanceof MapChunk)) || unit.owner !== this) continue;
      if (isAborted || !this.#engine.isRunning(unit.slot)) this.#engine.cancel(unit, this.#settings.signal?.reason);
      else if (unit instanceof MapChunk) this.#engine.recallItems(unit);
    }
    this.#closeSource();
  }

  /** Nothing after this item counts any more; what comes before it goes on, for its outcome is due first. */
  #cutOff(index: number): void {
    if (this.#isOver || index > this.#end) return;
    this.#end = index;
    for (const unit of this.#engine.units()) {
      if ((!(unit instanceof MapItem) && !(unit instanceof MapChunk)) || unit.owner !== this) continue;
      const next = unit instanceof MapItem ? unit.index : unit.nextIndex;
      if (next < index) continue;
      if (!this.#engine.isRunning(unit.slot)) this.#engine.cancel(unit, undefined);
      else if (unit instanceof MapChunk) this.#engine.recallItems(unit);
    }
    this.#closeSource();
  }

  aborted(reason: unknown): void {
    if (this.#isOver) return;
    this.stop(true);
    this.#sink.fail(reason);
  }

  // ── Reading and sending ────────────────────────────────────────────────────────────────────────────────────────────────

  #window(): number {
    if (this.#settings.window > 0) return this.#settings.window;
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
      const room = window - (this.#read - this.#taken);
      if (room <= 0) return;
      // Without any worker yet something has to wait for the first one.
      if (room < size && this.#open >= Math.max(1, this.#engine.hands)) return;
      const items = this.#readItems(source, Math.min(size, room));
      if (items.length > 0) this.#send(items);
      if (this.#isOver) return;
      if (this.#held === undefined && this.#isExhausted) {
        this.#watchForStuck();
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
      while (!this.#isOver) {
        while (!this.#isOver && this.#window() - (this.#read - this.#taken) <= 0) {
          this.#sendPending();
          await new Promise<void>((resolve) => {
            this.#onRoom = resolve;
          });
        }
        if (this.#isOver) return;
        const step = await source.next();
        if (this.#isOver) return;
        if (step.done === true) break;
        this.#read++;
        this.#gather(step.value);
      }
      this.#isExhausted = true;
      this.#sendPending();
      this.#watchForStuck();
      this.#endIfDone();
    } catch (error) {
      if (!this.#isOver) this.#sourceFailed(error);
    }
  }

  /** Waits for company only while all hands are busy, and no longer than this turn of the event loop. */
  #gather(value: unknown): void {
    const copy = this.#copier.copy(value);
    if (copy === NOT_PLAIN) {
      this.#sendPending();
      this.#send([value]);
      return;
    }
    if (this.#pending.length === 0) setImmediate(() => this.#sendPending());
    this.#pending.push(copy);
    const isIdle = this.#open < this.#engine.hands;
    if (isIdle || this.#pending.length >= this.#nextSize(undefined, this.#window())) this.#sendPending();
  }

  #sendPending(): void {
    const items = this.#pending;
    if (items.length === 0 || this.#isOver) return;
    this.#pending = [];
    this.#send(items);
  }

  #send(items: Values): void {
    const first = this.#sent;
    this.#sent += items.length;
    this.#open += items.length;
    this.#submit(items, first, this.#engine.takeIds(items.length));
  }

  #submit(items: Values, first: number, firstId: number): void {
    if (first > this.#end) return;
    const { priority, profile } = this.#settings;
    if (items.length === 1) this.#engine.add(new MapItem(this, first, firstId, items[0]), priority, profile);
    else this.#engine.add(new MapChunk(this, first, firstId, items), priority, this.#chunkProfile);
  }

  #sourceFailed(error: unknown): void {
    // The source ended itself by failing: it is not closed again.
    this.#asyncSource = undefined;
    this.#isExhausted = true;
    this.stop();
    this.#sink.fail(error);
  }

  #closeSource(): void {
    const wasExhausted = this.#isExhausted;
    this.#isExhausted = true;
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

  // ── What becomes of the items ──────────────────────────────────────────────────────────────────────────────────────────

  itemCompleted(index: number, id: number, value: unknown, facts: ItemFacts): void {
    if (this.#size.isAdaptive) this.#size.measured(1, facts.runMs);
    if (this.#isOver) return;
    this.#open--;
    this.#done++;
    this.#settled(index, id, true, value, facts);
    this.#afterAnswer();
  }

  itemFailed(index: number, id: number, error: unknown, facts: ItemFacts): void {
    if (this.#isOver) return;
    this.#open--;
    this.#fails(index, id, error, facts);
    this.#afterAnswer();
  }

  itemsCompleted(
    chunk: MapChunk,
    first: number,
    values: ArrayLike<unknown>,
    micros: number | readonly number[],
    worker: WorkerView,
  ): void {
    const count = values.length;
    if (this.#size.isAdaptive) this.#size.measured(count, (typeof micros === "number" ? micros : sum(micros)) / 1_000);
    if (this.#isOver) return;
    this.#open -= count;
    this.#done += count;
    if (this.#settings.onSettled === undefined && !this.#engine.events.has("taskSettled")) {
      this.#sink.putAll(first, values);
    } else {
      const attempt = this.#engine.attemptOf(chunk.slot);
      const queuedMs = this.#engine.queuedMsOf(chunk.slot);
      for (let at = 0; at < count; at++) {
        const runMs = (typeof micros === "number" ? micros / count : micros[at]!) / 1_000;
        const facts = { worker, attempt, queuedMs, runMs };
        this.#settled(first + at, chunk.idOf(first + at), true, values[at], facts);
        this.#engine.tellItemSettled(chunk.idOf(first + at), this.name, true, undefined, facts);
      }
    }
    this.#afterAnswer();
  }

  chunkItemFailed(chunk: MapChunk, index: number, runMs: number, event: WorkerEvent, worker: WorkerView): void {
    if (this.#isOver || event[0] !== CHUNK_ITEM_FAILED) return;
    const attempt = this.#engine.attemptOf(chunk.slot);
    const id = chunk.idOf(index);
    const input = chunk.inputOf(index);
    const deferral = event[6];
    if (deferral !== null) {
      this.#again(
        index,
        id,
        input,
        { attempts: attempt, charged: 0, losses: 0, isAlone: false },
        deferral[1],
        deferral[0],
      );
      return;
    }
    const error = itemErrorOf(this.name, event);
    if (event[5] === THROWN && this.#mayRetry()) {
      const delayMs = backoff(1, this.#settings.profile.retryDelayMs, Math.random);
      this.#again(index, id, input, { attempts: attempt, charged: 1, losses: 0, isAlone: false }, delayMs);
      if (this.#engine.events.has("taskRetried")) {
        this.#engine.events.emit("taskRetried", { id, name: this.name, attempt, error, delayMs });
      }
      return;
    }
    this.#open--;
    const facts = { worker, attempt, queuedMs: this.#engine.queuedMsOf(chunk.slot), runMs };
    this.#engine.tellItemSettled(id, this.name, false, error, facts);
    this.#fails(index, id, error, facts);
    this.#afterAnswer();
  }

  chunkEnded(chunk: MapChunk, error: unknown, facts: RunFacts, ending: Ending | undefined): void {
    if (this.#isOver) return;
    if (chunk.left > 0) this.#dealWithRest(chunk, error, facts, ending);
    this.#afterAnswer();
  }

  cancelUnit(unit: Unit, error: unknown): void {
    this.#engine.cancel(unit, error);
  }

  chunkShortened(chunk: MapChunk, inputs: Values, first: number): void {
    if (this.#isOver) return;
    const firstId = chunk.idOf(first);
    const share = Math.ceil(inputs.length / Math.max(1, this.#engine.hands * 2));
    for (let at = 0; at < inputs.length; at += share) {
      this.#submit(inputs.slice(at, at + share), first + at, firstId + at);
    }
    this.#watchForStuck();
  }

  /** The chunk is over and has not answered all its items: why, decides what becomes of them. */
  #dealWithRest(chunk: MapChunk, error: unknown, facts: RunFacts, ending: Ending | undefined): void {
    const indexes = Array.from({ length: chunk.left }, (_, at) => chunk.nextIndex + at);
    const attempts = facts.attempt;
    switch (ending?.reason) {
      case undefined: {
        // It ended early, or could not be sent at all: nothing of the rest has begun. One by one, what cannot be sent shows.
        const untried = { attempts: 0, charged: 0, losses: 0, isAlone: false };
        for (const index of indexes) this.#again(index, chunk.idOf(index), chunk.inputOf(index), untried);
        return;
      }
      case "timeout": {
        // Answers leave before a timed item begins, so the first one without an answer is the late one.
        const [late, ...rest] = indexes;
        this.#chargeLate(chunk, late!, error, facts);
        const untried = { attempts: 0, charged: 0, losses: 0, isAlone: false };
        for (const index of rest) this.#again(index, chunk.idOf(index), chunk.inputOf(index), untried);
        return;
      }
      case "lost":
        this.#dealWithLoss(chunk, indexes, error, { ...facts, attempt: attempts });
        return;
      default:
        for (const index of indexes) {
          this.#open--;
          this.#engine.tellItemSettled(chunk.idOf(index), this.name, false, error, facts);
          this.#fails(index, chunk.idOf(index), error, facts);
          if (this.#isOver) return;
        }
    }
  }

  #chargeLate(chunk: MapChunk, index: number, error: unknown, facts: RunFacts): void {
    const id = chunk.idOf(index);
    if (this.#mayRetry()) {
      const delayMs = backoff(1, this.#settings.profile.retryDelayMs, Math.random);
      const history = { attempts: facts.attempt, charged: 1, losses: 0, isAlone: false };
      this.#again(index, id, chunk.inputOf(index), history, delayMs);
      return;
    }
    this.#open--;
    this.#engine.tellItemSettled(id, this.name, false, error, facts);
    this.#fails(index, id, error, facts);
  }

  /** One of several killed the worker, nobody knows which: each goes again, alone and uncharged. A single one is charged. */
  #dealWithLoss(chunk: MapChunk, indexes: readonly number[], error: unknown, facts: RunFacts): void {
    const { retries } = this.#settings.profile;
    const isSingle = indexes.length === 1;
    if (isSingle && (retries >= 0 ? retries < 1 : LOSS_BUDGET < 1)) {
      const id = chunk.idOf(indexes[0]!);
      this.#open--;
      this.#engine.tellItemSettled(id, this.name, false, error, facts);
      this.#fails(indexes[0]!, id, error, facts);
      return;
    }
    const history = { attempts: facts.attempt, charged: 0, losses: isSingle ? 1 : 0, isAlone: true };
    for (const index of indexes) this.#again(index, chunk.idOf(index), chunk.inputOf(index), history);
  }

  #mayRetry(): boolean {
    return this.#settings.profile.retries > 0;
  }

  #again(
    index: number,
    id: number,
    input: unknown,
    history: {
      readonly attempts: number;
      readonly charged: number;
      readonly losses: number;
      readonly isAlone: boolean;
    },
    delayMs = 0,
    priority: number | null = null,
  ): void {
    if (index > this.#end) return;
    const item = new MapItem(this, index, id, input);
    this.#engine.add(item, priority ?? this.#settings.priority, this.#settings.profile, delayMs);
    this.#engine.inherit(item, history.attempts, history.charged, history.losses, history.isAlone);
  }

  #fails(index: number, id: number, error: unknown, facts: ItemFacts): void {
    this.#failed++;
    const { stopsAtFailure } = this.#settings;
    if (stopsAtFailure !== "never") markIndex(error, index);
    this.#settled(index, id, false, error, facts);
    if (stopsAtFailure === "at once") this.stop();
    else if (stopsAtFailure === "in order") this.#cutOff(index);
  }

  #settled(index: number, id: number, ok: boolean, value: unknown, facts: ItemFacts): void {
    const { onSettled } = this.#settings;
    if (onSettled !== undefined) {
      onSettled({
        index,
        id,
        ok,
        ...(ok ? { value } : { error: value }),
        attempt: facts.attempt,
        workerId: facts.worker?.id,
        backend: facts.worker?.backendId,
        queuedMs: facts.queuedMs,
        runMs: facts.runMs,
      });
    }
    this.#sink.put(index, ok, value);
  }

  #afterAnswer(): void {
    const { onProgress } = this.#settings;
    if (onProgress !== undefined) {
      const total = this.#source !== undefined && this.#source.total >= 0 ? this.#source.total : undefined;
      onProgress({ done: this.#done, failed: this.#failed, read: this.#read, total });
    }
    if (this.#isOver) return;
    if (this.#read - this.#taken <= this.#refillAt || this.#open < this.#engine.hands) this.fill();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isOver || !this.#isExhausted || this.#open > 0 || this.#held !== undefined || this.#pending.length > 0)
      return;
    this.#isOver = true;
    this.#finish();
    this.#sink.end();
  }

  #finish(): void {
    clearTimeout(this.#stuckTimer);
    const { signal } = this.#settings;
    if (signal !== undefined) this.#engine.signals.remove(signal, this);
  }

  /** With nothing left to read, what waits behind a long item goes to idle hands. */
  #watchForStuck(): void {
    if (this.#stuckTimer !== undefined || this.#isOver) return;
    this.#stuckTimer = setTimeout(() => {
      this.#stuckTimer = undefined;
      if (this.#isOver || this.#open === 0) return;
      if (this.#engine.isStarved) this.#recallStuck();
      this.#watchForStuck();
    }, STUCK_MS);
    this.#stuckTimer.unref();
  }

  #recallStuck(): void {
    const now = performance.now();
    for (const unit of this.#engine.units()) {
      if (!(unit instanceof MapChunk) || unit.owner !== this || unit.left < 2) continue;
      if (this.#engine.isRunning(unit.slot) && now - Math.max(unit.answeredAt, unit.madeAt) > STUCK_MS) {
        this.#engine.recallItems(unit);
      }
    }
  }
}

/** A map's failure is what the task threw; where it can carry one, it has the index of the item besides. */
function markIndex(error: unknown, index: number): void {
  if (typeof error !== "object" || error === null || !Object.isExtensible(error)) return;
  Object.defineProperty(error, "taskIndex", { value: index, enumerable: false, configurable: true, writable: true });
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const one of numbers) total += one;
  return total;
}
