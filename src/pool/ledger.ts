// What a pool has: its units by slot, its workers by key, its backends, and the counts of what became of tasks.
import type { Backend } from "../backends/backend.ts";
import type { CoreOptions } from "../core/core-state.ts";
import { Scheduler } from "../core/scheduler.ts";
import type { TaskId } from "../protocol/messages.ts";
import { Emitter } from "./emitter.ts";
import type { Outcome, PoolEvents } from "./events.ts";
import type { Ending, RunFacts, Unit } from "./unit.ts";
import type { WorkerInfo, WorkerView } from "./worker-view.ts";

/** A backend as its pool knows it. */
export interface Attached {
  readonly id: string;
  readonly backend: Backend;
}

export class Ledger {
  readonly events: Emitter<PoolEvents> = new Emitter();
  readonly scheduler: Scheduler;
  readonly attached: Attached[] = [];
  readonly workers: Map<number, WorkerView> = new Map();
  units: (Unit | undefined)[] = [];
  /** Whether some backend was given up. */
  hasFailures = false;
  done = 0;
  failed = 0;
  cancelled = 0;

  readonly #started: PoolEvents["taskStarted"][] = [];
  readonly #series = new Map<string, number>();

  constructor(options: CoreOptions) {
    this.scheduler = new Scheduler(options);
  }

  /** What the core calls the series; 0 is none. */
  seriesNumber(name: string): number {
    let number = this.#series.get(name);
    if (number === undefined) {
      number = this.#series.size + 1;
      this.#series.set(name, number);
    }
    return number;
  }

  /** Settles the unit of a slot that the core has let go. */
  fail(slot: number, error: unknown, facts: RunFacts, ending: Ending | undefined): void {
    const unit = this.units[slot]!;
    this.units[slot] = undefined;
    unit.slot = -1;
    if (ending?.reason === "closed") this.cancelled++;
    else if (unit.isChunk !== true) this.failed++;
    unit.failed(error, facts, ending);
    this.tellSettled(unit, ending?.reason === "closed" ? "cancelled" : "failed", error, facts);
  }

  /** An item of a chunk, which is no unit of its own, has its outcome. */
  tellItemSettled(id: TaskId, name: string, ok: boolean, error: unknown, facts: RunFacts): void {
    if (!ok) this.failed++;
    this.#emitSettled(id, name, ok ? "completed" : "failed", error, facts);
  }

  /** Tells the listeners what became of the unit. */
  tellSettled(unit: Unit, outcome: Outcome, error: unknown, facts: RunFacts): void {
    if (unit.isChunk !== true) this.#emitSettled(unit.id, unit.name, outcome, error, facts);
  }

  /** Whether somebody wants to know when tasks begin. */
  set reportsStarts(isWanted: boolean) {
    // Noted where it happens, told where listeners may do what they like.
    this.scheduler.onStarted = isWanted ? (slot, worker) => this.#noteStarted(slot, worker) : undefined;
  }

  #noteStarted(slot: number, key: number): void {
    const unit = this.units[slot];
    const worker = this.workers.get(key);
    if (unit === undefined || worker === undefined || unit.isChunk === true) return;
    const { id, name } = unit;
    this.#started.push({ id, name, attempt: this.scheduler.attemptOf(slot), workerId: worker.id });
  }

  /** Tells the listeners what has begun since the last call; always before what became of it. */
  tellStarted(): void {
    if (this.#started.length === 0) return;
    for (const started of this.#started.splice(0)) this.events.emit("taskStarted", started);
  }

  #emitSettled(id: TaskId, name: string, outcome: Outcome, error: unknown, facts: RunFacts): void {
    this.tellStarted();
    if (!this.events.has("taskSettled")) return;
    this.events.emit("taskSettled", {
      id,
      name,
      outcome,
      ...(outcome === "completed" ? {} : { error }),
      attempt: facts.attempt,
      ...(facts.worker === undefined ? {} : { workerId: facts.worker.id }),
      queuedMs: facts.queuedMs,
      runMs: facts.runMs,
    });
  }

  /** How the current attempt of a slot went so far. */
  factsOf(slot: number, worker: WorkerView | undefined, runMs: number): RunFacts {
    const scheduler = this.scheduler;
    const startedAt = scheduler.startedAt(slot);
    const until = startedAt > 0 ? startedAt : performance.now();
    return { worker, attempt: scheduler.attemptOf(slot), queuedMs: until - scheduler.addedAt(slot), runMs };
  }

  /** What the worker has not answered. */
  unansweredOf(view: WorkerView): readonly Unit[] {
    const units: Unit[] = [];
    for (const slot of this.scheduler.unansweredOf(view.key)) {
      const unit = this.units[slot];
      if (unit !== undefined) units.push(unit);
    }
    return units;
  }

  /** The worker as plain data. */
  info(view: WorkerView): WorkerInfo {
    const worker = this.scheduler.worker(view.key)!;
    const running = worker.running + worker.stalled;
    const label = view.label?.text ?? this.#labelOf(view);
    return {
      id: view.id,
      backend: view.backendId,
      ...view.facts,
      state:
        worker.phase === "up"
          ? worker.isEmpty
            ? "idle"
            : "busy"
          : worker.phase === "starting"
            ? "starting"
            : "stopping",
      ...(label === undefined ? {} : { label }),
      series: [...view.series],
      capacity: worker.capacity,
      running,
      sentAhead: worker.ahead,
      done: view.done,
      failed: view.failed,
      runMs: view.runMs,
      roundTripMs: view.roundTripMs,
      ...(view.memoryBytes === undefined ? {} : { memoryBytes: view.memoryBytes }),
      startedAt: view.startedAt,
      tasks: view.tasks,
    };
  }

  #labelOf(view: WorkerView): string | undefined {
    for (const unit of this.unansweredOf(view)) {
      if (unit.label !== undefined && unit.slot >= 0 && this.scheduler.isRunning(unit.slot)) return unit.label;
    }
    return undefined;
  }
}
