// A map under way: sends its inputs one by one or in chunks as they are read, and says what became of each.
import { afterChunk, afterFailure, type History, UNTRIED } from "../core/chunk-rest.ts";
import { ChunkSize } from "../core/chunk-size.ts";
import type { SettleReason } from "../core/command.ts";
import type { Profile } from "../core/task-table.ts";
import type { Abortable } from "../protocol/abort-groups.ts";
import { CHUNK_ITEM_FAILED, THROWN, type WorkerEvent } from "../protocol/messages.ts";
import type { Values } from "../protocol/packing.ts";
import type { Engine } from "./engine.ts";
import { MapReader, type MapSender } from "./map-reader.ts";
import type { MapSettings } from "./map-settings.ts";
import type { Inputs } from "./map-source.ts";
import { type ItemFacts, itemErrorOf, MapChunk, MapItem, type MapOwner } from "./map-units.ts";
import type { Ending, RunFacts, Unit } from "./unit.ts";
import type { WorkerView } from "./worker-view.ts";

/** A chunk that has not answered for so long, while hands are idle, gives back what it has not begun. */
const STUCK_MS = 15;

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

export class MapRun implements MapOwner, MapSender, Abortable {
  readonly name: string;
  readonly wantsEachMs: boolean;
  readonly timeoutMs: number;
  /** Items that were sent, or wait to be sent again. */
  open = 0;
  readonly #engine: Engine;
  readonly #settings: MapSettings;
  readonly #chunkProfile: Profile;
  readonly #sink: MapSink;
  readonly #size: ChunkSize;
  readonly #reader: MapReader;
  #sent = 0;
  #done = 0;
  #failed = 0;
  /** Items from here on do not count: one failed. */
  #end = Number.POSITIVE_INFINITY;
  #isOver = false;
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
    this.#reader = new MapReader(engine, inputs, this.#size, settings.window, this);
    if (settings.signal !== undefined) engine.signals.add(settings.signal, this);
  }

  get label(): string | undefined {
    return this.#settings.label;
  }

  /** Begins to read. */
  start(): void {
    if (!this.#isOver) this.#reader.start();
  }

  /** The caller took `count` outcomes. */
  took(count: number): void {
    this.#reader.took(count);
    if (this.#reader.isThirsty && !this.#isOver) this.#reader.fill();
  }

  /** Ends the map before its end: what waits is cancelled, what runs is let go, the source is closed. */
  stop(isAborted = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finish();
    this.#withdraw(0, isAborted);
  }

  /** Nothing after this item counts any more; what comes before it goes on, for its outcome is due first. */
  #cutOff(index: number): void {
    if (this.#isOver || index > this.#end) return;
    this.#end = index;
    this.#withdraw(index, false);
  }

  /** Takes back what has not begun, from this item on, and reads no more. */
  #withdraw(from: number, isAborted: boolean): void {
    for (const unit of this.#engine.units()) {
      if ((!(unit instanceof MapItem) && !(unit instanceof MapChunk)) || unit.owner !== this) continue;
      const next = unit instanceof MapItem ? unit.index : unit.nextIndex;
      if (next < from) continue;
      if (isAborted || !this.#engine.isRunning(unit.slot)) this.#engine.cancel(unit, this.#settings.signal?.reason);
      else if (unit instanceof MapChunk) this.#engine.recallItems(unit);
    }
    this.#reader.close();
  }

  aborted(reason: unknown): void {
    if (this.#isOver) return;
    this.stop(true);
    this.#sink.fail(reason);
  }

  // ── Sending ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  send(items: Values): void {
    if (this.#isOver) return;
    const first = this.#sent;
    this.#sent += items.length;
    this.open += items.length;
    this.#submit(items, first, this.#engine.takeIds(items.length));
  }

  allSent(): void {
    this.#watchForStuck();
    this.#endIfDone();
  }

  sourceFailed(error: unknown): void {
    this.stop();
    this.#sink.fail(error);
  }

  #submit(items: Values, first: number, firstId: number): void {
    if (first > this.#end) return;
    const { priority, profile } = this.#settings;
    if (items.length === 1) this.#engine.add(new MapItem(this, first, firstId, items[0]), priority, profile);
    else this.#engine.add(new MapChunk(this, first, firstId, items), priority, this.#chunkProfile);
  }

  // ── What becomes of the items ──────────────────────────────────────────────────────────────────────────────────────────

  itemCompleted(index: number, id: number, value: unknown, facts: ItemFacts): void {
    if (this.#size.isAdaptive) this.#size.measured(1, facts.runMs);
    if (this.#isOver) return;
    this.open--;
    this.#done++;
    this.#settled(index, id, true, value, facts);
    this.#afterAnswer();
  }

  itemFailed(index: number, id: number, error: unknown, facts: ItemFacts): void {
    if (this.#isOver) return;
    this.open--;
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
    this.open -= count;
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
      this.#again(index, id, input, { ...UNTRIED, attempts: attempt, delayMs: deferral[1] }, deferral[0]);
      return;
    }
    const error = itemErrorOf(this.name, event);
    const retry = event[5] === THROWN ? afterFailure(attempt, this.#settings.profile, Math.random) : undefined;
    if (retry !== undefined) {
      this.#again(index, id, input, retry);
      if (this.#engine.events.has("taskRetried")) {
        this.#engine.events.emit("taskRetried", { id, name: this.name, attempt, error, delayMs: retry.delayMs });
      }
      return;
    }
    this.open--;
    const facts = { worker, attempt, queuedMs: this.#engine.queuedMsOf(chunk.slot), runMs };
    this.#engine.tellItemSettled(id, this.name, false, error, facts);
    this.#fails(index, id, error, facts);
    this.#afterAnswer();
  }

  chunkEnded(chunk: MapChunk, error: unknown, facts: RunFacts, ending: Ending | undefined): void {
    if (this.#isOver) return;
    if (chunk.left > 0) this.#dealWithRest(chunk, error, facts, ending?.reason);
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

  /** The chunk is over and has not answered all its items. */
  #dealWithRest(chunk: MapChunk, error: unknown, facts: RunFacts, reason: SettleReason | undefined): void {
    const { left, nextIndex } = chunk;
    const { profile } = this.#settings;
    for (let at = 0; at < left && !this.#isOver; at++) {
      const index = nextIndex + at;
      const id = chunk.idOf(index);
      const history = afterChunk(reason, at, left, facts.attempt, profile, Math.random);
      if (history !== undefined) {
        this.#again(index, id, chunk.inputOf(index), history);
        continue;
      }
      this.open--;
      this.#engine.tellItemSettled(id, this.name, false, error, facts);
      this.#fails(index, id, error, facts);
    }
  }

  #again(index: number, id: number, input: unknown, history: History, priority: number | null = null): void {
    if (index > this.#end) return;
    const item = new MapItem(this, index, id, input);
    this.#engine.add(item, priority ?? this.#settings.priority, this.#settings.profile, history.delayMs);
    this.#engine.inherit(item, history);
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
      const { read, total } = this.#reader;
      onProgress({ done: this.#done, failed: this.#failed, read, total });
    }
    if (this.#isOver) return;
    if (this.#reader.isThirsty || this.open < this.#engine.hands) this.#reader.fill();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isOver || this.open > 0 || !this.#reader.isDone) return;
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
      if (this.#isOver || this.open === 0) return;
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
