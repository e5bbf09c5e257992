// The shell around the core: gives it events with the time, carries out its commands, wakes it when it asks to be woken. It knows
// values, backends and clocks, and decides nothing.
import type { Backend } from "../backends/backend.ts";
import type { History } from "../core/chunk-rest.ts";
import type { Scheduler } from "../core/scheduler.ts";
import type { Profile } from "../core/task-table.ts";
import { AbortGroups } from "../protocol/abort-groups.ts";
import { type BackendUnavailableError, ConfigError, NoSuchTaskError } from "../protocol/errors.ts";
import type { TaskId, WorkerRequest } from "../protocol/messages.ts";
import { CommandRunner } from "./command-runner.ts";
import type { Emitter } from "./emitter.ts";
import { unavailable } from "./endings.ts";
import type { PoolEvents } from "./events.ts";
import { Inbox } from "./inbox.ts";
import { Ledger } from "./ledger.ts";
import { Pulse } from "./pulse.ts";
import type { RunFacts, Unit } from "./unit.ts";
import type { WorkerInfo, WorkerView } from "./worker-view.ts";

export interface EngineOptions {
  readonly name: string | undefined;
  readonly agingMs: number;
  readonly poisonLimit: number;
  readonly abortGraceMs: number;
  readonly graceMs: number;
}

export class Engine {
  readonly events: Emitter<PoolEvents>;
  readonly signals: AbortGroups = new AbortGroups();
  readonly graceMs: number;
  readonly #ledger: Ledger;
  readonly #scheduler: Scheduler;
  readonly #pulse: Pulse;
  readonly #inbox: Inbox;
  #nextId = 1;

  constructor(options: EngineOptions) {
    this.graceMs = options.graceMs;
    this.#ledger = new Ledger({ ...options, random: Math.random });
    this.#scheduler = this.#ledger.scheduler;
    this.events = this.#ledger.events;
    this.#pulse = new Pulse(this.#scheduler, (command) => commands.carryOut(command));
    this.#inbox = new Inbox(this.#ledger, this.#pulse);
    const commands = new CommandRunner(this.#ledger, this.#inbox, options.name);
  }

  /** Tasks by outcome, since the pool began. */
  get counts(): { readonly done: number; readonly failed: number; readonly cancelled: number } {
    const { done, failed, cancelled } = this.#ledger;
    return { done, failed, cancelled };
  }

  /** Whether some backend was given up. */
  get hasFailures(): boolean {
    return this.#ledger.hasFailures;
  }

  // ── Tasks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  get live(): number {
    return this.#scheduler.live;
  }

  get queued(): number {
    return this.#scheduler.queued;
  }

  get running(): number {
    return this.#scheduler.running;
  }

  get reach(): number {
    return this.#scheduler.reach;
  }

  get hands(): number {
    return this.#scheduler.hands;
  }

  get workerCount(): number {
    return this.#scheduler.workerCount;
  }

  /** Reserves ids for `count` tasks and answers the first. */
  takeIds(count: number): number {
    const first = this.#nextId;
    this.#nextId += count;
    return first;
  }

  seriesNumber(name: string | undefined): number {
    return name === undefined ? 0 : this.#ledger.seriesNumber(name);
  }

  /** Why no task of the series can run; undefined when one can, or may later. */
  failureFor(series: number): { readonly cause: unknown } | undefined {
    return this.#scheduler.failureFor(series);
  }

  add(unit: Unit, priority: number, profile: Profile, delayMs = 0): void {
    const now = performance.now();
    const slot =
      delayMs > 0
        ? this.#scheduler.addLater(now, priority, profile, delayMs)
        : this.#scheduler.add(now, priority, profile);
    unit.slot = slot;
    this.#ledger.units[slot] = unit;
    this.onAdded?.(unit);
    this.#pulse.schedule();
  }

  /** Called for each unit that is added; undefined while nobody wants to know. */
  onAdded: ((unit: Unit) => void) | undefined;

  /** What an item of a chunk has behind it. */
  inherit(unit: Unit, { attempts, charged, losses, isAlone }: History): void {
    this.#scheduler.inherit(unit.slot, attempts, charged, losses, isAlone);
  }

