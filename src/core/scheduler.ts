// The scheduler as a state machine: events go in with the time they happened at, commands come out, and `nextWakeup` says when
// to look again. It knows tasks as slots, workers as keys, and neither values, nor promises, nor clocks.
import { abort, recallOrphan, tellToStop } from "./abort.ts";
import { BackendRecord, type BackendSpec, type WorkerCount } from "./backend-record.ts";
import type { Command } from "./command.ts";
import { ABORT_ALARM, BUSY_ALARM, type CoreOptions, CoreState, START_ALARM } from "./core-state.ts";
import { Coverage } from "./coverage.ts";
import { dispatch, orderBack, recall, startDue } from "./dispatch.ts";
import { Due } from "./due.ts";
import { Fleet } from "./fleet.ts";
import {
  AHEAD,
  ALONE,
  BOUND,
  DEFERRED,
  FREE,
  ONCE,
  PINNED,
  type Profile,
  QUEUED,
  RUNNING,
  STALLED,
} from "./task-table.ts";
import { Tasks } from "./tasks.ts";
import { ORPHAN, type WorkerRecord } from "./worker-record.ts";

/** A task may ask to run later this often, and not more often. */
const MIN_DEFERRAL_MS = 1;

/** What became of a failed attempt: -1 is final, otherwise the task goes again after so many milliseconds. */
export interface Verdict {
  readonly slot: number;
  readonly retryInMs: number;
}

/** How a worker came to its end. */
export interface WorkerEnd {
  readonly cause: unknown;
  /** Whether it had begun the ticket, where the backend can know. */
  readonly hasBegun?: (ticket: number) => boolean;
  /** Nothing comes in its place: its backend has one worker fewer from now on. */
  readonly isForGood?: boolean;
}

export type Failure = "thrown" | "permanent";

export class Scheduler {
  readonly #core: CoreState;
  readonly #fleet: Fleet;
  readonly #tasks: Tasks;
  readonly #coverage: Coverage;
  readonly #due: Due;

  constructor(options: CoreOptions) {
    this.#core = new CoreState(options);
    this.#fleet = new Fleet(this.#core);
    this.#tasks = new Tasks(this.#core);
    this.#coverage = new Coverage(this.#core, this.#tasks);
    this.#due = new Due(this.#core, this.#fleet, this.#tasks);
  }

  // ── What there is ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Tasks that are not settled. */
  get live(): number {
    return this.#tasks.live;
  }

