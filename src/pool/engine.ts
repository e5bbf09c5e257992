// The shell around the core: gives it events with the time, carries out its commands, wakes it when it asks to be woken. It knows
// values, backends and clocks, and decides nothing.
import type { Backend, BackendHost, WorkerLoss } from "../backends/backend.ts";
import type { Command } from "../core/command.ts";
import { Scheduler } from "../core/scheduler.ts";
import type { Profile } from "../core/task-table.ts";
import { fromErrorRecord } from "../protocol/error-record.ts";
import {
  BackendUnavailableError,
  ConfigError,
  NoSuchTaskError,
  NotSerializableError,
  PoolClosedError,
  TaskTimeoutError,
  UnknownTaskError,
} from "../protocol/errors.ts";
import {
  ABORT,
  CHUNK_ITEM_FAILED,
  CHUNK_ITEMS,
  DEFERRED,
  type ErrorRecord,
  FAILED,
  HELLO,
  LABEL,
  LOG,
  MEMORY,
  NOT_SERIALIZABLE,
  OUTPUT,
  PROGRESS,
  REFUSED,
  START_FAILED,
  STRAY,
  STREAM_ITEM,
  type TaskId,
  THROWN,
  UNKNOWN_TASK,
  type WorkerEvent,
  type WorkerReply,
  type WorkerRequest,
} from "../protocol/messages.ts";
import { countOf, unpack } from "../protocol/packing.ts";
import { AbortGroups } from "./abort-groups.ts";
import { Emitter } from "./emitter.ts";
import type { Outcome, PoolEvents } from "./events.ts";
import { passOn } from "./pass-on.ts";
import { Sender, type Sending } from "./sender.ts";
import type { Ending, RunFacts, Unit } from "./unit.ts";
import { type WorkerInfo, WorkerView } from "./worker-view.ts";

export interface EngineOptions {
  readonly name: string | undefined;
  readonly agingMs: number;
  readonly poisonLimit: number;
  readonly abortGraceMs: number;
  readonly graceMs: number;
}

interface Attached {
  readonly id: string;
  readonly backend: Backend;
}

/** Facts of a run, filled anew for each answer: whoever gets them keeps none. */
interface Facts {
  worker: WorkerView | undefined;
  attempt: number;
  queuedMs: number;
  runMs: number;
}

type Watcher = () => boolean;

export class Engine {
  readonly events: Emitter<PoolEvents> = new Emitter();
  readonly signals: AbortGroups = new AbortGroups();
  readonly graceMs: number;
  readonly #name: string | undefined;
  readonly #scheduler: Scheduler;
  readonly #attached: Attached[] = [];
  readonly #workers = new Map<number, WorkerView>();
  #units: (Unit | undefined)[] = [];
  readonly #series = new Map<string, number>();
  readonly #sender: Sender;
  /** Asked after each flush; the ones that answer true are done. */
  readonly #watchers = new Set<Watcher>();
  readonly #facts: Facts = { worker: undefined, attempt: 0, queuedMs: 0, runMs: 0 };
  #nextId = 1;
  #isFlushing = false;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #keepAlive: NodeJS.Timeout | undefined;
  #isKept = false;
  #operations = 0;
  #sendingTo: WorkerView | undefined;
  /** Whether some backend was given up. */
  hasFailures = false;
  done = 0;
  failed = 0;
  cancelled = 0;