  /** Nobody waits for the unit any more; the caller settles it. */
  cancel(unit: Unit, error: unknown): void {
    const { slot } = unit;
    const hasListeners = this.events.has("taskSettled");
    const facts = hasListeners ? this.#ledger.factsOf(slot, undefined, 0) : undefined;
    this.#scheduler.cancel(performance.now(), slot);
    this.#ledger.units[slot] = undefined;
    unit.slot = -1;
    this.#ledger.cancelled++;
    if (facts !== undefined) this.#ledger.tellSettled(unit, "cancelled", error, facts);
    this.#pulse.schedule();
  }

  isRunning(slot: number): boolean {
    return slot >= 0 && this.#scheduler.isRunning(slot);
  }

  /** How long the unit waited before it began. */
  queuedMsOf(slot: number): number {
    return Math.max(0, this.#scheduler.startedAt(slot) - this.#scheduler.addedAt(slot));
  }

  attemptOf(slot: number): number {
    return this.#scheduler.attemptOf(slot);
  }

  setPriority(unit: Unit, priority: number): void {
    if (typeof priority !== "number" || Number.isNaN(priority)) {
      throw new ConfigError(
        `Cannot set the priority of task ${String(unit.id)}: expected a number, got ${String(priority)}`,
      );
    }
    if (unit.slot < 0 || !this.#scheduler.setPriority(unit.slot, priority)) {
      throw new NoSuchTaskError(`Cannot set the priority of task ${String(unit.id)}: it is not queued any more`);
    }
    this.#pulse.schedule();
  }

  /** The task must not be sent a second time. */
  makeFinal(unit: Unit): void {
    this.#scheduler.makeFinal(unit.slot);
  }

  /** Every unit that is not settled. */
  *units(): Generator<Unit> {
    for (const unit of this.#ledger.units) if (unit !== undefined) yield unit;
  }

  /** Says something to the worker that has the unit; false when none has. */
  tell(unit: Unit, toRequest: (ticket: number) => WorkerRequest): boolean {
    const sent = unit.slot >= 0 ? this.#scheduler.sentTo(unit.slot) : undefined;
    if (sent === undefined) return false;
    this.#ledger.workers.get(sent.worker)?.backend.send(sent.worker, toRequest(sent.ticket));
    return true;
  }

  /** Takes back the items of a chunk that have not begun. The unit's `event` is not told; `onBack` is, with the first item's index. */
  recallItems(unit: Unit): void {
    const sent = unit.slot >= 0 ? this.#scheduler.sentTo(unit.slot) : undefined;
    if (sent === undefined) return;
    const view = this.#ledger.workers.get(sent.worker);
    const from = view?.backend.recallItems(sent.worker, sent.ticket) ?? -1;
    if (from >= 0) unit.itemsBack?.(from);
  }

  stall(unit: Unit): void {
    if (unit.slot < 0) return;
    this.#scheduler.stall(unit.slot, performance.now());
    this.#pulse.schedule();
  }

  resumeStream(unit: Unit): void {
    if (unit.slot >= 0) this.#scheduler.resumeStream(unit.slot, performance.now());
  }

  /** Whether a worker has free hands and nothing waits for them. */
  get isStarved(): boolean {
    return this.#scheduler.live < this.#scheduler.hands;
  }

  // ── Workers and backends ───────────────────────────────────────────────────────────────────────────────────────────────

  attach(backend: Backend): string {
    const same = this.#ledger.attached.filter((other) => other.backend.name === backend.name).length;
    const id = same === 0 ? backend.name : `${backend.name}#${same + 1}`;
    const { plan, traits } = backend;
    const index = this.#scheduler.addBackend({
      sendsAhead: traits.sendsAhead,
      recalls: traits.recalls !== "never",
      roomVaries: traits.roomVaries,
      size: plan.size,
      series: plan.series.map((name) => this.seriesNumber(name)),
      startTimeoutMs: plan.startTimeoutMs,
      maxTasks: plan.maxTasks,
    });
    this.#ledger.attached[index] = { id, backend };
    backend.open(this.#inbox.host(index));
    this.#pulse.schedule();
    return id;
  }

  /** The index of the backend with that id; -1 when there is none. */
  backendIndex(id: string): number {
    return this.#ledger.attached.findIndex((attached) => attached.id === id);
  }

  backendIds(): readonly string[] {
    return this.#ledger.attached.filter((_, index) => !this.#scheduler.backend(index).isRemoved).map(({ id }) => id);
  }

  /** The worker with that id; undefined when there is none. */
  workerById(id: string): WorkerView | undefined {
    for (const view of this.#ledger.workers.values()) if (view.id === id) return view;
    return undefined;
  }

  qualify(view: WorkerView, series: readonly string[]): void {
    for (const name of series) {
      view.series.add(name);
      this.#scheduler.qualify(view.key, this.seriesNumber(name));
    }
    this.#pulse.schedule();
  }

  resize(index: number, size: number): void {
    const { idleMs } = this.#scheduler.backend(index).size;
    this.#scheduler.resize(performance.now(), index, { min: size, max: size, idleMs });
    this.#pulse.flush();
  }

  /** Whether the backend has as many workers as it should, all of them up, or will never have. */
  hasSettledSize(index: number): boolean {
    const backend = this.#scheduler.backend(index);
    if (backend.failure !== undefined) return true;
    if (backend.live !== backend.size.max) return false;
    return this.#scheduler.workersOf(index).every((key) => this.#scheduler.worker(key)?.phase === "up");
  }

  stopWorker(view: WorkerView): void {
    this.#scheduler.stopWorker(performance.now(), view.key);
    this.#pulse.flush();
  }

  removeBackend(index: number): readonly WorkerView[] {
    const views = this.#scheduler.workersOf(index).map((key) => this.#ledger.workers.get(key)!);
    this.#scheduler.removeBackend(performance.now(), index);
    this.#pulse.flush();
    return views;
  }

  killWorker(view: WorkerView): void {
    this.#scheduler.killWorker(performance.now(), view.key);
    this.#pulse.flush();
  }

  isGone(view: WorkerView): boolean {
    return !this.#ledger.workers.has(view.key);
  }

  workers(): WorkerInfo[] {
    return this.#scheduler.workerKeys().map((key) => this.#ledger.info(this.#ledger.workers.get(key)!));
  }

  views(): IterableIterator<WorkerView> {
    return this.#ledger.workers.values();
  }

  /** Binds a unit to one worker: it runs before all others there, and alone. */
  addPinned(unit: Unit, view: WorkerView, profile: Profile): void {
    const slot = this.#scheduler.addPinned(performance.now(), view.key, profile);
    unit.slot = slot;
    this.#ledger.units[slot] = unit;
    this.#pulse.schedule();
  }

  // ── The whole ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  pause(): void {
    this.#scheduler.pause();
    this.#pulse.flush();
  }

  resume(): void {
    this.#scheduler.resume();
    this.#pulse.flush();
  }

  get isPaused(): boolean {
    return this.#scheduler.isPaused;
  }

  close(): void {
    this.#scheduler.close(performance.now());
    this.#pulse.flush();
  }

  terminate(): void {
    this.#scheduler.terminate(performance.now());
    this.#pulse.flush();
  }

  /** Releases what is left, once no worker is. */
  async release(): Promise<void> {
    this.#ledger.units = [];
    // What a backend waits for need not keep the process alive; who awaits this has to see its end.
    await this.#pulse.stop(Promise.all(this.#ledger.attached.map(({ backend }) => backend.close())));
  }

  /** Called when a worker is ready, before its first task. */
  set onWorkerUp(greet: (view: WorkerView) => void) {
    this.#inbox.onWorkerUp = greet;
  }

  scheduleFlush(): void {
    this.#pulse.schedule();
  }

  flush(): void {
    this.#pulse.flush();
  }

  until(isDone: () => boolean, keepsAlive = true): Promise<void> {
    return this.#pulse.until(isDone, keepsAlive);
  }

  /** The error of a task whose backends were given up. */
  unavailable(name: string, cause: unknown): BackendUnavailableError {
    return unavailable(this.#ledger, name, cause);
  }

  unansweredOf(view: WorkerView): readonly Unit[] {
    return this.#ledger.unansweredOf(view);
  }

  /** An item of a chunk, which is no unit of its own, has its outcome. */
  tellItemSettled(id: TaskId, name: string, ok: boolean, error: unknown, facts: RunFacts): void {
    this.#ledger.tellItemSettled(id, name, ok, error, facts);
  }

  set reportsStarts(isWanted: boolean) {
    this.#ledger.reportsStarts = isWanted;
  }
}

export function idOf(id: TaskId): string {
  return typeof id === "string" ? `"${id}"` : String(id);
}