  get running(): number {
    let running = 0;
    for (const worker of this.#core.workers) if (worker !== undefined) running += worker.running + worker.stalled;
    return running;
  }

  /** Tasks that no worker has begun: waiting, delayed, sent ahead. */
  get queued(): number {
    return this.#tasks.live - this.running;
  }

  get isPaused(): boolean {
    return this.#core.isPaused;
  }

  get workerCount(): number {
    return this.#fleet.size;
  }

  /** How many tasks all workers hold at once, what is sent ahead included. */
  get reach(): number {
    let reach = 0;
    for (const worker of this.#core.workers) {
      if (worker?.phase !== "up") continue;
      reach += worker.capacity + (worker.takesAhead ? worker.pace.ahead(worker.backend.spec.recalls) : 0);
    }
    return reach;
  }

  /** Tasks all workers run at once; what is starting counts as one. */
  get hands(): number {
    let hands = 0;
    for (const worker of this.#core.workers) {
      if (worker?.phase === "up" || worker?.phase === "starting") hands += worker.capacity;
    }
    return hands;
  }

  worker(key: number): WorkerRecord | undefined {
    return this.#fleet.worker(key);
  }

  backend(index: number): BackendRecord {
    return this.#core.backends[index]!;
  }

  attemptOf(slot: number): number {
    return this.#core.table.attempts[slot]!;
  }

  addedAt(slot: number): number {
    return this.#core.table.addedAt[slot]!;
  }

  startedAt(slot: number): number {
    return this.#core.table.startedAt[slot]!;
  }

  priorityOf(slot: number): number {
    return this.#core.table.priority[slot]!;
  }

  isRunning(slot: number): boolean {
    const state = this.#core.table.state[slot]!;
    return state === RUNNING || state === STALLED;
  }

  /** The ticket and worker of a task that was sent; undefined for one that was not. */
  sentTo(slot: number): { readonly worker: number; readonly ticket: number } | undefined {
    const { table, workers } = this.#core;
    const state = table.state[slot]!;
    if (state !== RUNNING && state !== AHEAD && state !== STALLED) return undefined;
    return { worker: workers[table.worker[slot]!]!.key, ticket: table.ticket[slot]! };
  }

  /** Told of each task that begins; undefined while nobody wants to know. It must not call back. */
  set onStarted(listener: ((slot: number, worker: number) => void) | undefined) {
    this.#core.onStarted = listener;
  }

  nextWakeup(): number {
    return this.#core.nextWakeup();
  }

  /** The commands that came up since the last call. */
  takeCommands(): Command[] {
    this.#tasks.commandsTaken();
    const { commands } = this.#core;
    if (commands.length === 0) return NOTHING;
    this.#core.commands = [];
    return commands;
  }

  // ── Backends and workers ───────────────────────────────────────────────────────────────────────────────────────────────

  addBackend(spec: BackendSpec): number {
    const backend = new BackendRecord(this.#core.backends.length, spec);
    this.#core.backends.push(backend);
    return backend.index;
  }

  /** Why nobody serves the series any more: the failure of a backend that did; undefined where there is no such failure. */
  failureFor(series: number): { readonly cause: unknown } | undefined {
    return this.#coverage.failureFor(series);
  }

  workerUp(now: number, key: number, capacity: number, series: Iterable<number>, takesAhead = true): void {
    const worker = this.#fleet.worker(key);
    if (worker?.phase !== "starting" || worker.isKilled) return;
    worker.phase = "up";
    worker.capacity = capacity;
    if (!takesAhead) worker.takesAhead = false;
    worker.lastAnswerAt = now;
    for (const one of series) worker.serves.add(one);
    this.#core.clearAlarm(worker, START_ALARM);
    this.#core.startAlarms.remove(worker.backend.index);
    worker.backend.startFailures = 0;
    this.#fleet.idled(worker, now);
  }

  qualify(key: number, series: number): boolean {
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return false;
    worker.serves.add(series);
    return true;
  }

  workerDown(now: number, key: number, end: WorkerEnd): void {
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return;
    const { phase } = worker;
    const { table } = this.#core;
    const suspects: number[] = [];
    const innocent: number[] = [];
    for (const slot of worker.unanswered()) {
      // A worker that was killed for another task's sake says nothing about the ones beside it.
      const isInnocent = worker.isDoomed || end.hasBegun?.(table.ticket[slot]!) === false;
      (isInnocent ? innocent : suspects).push(slot);
    }
    const pinned = worker.pinned.splice(0);
    const idleDeath =
      phase === "up" && suspects.length === 0 && innocent.length === 0 && worker.done === 0 && worker.orphans === 0;
    this.#fleet.forget(worker);
    for (const slot of innocent) {
      const hasBegun = end.hasBegun?.(table.ticket[slot]!) ?? true;
      this.#tasks.comeBack(slot, hasBegun, now, end.cause, key);
    }
    for (const slot of suspects) this.#tasks.lost(now, slot, suspects.length === 1, key, end.cause);
    for (const slot of pinned) this.#tasks.settle(slot, "lost", key, end.cause);
    if (end.isForGood === true) this.#fleet.gone(worker.backend, end.cause);
    else if (phase === "starting") this.#fleet.startFailed(worker.backend, end.cause, now);
    else if (idleDeath) this.#fleet.diedIdle(worker.backend, end.cause, now);
    if (!worker.backend.canServe) this.#coverage.settleUnserved();
  }

  /** The worker says that it cannot take tasks for a while. */
  #rest(worker: WorkerRecord, until: number): void {
    worker.busyUntil = Math.max(worker.busyUntil, until);
    this.#core.setAlarm(worker, BUSY_ALARM, worker.busyUntil);
    recall(this.#core, worker, worker.ahead);
  }

  resize(now: number, backend: number, size: WorkerCount): void {
    const record = this.#core.backends[backend]!;
    record.size = size;
    record.forgive();
    this.#fleet.plan(now);
    for (const worker of this.#core.workers) {
      if (worker?.phase === "stopping" && worker.ahead > 0) recall(this.#core, worker, worker.ahead);
    }
  }

  /** The backend may have so many workers more, or, below 0, fewer. */
  grew(now: number, index: number, by: number): void {
    const backend = this.#core.backends[index]!;
    if (backend.isRemoved) return;
    this.#fleet.grew(backend, by);
    this.#fleet.plan(now);
  }

  /** The backend can have no worker, and why, until it grows again. */
  unavailable(index: number, cause: unknown): void {
    this.#fleet.giveUp(this.#core.backends[index]!, cause);
    this.#coverage.settleUnserved();
  }

  /** Stops one worker for good: its backend is one smaller from now on. */
  stopWorker(now: number, key: number): void {
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return;
    if (worker.phase === "starting" || worker.phase === "up") {
      const { size } = worker.backend;
      const max = Math.max(0, size.max - 1);
      worker.backend.size = { ...size, max, min: Math.min(size.min, max) };
    }
    this.#stop(worker, now);
  }

  /** Stops all workers of a backend, which gets no new ones. */
  removeBackend(now: number, index: number): void {
    const backend = this.#core.backends[index]!;
    backend.isRemoved = true;
    for (const worker of this.#core.workers) if (worker?.backend === backend) this.#stop(worker, now);
  }

  /** Ends one worker now. What it has not answered goes to others, uncharged. */
  killWorker(now: number, key: number): void {
    this.stopWorker(now, key);
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return;
    worker.isDoomed = true;
    this.#core.kill(worker, now);
  }

  /** A worker that ends when it has answered what it has, and is replaced. */
  recycle(now: number, key: number): void {
    const worker = this.#fleet.worker(key);
    if (worker !== undefined) this.#stop(worker, now);
  }

  #stop(worker: WorkerRecord, now: number): void {
    if (worker.ahead > 0) recall(this.#core, worker, worker.ahead);
    this.#fleet.stop(worker, now);
  }

  workersOf(backend: number): number[] {
    const keys: number[] = [];
    for (const worker of this.#core.workers) if (worker?.backend.index === backend) keys.push(worker.key);
    return keys;
  }

  workerKeys(): number[] {
    const keys: number[] = [];
    for (const worker of this.#core.workers) if (worker !== undefined) keys.push(worker.key);
    return keys.sort((a, b) => a - b);
  }

  /** Slots of what the worker has not answered. */
  unansweredOf(key: number): number[] {
    return this.#fleet.worker(key)?.unanswered() ?? [];
  }

  // ── Tasks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Queues a task and answers its slot. */
  add(now: number, priority: number, profile: Profile): number {
    const slot = this.#tasks.allocate(now, priority, profile);
    this.#tasks.enqueue(slot);
    return slot;
  }

  /** Queues a task that may not run before `delayMs` are over. */
  addLater(now: number, priority: number, profile: Profile, delayMs: number): number {
    const slot = this.#tasks.allocate(now, priority, profile);
    this.#tasks.again(slot, now, delayMs);
    return slot;
  }

  /** A task for one worker, before all others and alone. */
  addPinned(now: number, key: number, profile: Profile): number {
    const slot = this.#tasks.allocate(now, 0, profile);
    this.#core.table.state[slot] = PINNED;
    this.#core.table.flags[slot] = ONCE | BOUND;
    const worker = this.#fleet.worker(key)!;
    this.#core.table.worker[slot] = worker.index;
    worker.pinned.push(slot);
    if (worker.ahead > 0) recall(this.#core, worker, worker.ahead);
    return slot;
  }

  /** Charges attempts that the task had elsewhere, as an item of a chunk. */
  inherit(slot: number, attempts: number, charged: number, losses: number, isAlone: boolean): void {
    const { table } = this.#core;
    table.attempts[slot] = attempts;
    table.charged[slot] = charged;
    table.losses[slot] = losses;
    if (isAlone) table.flags[slot] = table.flags[slot]! | ALONE;
  }

  /** The task must not be sent again: what it did has been seen, or its input is gone. */
  makeFinal(slot: number): void {
    this.#core.table.flags[slot] = this.#core.table.flags[slot]! | ONCE;
  }

  /** False where the task has begun. */
  setPriority(slot: number, priority: number): boolean {
    const { table, queues } = this.#core;
    const state = table.state[slot]!;
    if (state === RUNNING || state === STALLED || state === FREE) return false;
    if (state === QUEUED) queues.remove(slot);
    table.priority[slot] = priority;
    this.#tasks.rank(slot);
    if (state === QUEUED) queues.push(slot);
    if (state === AHEAD) {
      orderBack(this.#core, this.#core.workers[table.worker[slot]!]!, [table.ticket[slot]!]);
    }
    return true;
  }

  /** Nobody waits for the task any more. Its slot is free afterwards; if a worker is at it, that one is told. */
  cancel(now: number, slot: number): void {
    const { table, queues } = this.#core;
    if (table.state[slot] === FREE) return;
    switch (table.state[slot]) {
      case QUEUED:
        queues.remove(slot);
        break;
      case PINNED: {
        const { pinned } = this.#core.workers[table.worker[slot]!]!;
        pinned.splice(pinned.indexOf(slot), 1);
        break;
      }
      case AHEAD:
        recallOrphan(this.#core, slot);
        break;
      case RUNNING:
      case STALLED:
        abort(this.#core, slot, now);
        break;
      default:
    }
    this.#tasks.release(slot);
  }

  /** A value came. Answers the slot, which is free afterwards, or -1 for a late answer. */
  completed(now: number, key: number, ticket: number, ms: number, wasSent = true): number {
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return -1;
    const slot = this.#answered(worker, ticket, now, wasSent);
    if (slot < 0) return -1;
    worker.done++;
    worker.backend.idleDeaths = 0;
    if (!this.#core.table.profile[slot]!.isChunk) worker.pace.add(ms);
    this.#tasks.release(slot);
    this.#afterAnswer(worker, now);
    return slot;
  }

  /** The task threw. */
  failed(now: number, key: number, ticket: number, ms: number, failure: Failure): Verdict {
    const worker = this.#fleet.worker(key);
    const slot = worker === undefined ? -1 : this.#answered(worker, ticket, now);
    if (worker === undefined || slot < 0) return LATE;
    worker.failed++;
    worker.pace.add(ms);
    const retryInMs = failure === "permanent" ? -1 : this.#tasks.charge(slot, now);
    if (retryInMs < 0) this.#tasks.release(slot);
    this.#afterAnswer(worker, now);
    return { slot, retryInMs };
  }

  /** The task asks to run later: it goes to the back of its priority, as the same task. */
  deferred(now: number, key: number, ticket: number, priority: number | undefined, delayMs: number): number {
    const worker = this.#fleet.worker(key);
    const slot = worker === undefined ? -1 : this.#answered(worker, ticket, now);
    if (worker === undefined || slot < 0) return -1;
    const { table } = this.#core;
    // A task that puts itself off again and again would keep its worker spinning.
    const isAgain = (table.flags[slot]! & DEFERRED) !== 0 && now - table.addedAt[slot]! < MIN_DEFERRAL_MS;
    const waitMs = isAgain ? Math.max(delayMs, MIN_DEFERRAL_MS) : delayMs;
    table.flags[slot] = table.flags[slot]! | DEFERRED;
    if (priority !== undefined) table.priority[slot] = priority;
    this.#tasks.moveToEnd(slot, now);
    this.#tasks.again(slot, now, waitMs);
    this.#afterAnswer(worker, now);
    return slot;
  }

  /** The worker cannot take the task now; another may. */
  refused(now: number, key: number, ticket: number, retryAfterMs: number): number {
    const worker = this.#fleet.worker(key);
    const slot = worker === undefined ? -1 : this.#answered(worker, ticket, now);
    if (worker === undefined || slot < 0) return -1;
    this.#tasks.again(slot, now, 0);
    this.#rest(worker, now + retryAfterMs);
    this.#afterAnswer(worker, now);
    return slot;
  }

  /** The slot of an unanswered ticket, for an event on the way; -1 for a late one. */
  slotOf(key: number, ticket: number): number {
    const slot = this.#fleet.worker(key)?.slotOf(ticket) ?? -1;
    return slot < 0 ? -1 : slot;
  }

  /** Items of a chunk were answered: its clock starts anew. */
  progressed(now: number, key: number, slot: number, items: number, ms: number): void {
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return;
    worker.heard(now);
    if (items > 0) worker.pace.add(ms / items);
    const { timeoutMs } = this.#core.table.profile[slot]!;
    if (timeoutMs > 0 && this.#core.table.state[slot] === RUNNING) this.#core.taskAlarms.set(slot, now + timeoutMs);
  }

  /** The worker gave these back unbegun. What else was asked for has begun, or is answered. */
  recalled(now: number, key: number, asked: readonly number[], got: readonly number[]): void {
    const worker = this.#fleet.worker(key);
    if (worker === undefined) return;
    worker.isRecalling = false;
    const back = new Set(got);
    for (const ticket of asked) {
      const cell = worker.slotOf(ticket);
      if (cell === -1) continue;
      if (back.has(ticket)) {
        if (cell >= 0) worker.unlink(cell);
        worker.answer(ticket);
        if (cell >= 0) this.#tasks.comeBack(cell, false, now, undefined, key);
      } else if (cell === ORPHAN) tellToStop(this.#core, worker, ticket, now);
    }
    startDue(this.#core, worker, now);
    this.#afterAnswer(worker, now);
  }

  /** The reader of the stream has taken nothing for long: its worker may do other things. */
  stall(slot: number, now: number): void {
    const { table, workers } = this.#core;
    const state = table.state[slot]!;
    if (state !== RUNNING && state !== AHEAD) return;
    const worker = workers[table.worker[slot]!]!;
    if (state === AHEAD) {
      // Its values come before the answer of the task in front of it, in one message: it has begun all the same.
      table.startedAt[slot] = now;
      this.#core.onStarted?.(slot, worker.key);
    }
    this.#core.taskAlarms.remove(slot);
    worker.stall(slot);
    startDue(this.#core, worker, now);
  }

  resumeStream(slot: number, now: number): void {
    const { table, workers } = this.#core;
    if (table.state[slot] !== STALLED) return;
    workers[table.worker[slot]!]!.resume(slot);
    const { timeoutMs } = table.profile[slot]!;
    if (timeoutMs > 0) this.#core.taskAlarms.set(slot, now + timeoutMs);
  }

  // ── The whole ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  pause(): void {
    this.#core.isPaused = true;
    for (const worker of this.#core.workers) if (worker !== undefined) recall(this.#core, worker, worker.ahead);
  }

  resume(): void {
    this.#core.isPaused = false;
  }

  /** What nobody can run from now on is settled; when nothing is left the workers are stopped. */
  close(now: number): void {
    const isFirst = !this.#core.isClosing;
    if (isFirst && this.#core.backends.some(({ spec }) => spec.roomVaries)) {
      this.#core.guestsUntil = now + this.#core.options.graceMs;
    }
    this.#core.isClosing = true;
    this.#core.isPaused = false;
  }

  /** Settles all tasks and kills all workers. */
  terminate(now: number): void {
    const { table } = this.#core;
    this.#core.isClosing = true;
    for (const backend of this.#core.backends) backend.isRemoved = true;
    for (let slot = 0; slot < table.profile.length; slot++) {
      if (table.state[slot] === FREE) continue;
      this.#tasks.forgetPlace(slot);
      this.#tasks.settle(slot, "closed", -1, undefined);
    }
    for (const worker of this.#core.workers) {
      if (worker === undefined) continue;
      worker.pinned.length = 0;
      this.#core.kill(worker, now);
    }
  }

  /** Does what is due by `now` and sends what can be sent. Call it after events, and at `nextWakeup`. */
  advance(now: number): void {
    this.#due.ring(now);
    if (this.#core.isClosing) this.#wind(now);
    else {
      // What comes back later, after a retry's delay, may find nobody left to run it.
      if (this.#core.queues.size > 0 && this.#core.backends.some(isGivenUp)) this.#coverage.settleUnserved();
      this.#fleet.plan(now);
    }
    dispatch(this.#core, now);
    if (!this.#core.isClosing) return;
    for (const worker of this.#core.workers) if (worker !== undefined) this.#fleet.drainIfDone(worker, now);
  }

  #wind(now: number): void {
    if (now >= this.#core.guestsUntil) {
      this.#coverage.isPastWaiting = true;
      this.#core.guestsUntil = Number.POSITIVE_INFINITY;
    }
    this.#coverage.settleUnserved();
    if (this.#tasks.live > 0) {
      this.#fleet.plan(now);
      return;
    }
    for (const backend of this.#core.backends) backend.isRemoved = true;
    for (const worker of this.#core.workers) if (worker !== undefined) this.#fleet.stop(worker, now);
  }

  /** Takes an answered task from its worker; -1 for a late answer. */
  #answered(worker: WorkerRecord, ticket: number, now: number, wasSent = true): number {
    const slot = worker.slotOf(ticket);
    if (slot === -1) return -1;
    if (wasSent) worker.heard(now);
    if (slot <= ORPHAN) {
      worker.answer(ticket);
      // Whoever else was told to stop has the whole grace from now on.
      if (worker.aborted === 0) this.#core.clearAlarm(worker, ABORT_ALARM);
      else this.#core.setAlarm(worker, ABORT_ALARM, now + this.#core.options.abortGraceMs);
      this.#afterAnswer(worker, now);
      return -1;
    }
    worker.unlink(slot);
    worker.answer(ticket);
    if (this.#core.table.profile[slot]!.timeoutMs > 0) this.#core.taskAlarms.remove(slot);
    startDue(this.#core, worker, now);
    return slot;
  }

  #afterAnswer(worker: WorkerRecord, now: number): void {
    if (worker.count > 0 || !worker.isEmpty) return;
    worker.isExclusive = false;
    const { maxTasks } = worker.backend.spec;
    if (worker.phase === "stopping") this.#fleet.drainIfDone(worker, now);
    else if (maxTasks > 0 && worker.done + worker.failed >= maxTasks) this.#fleet.stop(worker, now);
    else this.#fleet.idled(worker, now);
  }
}

function isGivenUp(backend: BackendRecord): boolean {
  return backend.failure !== undefined;
}

const NOTHING: Command[] = [];
const LATE: Verdict = { slot: -1, retryInMs: -1 };