  constructor(options: EngineOptions) {
    this.#name = options.name;
    this.graceMs = options.graceMs;
    this.#scheduler = new Scheduler({
      random: Math.random,
      agingMs: options.agingMs,
      poisonLimit: options.poisonLimit,
      abortGraceMs: options.abortGraceMs,
      graceMs: options.graceMs,
    });
    this.#sender = new Sender({
      onUnsendable: (sending, error) => this.#unsendable(sending, error),
      onMoved: ({ unit }) => this.#scheduler.makeFinal(unit.slot),
    });
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
    if (name === undefined) return 0;
    let number = this.#series.get(name);
    if (number === undefined) {
      number = this.#series.size + 1;
      this.#series.set(name, number);
    }
    return number;
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
    this.#units[slot] = unit;
    this.onAdded?.(unit);
    if (!this.#isScheduled) this.scheduleFlush();
  }

  /** Called for each unit that is added; undefined while nobody wants to know. */
  onAdded: ((unit: Unit) => void) | undefined;

  /** What an item of a chunk has behind it. */
  inherit(unit: Unit, attempts: number, charged: number, losses: number, isAlone: boolean): void {
    this.#scheduler.inherit(unit.slot, attempts, charged, losses, isAlone);
  }

  /** Nobody waits for the unit any more; the caller settles it. */
  cancel(unit: Unit, error: unknown): void {
    const { slot } = unit;
    const hasListeners = this.events.has("taskSettled");
    const facts = hasListeners ? this.#factsOf(slot, undefined, 0) : undefined;
    this.#scheduler.cancel(performance.now(), slot);
    this.#units[slot] = undefined;
    unit.slot = -1;
    this.cancelled++;
    if (facts !== undefined) this.#tellSettled(unit, "cancelled", error, facts);
    this.scheduleFlush();
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
    this.scheduleFlush();
  }

  /** The task must not be sent a second time. */
  makeFinal(unit: Unit): void {
    this.#scheduler.makeFinal(unit.slot);
  }

  /** Every unit that is not settled. */
  *units(): Generator<Unit> {
    for (const unit of this.#units) if (unit !== undefined) yield unit;
  }

  /** Says something to the worker that has the unit; false when none has. */
  tell(unit: Unit, toRequest: (ticket: number) => WorkerRequest): boolean {
    const sent = unit.slot >= 0 ? this.#scheduler.sentTo(unit.slot) : undefined;
    if (sent === undefined) return false;
    this.#workers.get(sent.worker)?.backend.send(sent.worker, toRequest(sent.ticket));
    return true;
  }

  /** Takes back the items of a chunk that have not begun. The unit's `event` is not told; `onBack` is, with the first item's index. */
  recallItems(unit: Unit): void {
    const sent = unit.slot >= 0 ? this.#scheduler.sentTo(unit.slot) : undefined;
    if (sent === undefined) return;
    const view = this.#workers.get(sent.worker);
    const from = view?.backend.recallItems(sent.worker, sent.ticket) ?? -1;
    if (from >= 0) unit.itemsBack?.(from);
  }

  stall(unit: Unit): void {
    if (unit.slot < 0) return;
    this.#scheduler.stall(unit.slot, performance.now());
    this.scheduleFlush();
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
    const same = this.#attached.filter((other) => other.backend.name === backend.name).length;
    const id = same === 0 ? backend.name : `${backend.name}#${same + 1}`;
    const { plan, traits } = backend;
    const index = this.#scheduler.addBackend({
      startsWorkers: traits.startsWorkers,
      sendsAhead: traits.sendsAhead,
      recalls: traits.recalls !== "never",
      size: plan.size,
      series: plan.series.map((name) => this.seriesNumber(name)),
      startTimeoutMs: plan.startTimeoutMs,
      maxTasks: plan.maxTasks,
    });
    this.#attached[index] = { id, backend };
    backend.open(this.#hostFor());
    this.scheduleFlush();
    return id;
  }

  /** The index of the backend with that id; -1 when there is none. */
  backendIndex(id: string): number {
    return this.#attached.findIndex((attached) => attached.id === id);
  }

  backendIds(): readonly string[] {
    return this.#attached.filter((_, index) => !this.#scheduler.backend(index).isRemoved).map(({ id }) => id);
  }

  /** The worker with that id; undefined when there is none. */
  workerById(id: string): WorkerView | undefined {
    for (const view of this.#workers.values()) if (view.id === id) return view;
    return undefined;
  }

  qualify(view: WorkerView, series: readonly string[]): void {
    for (const name of series) {
      view.series.add(name);
      this.#scheduler.qualify(view.key, this.seriesNumber(name));
    }
    this.scheduleFlush();
  }

  resize(index: number, size: number): void {
    const { idleMs } = this.#scheduler.backend(index).size;
    this.#scheduler.resize(performance.now(), index, { min: size, max: size, idleMs });
    this.flush();
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
    this.flush();
  }

  removeBackend(index: number): readonly WorkerView[] {
    const views = this.#scheduler.workersOf(index).map((key) => this.#workers.get(key)!);
    this.#scheduler.removeBackend(performance.now(), index);
    this.flush();
    return views;
  }

  /** What the worker has not answered. */
  unansweredOf(view: WorkerView): readonly Unit[] {
    const units: Unit[] = [];
    for (const slot of this.#scheduler.unansweredOf(view.key)) {
      const unit = this.#units[slot];
      if (unit !== undefined) units.push(unit);
    }
    return units;
  }

  killWorker(view: WorkerView): void {
    this.#scheduler.killWorker(performance.now(), view.key);
    this.flush();
  }

  isGone(view: WorkerView): boolean {
    return !this.#workers.has(view.key);
  }

  workers(): WorkerInfo[] {
    return this.#scheduler.workerKeys().map((key) => this.#info(this.#workers.get(key)!));
  }

  views(): IterableIterator<WorkerView> {
    return this.#workers.values();
  }

  /** Binds a unit to one worker: it runs before all others there, and alone. */
  addPinned(unit: Unit, view: WorkerView, profile: Profile): void {
    const slot = this.#scheduler.addPinned(performance.now(), view.key, profile);
    unit.slot = slot;
    this.#units[slot] = unit;
    this.scheduleFlush();
  }

  // ── The whole ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  pause(): void {
    this.#scheduler.pause();
    this.flush();
  }

  resume(): void {
    this.#scheduler.resume();
    this.flush();
  }

  get isPaused(): boolean {
    return this.#scheduler.isPaused;
  }

  close(): void {
    this.#scheduler.close();
    this.flush();
  }

  terminate(): void {
    this.#scheduler.terminate(performance.now());
    this.flush();
  }

  /** Releases what is left, once no worker is. */
  async release(): Promise<void> {
    clearTimeout(this.#timer);
    clearInterval(this.#keepAlive);
    this.#timer = undefined;
    this.#keepAlive = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#units = [];
    await Promise.all(this.#attached.map(({ backend }) => backend.close()));
  }

  /** Resolves when `isDone` answers true; it is asked after whatever happens. The process stays alive meanwhile if it `keepsAlive`. */
  until(isDone: () => boolean, keepsAlive = true): Promise<void> {
    return new Promise((resolve) => {
      if (isDone()) {
        resolve();
        return;
      }
      if (keepsAlive) this.#operations++;
      this.#watchers.add(() => {
        if (!isDone()) return false;
        if (keepsAlive) this.#operations--;
        resolve();
        return true;
      });
      this.#keep();
    });
  }

  scheduleFlush(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // A microtask comes after the callers whose promises were just resolved, and so gathers what they submit next.
    queueMicrotask(this.#flushScheduled);
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  /** Lets the core do what is due, and carries out what it answers. */
  flush(): void {
    if (this.#isFlushing) {
      this.scheduleFlush();
      return;
    }
    this.#isFlushing = true;
    try {
      for (let commands = this.#scheduler.takeCommands(); ; ) {
        for (const command of commands) this.#carryOut(command);
        this.#scheduler.advance(performance.now());
        commands = this.#scheduler.takeCommands();
        if (commands.length === 0) break;
      }
    } finally {
      this.#isFlushing = false;
    }
    this.#arm();
    if (this.#watchers.size > 0) for (const watcher of this.#watchers) if (watcher()) this.#watchers.delete(watcher);
    this.#keep();
  }

  #arm(): void {
    const at = this.#scheduler.nextWakeup();
    // An alarm that rings too early costs less than setting it anew each time.
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delay = Math.min(Math.max(1, at - performance.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.flush();
    }, delay);
    this.#timer.unref();
  }

  /** Pending tasks keep the process alive; an idle pool does not. */
  #keep(): void {
    const isNeeded = this.#scheduler.live > 0 || this.#operations > 0;
    if (isNeeded === this.#isKept) return;
    this.#isKept = isNeeded;
    if (isNeeded) {
      this.#keepAlive ??= setInterval(() => {}, 2 ** 31 - 1);
      this.#keepAlive.ref();
    } else this.#keepAlive?.unref();
  }

  #carryOut(command: Command): void {
    switch (command.type) {
      case "send":
        this.#send(command.worker, command.slots, command.tickets);
        break;
      case "recall":
        this.#recall(command.worker, command.tickets);
        break;
      case "settle":
        this.#settle(command);
        break;
      case "retrying":
        this.#retrying(command);
        break;
      case "started":
        this.#started(command.slot, command.worker);
        break;
      case "abort":
        this.#workers.get(command.worker)?.backend.send(command.worker, [ABORT, command.ticket]);
        break;
      case "start":
        this.#start(command.backend, command.worker);
        break;
      case "stop":
        this.#workers.get(command.worker)?.backend.stop(command.worker);
        break;
      case "kill":
        this.#workers.get(command.worker)?.backend.kill(command.worker);
        break;
      case "abandon":
        this.#down(command.worker, { cause: new Error("the worker did not end when it was killed") });
        break;
      case "backendFailed":
        this.hasFailures = true;
        this.events.emit("backendFailed", {
          backend: this.#attached[command.backend]!.id,
          error: isLostCause(command.cause) ? command.cause.view.startFailure(command.cause.loss) : command.cause,
        });
        break;
      default:
        command satisfies never;
    }
  }

  #start(backendIndex: number, key: number): void {
    const { id, backend } = this.#attached[backendIndex]!;
    const view = new WorkerView(key, `${this.#name ?? backend.name}-${key}`, id, backend);
    this.#workers.set(key, view);
    view.facts = backend.start(key, view.id);
  }

  #send(key: number, slots: readonly number[], tickets: readonly number[]): void {
    const view = this.#workers.get(key);
    if (view === undefined) return;
    const sendings: Sending[] = [];
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!;
      const unit = this.#units[slot]!;
      unit.beforeSend?.();
      sendings.push({
        unit,
        ticket: tickets[at]!,
        attempt: this.#scheduler.attemptOf(slot),
        priority: this.#scheduler.priorityOf(slot),
      });
    }
    this.#sendingTo = view;
    this.#sender.send(view.backend, key, sendings);
    this.#sendingTo = undefined;
  }

  #unsendable({ unit, ticket }: Sending, cause: unknown): void {
    const error = new NotSerializableError(`Cannot send the input of task "${unit.name}": ${messageOf(cause)}`, {
      cause,
    });
    if (unit.unsendable?.(error) === true) return;
    const view = this.#sendingTo!;
    const now = performance.now();
    const facts = this.#factsOf(unit.slot, view, 0);
    const { slot } = this.#scheduler.failed(now, view.key, ticket, 0, "permanent");
    if (slot >= 0) this.#fail(slot, error, facts, undefined);
  }

  #recall(key: number, tickets: readonly number[]): void {
    const view = this.#workers.get(key);
    if (view === undefined) return;
    const got = view.backend.recall(key, tickets);
    if (got !== undefined) this.#scheduler.recalled(performance.now(), key, tickets, got);
  }

  #started(slot: number, key: number): void {
    const unit = this.#units[slot];
    const view = this.#workers.get(key);
    if (unit === undefined || view === undefined) return;
    const attempt = this.#scheduler.attemptOf(slot);
    this.events.emit("taskStarted", { id: unit.id, name: unit.name, attempt, workerId: view.id });
  }

  #settle(command: Command & { readonly type: "settle" }): void {
    const unit = this.#units[command.slot];
    if (unit === undefined) return;
    const view = this.#workers.get(command.worker);
    const facts = this.#factsOf(command.slot, view, 0);
    const error = this.#endingError(unit, command, facts.attempt);
    this.#fail(command.slot, error, facts, { reason: command.reason, error });
  }

  #endingError(unit: Unit, command: Command & { readonly type: "settle" | "retrying" }, attempt: number): unknown {
    const what = `task "${unit.name}" (id ${String(unit.id)})`;
    switch (command.reason) {
      case "timeout":
      case "deadline": {
        const timeoutMs = unit.timeMs?.(command.reason) ?? 0;
        const since = command.reason === "timeout" ? "after it began" : "after it was added";
        return new TaskTimeoutError(`Cannot finish ${what}: it was not done ${timeoutMs} ms ${since}`, {
          taskId: unit.id,
          timeoutMs,
        });
      }
      case "lost": {
        const end = command.cause as LostCause | undefined;
        return end?.view.lostError(end.loss, { id: unit.id, name: unit.name, attempt });
      }
      case "unavailable":
        return this.unavailable(unit.name, command.cause);
      case "closed":
        return new PoolClosedError(`Cannot run ${what}: the pool was closed`);
      default:
        return command.reason satisfies never;
    }
  }

  /** The error of a task whose backends were given up. */
  unavailable(name: string, cause: unknown): BackendUnavailableError {
    const failed = this.#attached.find((_, index) => this.#scheduler.backend(index).failure?.cause === cause);
    const what = failed === undefined ? "the backend" : `${failed.id} with ${failed.backend.subject}`;
    const error = isLostCause(cause) ? cause.view.startFailure(cause.loss) : cause;
    return new BackendUnavailableError(`Cannot run task "${name}": ${what} has no worker: ${messageOf(error)}`, {
      cause: error,
    });
  }

  #retrying(command: Command & { readonly type: "retrying" }): void {
    const unit = this.#units[command.slot];
    if (unit === undefined || !this.events.has("taskRetried")) return;
    const attempt = this.#scheduler.attemptOf(command.slot);
    const error = this.#endingError(unit, command, attempt);
    this.events.emit("taskRetried", { id: unit.id, name: unit.name, attempt, error, delayMs: command.delayMs });
  }

  // ── What the backends tell ─────────────────────────────────────────────────────────────────────────────────────────────

  #hostFor(): BackendHost {
    return {
      reply: (worker, reply) => this.#reply(worker, reply),
      recalled: (worker, asked, got) => {
        this.#scheduler.recalled(performance.now(), worker, asked, got);
        this.scheduleFlush();
      },
      itemsRecalled: (worker, ticket, from) => {
        const slot = this.#scheduler.slotOf(worker, ticket);
        if (slot >= 0) this.#units[slot]?.itemsBack?.(from);
      },
      workerDown: (worker, loss) => this.#down(worker, loss),
    };
  }

  #reply(key: number, reply: WorkerReply): void {
    const view = this.#workers.get(key);
    if (view === undefined) return;
    const now = performance.now();
    const [tickets, micros, packed, events] = reply;
    const values = unpack(packed);
    if (events !== 0) for (const event of events) this.#event(view, event, now);
    const scheduler = this.#scheduler;
    const facts = this.#facts;
    const isHeard = this.events.has("taskSettled");
    for (let at = 0; at < tickets.length; at++) {
      const ticket = tickets[at]!;
      const runMs = micros[at]! / 1_000;
      // Late answers, of attempts that timed out or were cancelled, are told by their ticket and ignored here.
      const slot = scheduler.completed(now, key, ticket, runMs);
      if (slot < 0) continue;
      const unit = this.#units[slot]!;
      this.#units[slot] = undefined;
      const startedAt = scheduler.startedAt(slot);
      facts.worker = view;
      facts.attempt = scheduler.attemptOf(slot);
      facts.queuedMs = startedAt - scheduler.addedAt(slot);
      facts.runMs = runMs;
      view.done++;
      view.runMs += runMs;
      view.roundTripMs += Math.max(runMs, now - startedAt);
      if (view.label?.ticket === ticket) view.label = undefined;
      if (unit.isChunk === true) view.done--;
      else this.done++;
      unit.slot = -1;
      unit.completed(values[at], facts);
      if (isHeard) this.#tellSettled(unit, "completed", undefined, facts);
    }
    this.scheduleFlush();
  }

  #event(view: WorkerView, event: WorkerEvent, now: number): void {
    switch (event[0]) {
      case HELLO:
        this.#up(view, event[2], event[3], now);
        break;
      case START_FAILED:
        view.startError = { error: fromErrorRecord(event[1]) };
        break;
      case FAILED:
        this.#failedAttempt(view, event[1], event[2] / 1_000, event[3], event[4], now);
        break;
      case DEFERRED:
      case REFUSED:
        this.#putOff(view, event, now);
        break;
      case PROGRESS:
      case STREAM_ITEM:
      case CHUNK_ITEMS:
      case CHUNK_ITEM_FAILED:
        this.#onTheWay(view, event, now);
        break;
      case LABEL:
        if (this.#scheduler.slotOf(view.key, event[1]) >= 0) view.label = { ticket: event[1], text: event[2] };
        break;
      case MEMORY:
        view.memoryBytes = event[1];
        this.#recycleIfLarge(view, now);
        break;
      case LOG:
      case OUTPUT:
      case STRAY:
        passOn(this.events, view, event);
        break;
      default:
        event satisfies never;
    }
  }

  #up(view: WorkerView, tasks: readonly string[], memoryBytes: number, now: number): void {
    view.isUp = true;
    view.tasks = tasks;
    view.memoryBytes = memoryBytes;
    const { concurrency } = view.backend.plan;
    this.#scheduler.workerUp(now, view.key, concurrency, []);
    this.onWorkerUp?.(view);
    if (this.events.has("workerUp")) this.events.emit("workerUp", { worker: this.#info(view) });
  }

  /** Called when a worker is ready, before its first task. */
  onWorkerUp: ((view: WorkerView) => void) | undefined;

  #failedAttempt(view: WorkerView, ticket: number, runMs: number, record: ErrorRecord, how: number, now: number): void {
    const slot = this.#scheduler.slotOf(view.key, ticket);
    const facts = slot < 0 ? undefined : this.#factsOf(slot, view, runMs);
    const verdict = this.#scheduler.failed(now, view.key, ticket, runMs, how === THROWN ? "thrown" : "permanent");
    if (facts === undefined || verdict.slot < 0) return;
    view.failed++;
    view.runMs += runMs;
    view.roundTripMs += Math.max(runMs, now - this.#scheduler.startedAt(verdict.slot));
    if (view.label?.ticket === ticket) view.label = undefined;
    const unit = this.#units[verdict.slot]!;
    const error = errorOf(unit.name, record, how);
    if (verdict.retryInMs < 0) {
      this.#fail(verdict.slot, error, facts, undefined);
      return;
    }
    unit.retried?.();
    const { id, name } = unit;
    this.events.emit("taskRetried", { id, name, attempt: facts.attempt, error, delayMs: verdict.retryInMs });
  }

  /** The task asked to run later, or elsewhere. */
  #putOff(view: WorkerView, event: WorkerEvent & { readonly 0: typeof DEFERRED | typeof REFUSED }, now: number): void {
    const ticket = event[1];
    const slot = this.#scheduler.slotOf(view.key, ticket);
    if (slot < 0) {
      this.#scheduler.refused(now, view.key, ticket, 0);
      return;
    }
    const unit = this.#units[slot]!;
    if (view.label?.ticket === ticket) view.label = undefined;
    if (unit.isBound === true) {
      const facts = this.#factsOf(slot, view, 0);
      this.#scheduler.failed(now, view.key, ticket, 0, "permanent");
      this.#fail(slot, new Error(`Cannot put off a broadcast of "${unit.name}"`), facts, undefined);
    } else if (event[0] === DEFERRED) {
      this.#scheduler.deferred(now, view.key, ticket, event[2] ?? undefined, event[3]);
    } else this.#scheduler.refused(now, view.key, ticket, event[2]);
  }

  #onTheWay(
    view: WorkerView,
    event: WorkerEvent & {
      readonly 0: typeof PROGRESS | typeof STREAM_ITEM | typeof CHUNK_ITEMS | typeof CHUNK_ITEM_FAILED;
    },
    now: number,
  ): void {
    const slot = this.#scheduler.slotOf(view.key, event[1]);
    if (slot < 0) return;
    const unit = this.#units[slot]!;
    if (event[0] === CHUNK_ITEMS) {
      const ms = total(event[4]) / 1_000;
      const count = countOf(event[3]);
      this.#scheduler.progressed(now, view.key, slot, count, ms);
      view.done += count;
      this.done += count;
      view.runMs += ms;
      view.roundTripMs += ms;
    } else if (event[0] === CHUNK_ITEM_FAILED) {
      this.#scheduler.progressed(now, view.key, slot, 0, 0);
      view.failed++;
      view.runMs += event[3] / 1_000;
    } else if (event[0] === PROGRESS && this.events.has("progress")) {
      this.events.emit("progress", { id: event[2], name: unit.name, value: event[3], workerId: view.id });
    }
    unit.event?.(event, view);
  }

  #recycleIfLarge(view: WorkerView, now: number): void {
    const { maxRssMb } = view.backend.plan;
    if (maxRssMb > 0 && (view.memoryBytes ?? 0) > maxRssMb * 2 ** 20) this.#scheduler.recycle(now, view.key);
  }

  #down(key: number, loss: WorkerLoss): void {
    const view = this.#workers.get(key);
    if (view === undefined) return;
    const worker = this.#scheduler.worker(key);
    const expected = worker === undefined || worker.phase === "stopping" || worker.isDoomed;
    const cause: LostCause = { view, loss };
    this.#scheduler.workerDown(performance.now(), key, {
      cause,
      ...(loss.hasBegun === undefined ? {} : { hasBegun: loss.hasBegun }),
    });
    // Tasks that end with the worker still name it.
    this.flush();
    this.#workers.delete(key);
    if (this.events.has("workerDown")) {
      const error = expected ? {} : { error: view.downError(loss) };
      this.events.emit("workerDown", { workerId: view.id, backend: view.backendId, expected, ...error });
    }
    this.scheduleFlush();
  }

  #fail(slot: number, error: unknown, facts: RunFacts, ending: Ending | undefined): void {
    const unit = this.#units[slot]!;
    this.#units[slot] = undefined;
    unit.slot = -1;
    if (ending?.reason === "closed") this.cancelled++;
    else if (unit.isChunk !== true) this.failed++;
    unit.failed(error, facts, ending);
    this.#tellSettled(unit, ending?.reason === "closed" ? "cancelled" : "failed", error, facts);
  }

  /** An item of a chunk, which is no unit of its own, has its outcome. */
  tellItemSettled(id: TaskId, name: string, ok: boolean, error: unknown, facts: RunFacts): void {
    if (!ok) this.failed++;
    this.#emitSettled(id, name, ok ? "completed" : "failed", error, facts);
  }

  #tellSettled(unit: Unit, outcome: Outcome, error: unknown, facts: RunFacts): void {
    if (unit.isChunk !== true) this.#emitSettled(unit.id, unit.name, outcome, error, facts);
  }

  #emitSettled(id: TaskId, name: string, outcome: Outcome, error: unknown, facts: RunFacts): void {
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

  #factsOf(slot: number, worker: WorkerView | undefined, runMs: number): RunFacts {
    const scheduler = this.#scheduler;
    const startedAt = scheduler.startedAt(slot);
    const until = startedAt > 0 ? startedAt : performance.now();
    return { worker, attempt: scheduler.attemptOf(slot), queuedMs: until - scheduler.addedAt(slot), runMs };
  }

  #info(view: WorkerView): WorkerInfo {
    const worker = this.#scheduler.worker(view.key)!;
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
      if (unit.label !== undefined && this.isRunning(unit.slot)) return unit.label;
    }
    return undefined;
  }

  set reportsStarts(isWanted: boolean) {
    this.#scheduler.reportsStarts = isWanted;
  }
}

/** What the core hands back as the cause of a loss. */
interface LostCause {
  readonly view: WorkerView;
  readonly loss: WorkerLoss;
}

function isLostCause(cause: unknown): cause is LostCause {
  return typeof cause === "object" && cause !== null && Reflect.get(cause, "view") instanceof WorkerView;
}

/** The error of a failed attempt as its caller gets it. */
export function errorOf(name: string, record: ErrorRecord, how: number): unknown {
  const thrown = fromErrorRecord(record);
  if (how === UNKNOWN_TASK) return new UnknownTaskError(messageOf(thrown));
  if (how === NOT_SERIALIZABLE) {
    return new NotSerializableError(`Cannot send the result of task "${name}": ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
  return thrown;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function idOf(id: TaskId): string {
  return typeof id === "string" ? `"${id}"` : String(id);
}

function total(micros: number | readonly number[]): number {
  if (typeof micros === "number") return micros;
  let sum = 0;
  for (const one of micros) sum += one;
  return sum;
}
