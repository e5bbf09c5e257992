// The items of one map that came together: run one after another, answered in groups, each with an outcome of its own.
import type { AsyncLocalStorage } from "node:async_hooks";
import type { Claims } from "../protocol/claims.ts";
import { toErrorRecord } from "../protocol/error-record.ts";
import { CHUNK_ITEM_FAILED, CHUNK_ITEMS, type ErrorRecord, PERMANENT, THROWN } from "../protocol/messages.ts";
import type { Packer } from "../protocol/packer.ts";
import type { MaybePacked } from "../protocol/packing.ts";
import { isDeferTask, isPermanentError, isWorkerBusy } from "../protocol/throwables.ts";
import type { Outbox } from "./outbox.ts";
import { collect, isGenerator, promiseOf } from "./stream-run.ts";
import { type RunHost, TaskRun } from "./task-context.ts";
import type { TaskFunction } from "./task-module.ts";

/** Answers of a chunk do not wait longer than this. */
const GROUP_MS = 4;
/** After so long without a turn of the event loop, timers and messages get one. */
const YIELD_MS = 8;
/** Below this duration of an item the clock is read only now and then. */
const SHORT_MS = 0.1;
const CLOCK_EVERY = 16;

export interface ChunkOptions {
  readonly host: RunHost;
  readonly outbox: Outbox;
  /** Empty; its own until it ends. */
  readonly values: Packer;
  readonly claims: Claims | undefined;
  readonly context: AsyncLocalStorage<TaskRun> | undefined;
  readonly task: TaskFunction;
  /** The chunk as a whole; its id is that of the first item, the others follow. */
  readonly run: TaskRun;
  readonly inputs: ArrayLike<unknown>;
  readonly isTimed: boolean;
  readonly wantsEachMs: boolean;
  /** Called once, when no item is left. */
  readonly onEnd: () => void;
}

export class ChunkRun {
  readonly #options: ChunkOptions;
  /** The clock is read at every item. */
  readonly #isExact: boolean;
  #index = 0;
  #first = 0;
  readonly #values: Packer;
  #micros: number[] = [];
  #groupStartedAt: number;
  #itemStartedAt: number;
  #turnStartedAt: number;
  #skipped = 0;
  #current: TaskRun | undefined;
  #isAborted = false;

  constructor(options: ChunkOptions) {
    this.#options = options;
    this.#values = options.values;
    this.#isExact = options.isTimed || options.wantsEachMs;
    this.#groupStartedAt = options.run.startedAt;
    this.#itemStartedAt = options.run.startedAt;
    this.#turnStartedAt = options.run.startedAt;
  }

  /** Ends after the current item, which is told. */
  abort(): void {
    this.#isAborted = true;
    this.#current?.abort();
  }

