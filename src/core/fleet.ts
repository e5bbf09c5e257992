// How many workers each backend should have now: starts, replacements, growth with demand, giving up on what never comes up.

import type { BackendRecord } from "./backend-record.ts";
import { backoff } from "./backoff.ts";
import { type CoreState, IDLE_ALARM, START_ALARM, STOP_ALARM } from "./core-state.ts";
import { WorkerRecord } from "./worker-record.ts";

/** So many failed starts, or idle deaths, in a row, and a backend is given up. */
const FAILURE_LIMIT = 3;
const RESTART_MS = 100;

export class Fleet {
  #nextKey = 1;
  readonly #core: CoreState;
  readonly #byKey = new Map<number, WorkerRecord>();

  constructor(core: CoreState) {
    this.#core = core;
  }

  get size(): number {
    return this.#byKey.size;
  }

  worker(key: number): WorkerRecord | undefined {
    return this.#byKey.get(key);
  }

  /** A worker that exists from now on, in phase "starting". */
  admit(backend: BackendRecord): WorkerRecord {
    const { workers, table } = this.#core;
    let index = workers.indexOf(undefined);
    if (index < 0) index = workers.length;
    const worker = new WorkerRecord({ key: this.#nextKey++, index, backend }, table);
    workers[index] = worker;
    this.#byKey.set(worker.key, worker);
    backend.live++;
    return worker;
  }

  forget(worker: WorkerRecord): void {
    if (worker.phase === "starting" || worker.phase === "up") worker.backend.live--;
    worker.phase = "down";
    this.#core.clearAlarms(worker);
    this.#core.workers[worker.index] = undefined;
    this.#byKey.delete(worker.key);
  }

  /** Starts and stops workers until each backend has what it should. */
  plan(now: number): void {
    for (const backend of this.#core.backends) {
      if (backend.isRemoved) continue;
      const wanted = this.#wanted(backend);
      if (backend.live > wanted) this.#shrink(backend, backend.live - wanted, now);
      while (backend.live < wanted && backend.failure === undefined) {
        if (backend.nextStartAt > now) {
          this.#core.startAlarms.set(backend.index, backend.nextStartAt);
          break;
        }
        // After a failure one start at a time, until one comes up.
        if (backend.startFailures > 0 && this.#isStarting(backend)) break;
        const worker = this.admit(backend);
        if (backend.spec.startTimeoutMs > 0)
          this.#core.setAlarm(worker, START_ALARM, now + backend.spec.startTimeoutMs);
        this.#core.commands.push({ type: "start", backend: backend.index, worker: worker.key });
      }
    }
  }

  /** Takes no more tasks, finishes what it has begun, then ends. */
  stop(worker: WorkerRecord, now: number): void {
    if (worker.phase === "starting") {
      worker.backend.live--;
      worker.phase = "stopping";
      worker.isDraining = true;
      this.#core.kill(worker, now);
    } else if (worker.phase === "up") {
      worker.backend.live--;
      worker.phase = "stopping";
      this.drainIfDone(worker, now);
    }
  }

  /** Lets a stopping worker go once it has answered everything. */
  drainIfDone(worker: WorkerRecord, now: number): void {
    if (worker.phase !== "stopping" || worker.isDraining || !worker.isEmpty || worker.pinned.length > 0) return;
    worker.isDraining = true;
    this.#core.commands.push({ type: "stop", worker: worker.key });
    this.#core.setAlarm(worker, STOP_ALARM, now + this.#core.options.graceMs);
  }

  /** A start failed. Several that fail together count once, so that a bad moment is not taken for a broken module. */
  startFailed(backend: BackendRecord, cause: unknown, now: number): void {
    if (now < backend.nextStartAt) return;
    backend.startFailures++;
    this.#backOff(backend, backend.startFailures, cause, now);
  }

  /** A worker died without having had anything to do. */
  diedIdle(backend: BackendRecord, cause: unknown, now: number): void {
    if (now < backend.nextStartAt) return;
    backend.idleDeaths++;
    this.#backOff(backend, backend.idleDeaths, cause, now);
  }

  /** A worker is gone, and its place with it. A backend without a place is given up. */
  gone(backend: BackendRecord, cause: unknown): void {
    const { size } = backend;
    const max = Math.max(0, size.max - 1);
    backend.size = { ...size, max, min: Math.min(size.min, max) };
    if (max === 0 && backend.live === 0 && !backend.spec.roomVaries) this.giveUp(backend, cause);
  }

  /** There is room for more workers, or, below 0, for fewer. By 0 there is none, and yet some may be had again. */
  grew(backend: BackendRecord, by: number): void {
    const { size } = backend;
    backend.size = { ...size, min: Math.max(0, size.min + by), max: Math.max(0, size.max + by) };
    if (by >= 0) backend.forgive();
  }

  /** Nothing is to be had from the backend any more. */
  giveUp(backend: BackendRecord, cause: unknown): void {
    if (backend.failure !== undefined) return;
    backend.failure = { cause };
    this.#core.commands.push({ type: "backendFailed", backend: backend.index, cause });
  }

  #backOff(backend: BackendRecord, failures: number, cause: unknown, now: number): void {
    backend.nextStartAt = now + backoff(failures, RESTART_MS, this.#core.options.random);
    if (failures >= FAILURE_LIMIT) this.giveUp(backend, cause);
  }

  #wanted(backend: BackendRecord): number {
    const { min, max } = backend.size;
    if (min === max) return max;
    let busy = 0;
    for (const worker of this.#core.workers) {
      if (worker?.backend === backend && (worker.phase === "starting" || worker.phase === "up") && !worker.isEmpty)
        busy++;
    }
    let waiting = 0;
    // What may not start yet is no demand.
    if (!this.#core.isPaused) for (const series of backend.serves) waiting += this.#core.queues.sizeOf(series);
    const wanted = Math.max(min, Math.min(max, busy + waiting));
    // Growing follows demand; shrinking waits until a worker has idled long enough.
    return Math.min(max, Math.max(wanted, backend.live));
  }

  #shrink(backend: BackendRecord, surplus: number, now: number): void {
    const candidates = this.#core.workers.filter(
      (worker): worker is WorkerRecord =>
        worker?.backend === backend && (worker.phase === "starting" || worker.phase === "up"),
    );
    // Newcomers first, then the ones with the least to do.
    candidates.sort((a, b) => rank(a) - rank(b) || a.count + a.stalled - b.count - b.stalled || b.key - a.key);
    for (const worker of candidates.slice(0, surplus)) this.stop(worker, now);
  }

  #isStarting(backend: BackendRecord): boolean {
    return this.#core.workers.some((worker) => worker?.backend === backend && worker.phase === "starting");
  }

  /** The worker has nothing to do: above the minimum it may go after a while. */
  idled(worker: WorkerRecord, now: number): void {
    if (worker.backend.isElastic && worker.phase === "up") {
      this.#core.setAlarm(worker, IDLE_ALARM, now + worker.backend.size.idleMs);
    }
  }

  retireIfIdle(worker: WorkerRecord, now: number): void {
    if (worker.phase === "up" && worker.isEmpty && worker.backend.live > worker.backend.size.min)
      this.stop(worker, now);
  }
}

function rank(worker: WorkerRecord): number {
  return worker.phase === "starting" ? 0 : 1;
}