  /** The error that nobody awaited belongs to the item that runs. */
  failCurrent(run: TaskRun, error: unknown): void {
    if (run !== this.#current) return;
    run.abort();
    this.#itemFailed(run, error);
    this.go();
  }

  /** Runs items until one takes longer than the call, or none is left. */
  go(): void {
    const { task, claims, context, run, inputs, isTimed } = this.#options;
    const { ticket, share } = run;
    const firstId = run.taskId as number;
    while (this.#index < inputs.length) {
      const index = this.#index;
      if (this.#isAborted || (claims !== undefined && !claims.claimItem(ticket, index))) break;
      if (isTimed) this.#sendAll();
      const item = new TaskRun(share, firstId + index);
      context?.enterWith(item);
      let value: unknown;
      try {
        value = task(inputs[index], item);
      } catch (error) {
        this.#itemFailed(item, error);
        continue;
      }
      if (typeof value === "object" && value !== null && this.#follow(item, value)) return;
      this.#itemCompleted(item, value);
      if (this.#isDueForTurn()) return;
    }
    this.#sendGroup(performance.now());
    this.#options.onEnd();
  }

  /** Awaits what takes longer; false for a plain value. */
  #follow(item: TaskRun, value: object): boolean {
    const promise = promiseOf(value) ?? (isGenerator(value) ? collect(value, item) : undefined);
    if (promise === undefined) return false;
    this.#current = item;
    promise.then(
      (awaited) => {
        if (item.isSettled) return;
        if (isGenerator(awaited) && this.#follow(item, awaited)) return;
        this.#itemCompleted(item, awaited);
        if (!this.#isDueForTurn()) this.go();
      },
      (error: unknown) => {
        if (item.isSettled) return;
        this.#itemFailed(item, error);
        this.go();
      },
    );
    return true;
  }

  #itemCompleted(item: TaskRun, value: unknown): void {
    item.isSettled = true;
    this.#current = undefined;
    if (!this.#values.add(value)) this.#sendAlone(value);
    else {
      this.#index++;
      if (this.#isExact || ++this.#skipped >= CLOCK_EVERY) this.#readClock();
    }
  }

  #readClock(): void {
    const now = performance.now();
    const ms = now - this.#itemStartedAt;
    if (this.#options.wantsEachMs) this.#micros.push(Math.round(ms * 1_000));
    // Long items are looked at one by one.
    this.#skipped = ms > SHORT_MS * this.#skipped ? CLOCK_EVERY : 0;
    this.#itemStartedAt = now;
    if (now - this.#groupStartedAt > GROUP_MS) {
      this.#sendGroup(now);
      this.#options.outbox.flush(now);
    }
  }

  #isDueForTurn(): boolean {
    if (this.#itemStartedAt - this.#turnStartedAt < YIELD_MS) return false;
    setImmediate(() => {
      this.#turnStartedAt = performance.now();
      this.go();
    });
    return true;
  }

  /** What may not wait leaves by itself, after what came before it. */
  #sendAlone(value: unknown): void {
    this.#sendAll();
    this.#index++;
    const now = performance.now();
    if (this.#options.wantsEachMs) this.#micros.push(Math.round((now - this.#itemStartedAt) * 1_000));
    this.#say([value], now);
    this.#options.outbox.flush(now);
    this.#itemStartedAt = now;
  }

  #sendAll(): void {
    const now = performance.now();
    this.#sendGroup(now);
    this.#options.outbox.flush(now);
  }

  #sendGroup(now: number): void {
    if (this.#values.count > 0) this.#say(this.#values.take(), now);
    this.#first = this.#index;
    this.#groupStartedAt = now;
  }

  #say(values: MaybePacked, now: number): void {
    const micros = this.#options.wantsEachMs ? this.#micros : Math.round((now - this.#groupStartedAt) * 1_000);
    this.#options.outbox.event([CHUNK_ITEMS, this.#options.run.ticket, this.#first, values, micros]);
    this.#micros = [];
    this.#first = this.#index;
    this.#groupStartedAt = now;
  }

  #itemFailed(item: TaskRun, thrown: unknown): void {
    item.isSettled = true;
    this.#current = undefined;
    const now = performance.now();
    this.#sendGroup(now);
    const micros = Math.round((now - this.#itemStartedAt) * 1_000);
    const deferral = deferralOf(thrown);
    const how = isPermanentError(thrown) ? PERMANENT : THROWN;
    const index = this.#index;
    const { outbox, run } = this.#options;
    outbox.eventWith(toErrorRecord(thrown), (record) => {
      return [CHUNK_ITEM_FAILED, run.ticket, index, micros, record as ErrorRecord, how, deferral];
    });
    this.#index++;
    this.#first = this.#index;
    this.#itemStartedAt = now;
    outbox.schedule();
  }
}

/** When an item that asks to run later, or elsewhere, wants to be tried again. */
function deferralOf(thrown: unknown): readonly [number | null, number] | null {
  if (isDeferTask(thrown)) return [thrown.priority ?? null, thrown.delayMs];
  if (isWorkerBusy(thrown)) return [null, thrown.retryAfterMs];
  return null;
}
