import type { Backend } from "../backends/backend.ts";
import type { Profile } from "../core/task-table.ts";
import type { Abortable } from "../protocol/abort-groups.ts";
import { ConfigError, NoSuchTaskError, PoolClosedError } from "../protocol/errors.ts";
import type { TaskId } from "../protocol/messages.ts";
import { seriesNames, show } from "../protocol/options.ts";
import { Admission } from "./admission.ts";
import { type BroadcastResult, Broadcasts } from "./broadcast.ts";
import { type DetachedTask, detachBackend, detachWorker } from "./detach.ts";
import { Engine, idOf } from "./engine.ts";
import { EVENT_NAMES, type PoolEvents } from "./events.ts";
import { type Outcome, ResultIterator, ResultList } from "./map-results.ts";
import { MapRun } from "./map-run.ts";
import { type Inputs, isAsyncIterable, isIterable } from "./map-source.ts";
import {
  type BroadcastOptions,
  type DetachOptions,
  type GivenRun,
  type GivenRunAll,
  type ImapOptions,
  type MapOptions,
  type PoolOptions,
  type RunAllOptions,
  type RunOptions,
  readBroadcast,
  readDetach,
  readImap,
  readMap,
  readPool,
  readRun,
  readRunAll,
  readWait,
  type StreamOptions,
  type WaitOptions,
} from "./pool-options.ts";
import { readStream, StreamReader } from "./stream-reader.ts";
import { Task } from "./task.ts";
import { TaskIds } from "./task-ids.ts";
import type { AnyTasks, TaskArguments, TaskInput, TaskItem, TaskName, TaskOutput } from "./task-types.ts";
import { cancelledError, type Unit } from "./unit.ts";
import { waitFor } from "./wait-for.ts";
import type { WorkerInfo } from "./worker-view.ts";

export type PoolState = "open" | "paused" | "closing" | "closed";

/** A pool as plain numbers. */
export interface PoolSnapshot {
  readonly name: string;
  readonly state: PoolState;
  /** Tasks that no worker has begun: waiting, delayed, deferred, sent ahead. */
  readonly queued: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly workers: number;
}

/**
 * Runs the functions of a task module on the workers of one or more backends.
 *
 *     const pool = new Pool<typeof tasks>(threads(new URL("./tasks.js", import.meta.url)));
 *     const sum = await pool.run("add", [1, 2]);
 *     await pool.close();
 *
 * @typeParam M the type of the task module: `typeof import("./tasks.ts")`
 */
export class Pool<M extends object = AnyTasks> {
  readonly #engine: Engine;
  readonly #name: string;
  readonly #admission: Admission;
  readonly #ids: TaskIds;
  readonly #broadcasts: Broadcasts;
  #isTerminated = false;
  #closing: Promise<void> | undefined;

  /**
   * @param backends what has the workers; one or several
   * @throws ConfigError for a wrong option. A module that does not load makes its tasks reject instead.
   */
  constructor(backends: Backend | readonly Backend[], options?: PoolOptions) {
    const list = Array.isArray(backends) ? (backends as readonly Backend[]) : [backends as Backend];
    if (list.length === 0) throw new ConfigError("Cannot make a pool: it needs a backend, as threads(module)");
    for (const backend of list) checkBackend(backend);
    const given = readPool(options);
    this.#name = given.name ?? list[0]!.name;
    this.#engine = new Engine({
      name: given.name,
      agingMs: given.agingMs ?? 0,
      poisonLimit: given.poisonLimit ?? 3,
      abortGraceMs: given.abortGraceMs ?? 100,
      graceMs: given.graceMs ?? 5_000,
    });
    this.#admission = new Admission(this.#engine, this.#name, given);
    this.#ids = new TaskIds(this.#engine);
    this.#broadcasts = new Broadcasts(this.#engine);
    for (const backend of list) this.#engine.attach(backend);
    this.#engine.flush();
  }

  get name(): string {
    return this.#name;
  }

  /**
   * Runs one task. Never throws: what is wrong with the call rejects the task.
   *
   * @param name the exported function
   * @param input its input; copied when it is sent, so do not change it before the task settles
   * @returns the task, which is a promise of the function's value; a generator's values come as a list
   */
  run<K extends TaskName<M>>(name: K, ...[input, options]: TaskArguments<M, K, RunOptions>): Task<TaskOutput<M, K>> {
    return this.#run(name, input, options) as Task<TaskOutput<M, K>>;
  }

  #run(name: string, input: unknown, options: RunOptions | undefined): Task {
    const engine = this.#engine;
    const admission = this.#admission;
    if (options === undefined && admission.isWideOpen && typeof name === "string") {
      const task = new Task(engine, this.#ids.next(), name, input, admission.usualDetails);
      const failure = engine.hasFailures ? engine.failureFor(0) : undefined;
      if (failure === undefined) engine.add(task, 0, admission.usualProfile);
      else task.refuse(engine.unavailable(name, failure.cause));
      return task;
    }
    let task: Task | undefined;
    try {
      const given = readRun("run()", options);
      task = new Task(engine, given.id ?? this.#ids.next(), name, input, admission.details(given));
      this.#admit(task, given, options === undefined ? admission.usualProfile : admission.profile(given));
    } catch (error) {
      task ??= new Task(engine, this.#ids.next(), String(name), undefined, undefined);
      task.refuse(error);
    }
    return task;
  }

  /** @throws why the unit cannot be accepted */
  #admit(unit: Unit & Abortable, given: GivenRun, profile: Profile): void {
    this.#admission.check(unit.name, profile.series);
    if (given.id !== undefined) this.#ids.checkFree([given.id]);
    given.signal?.throwIfAborted();
    this.#add(unit, given.priority ?? 0, profile, given);
  }

  #add(unit: Unit & Abortable, priority: number, profile: Profile, { id, signal }: GivenRun | GivenRunAll): void {
    this.#engine.add(unit, priority, profile);
    if (id !== undefined) this.#ids.keep(unit);
    if (signal !== undefined) this.#engine.signals.add(signal, unit);
  }

  /**
   * Adds many tasks together, or none of them.
   *
   * @param options `priority` and `id` may be lists, one each
   * @throws ConfigError for a list of the wrong length or an id that is in use; PoolClosedError; QueueFullError
   */
  runAll<K extends TaskName<M>>(
    name: K,
    inputs: Iterable<TaskInput<M, K>>,
    options?: RunAllOptions,
  ): Task<TaskOutput<M, K>>[] {
    const given = readRunAll(options);
    if (!isIterable(inputs))
      throw new ConfigError(`Cannot run "${name}" for all: expected inputs, got ${show(inputs)}`);
    const list = [...inputs];
    const priorities = listOf(given.priority ?? 0, list.length, "priority");
    const ids = given.id === undefined ? undefined : listOf(given.id, list.length, "id");
    const ofEach: GivenRun = { ...given, priority: undefined, id: undefined, transfer: undefined };
    const profile = options === undefined ? this.#admission.usualProfile : this.#admission.profile(ofEach);
    const details = this.#admission.details(ofEach);
    this.#admission.check(name, profile.series, list.length);
    if (ids !== undefined) this.#ids.checkFree(ids);
    const engine = this.#engine;
    const tasks = list.map((input, at) => new Task(engine, ids?.[at] ?? this.#ids.next(), name, input, details));
    for (const [at, task] of tasks.entries()) {
      if (given.signal?.aborted === true) task.refuse(given.signal.reason);
      else this.#add(task, priorities[at]!, profile, given);
    }
    return tasks as Task<TaskOutput<M, K>>[];
  }

  /**
   * Runs the task for every input and resolves to the results in input order. Rejects with the first failure, which has the
   * item's `taskIndex`, and cancels what has not started; with `onError: "collect"` it gives an outcome for each input instead.
   */
  map<K extends TaskName<M>>(
    name: K,
    inputs: Inputs<TaskInput<M, K>>,
    options: MapOptions & { readonly onError: "collect" },
  ): Promise<Outcome<TaskOutput<M, K>>[]>;
  map<K extends TaskName<M>>(
    name: K,
    inputs: Inputs<TaskInput<M, K>>,
    options?: MapOptions,
  ): Promise<TaskOutput<M, K>[]>;
  map(name: string, inputs: Inputs<unknown>, options?: MapOptions): Promise<unknown[]> {
    const given = readMap(options);
    checkInputs("map()", inputs);
    const refusal = this.#admission.refusal(name, given);
    if (refusal !== undefined) return Promise.reject(refusal.error);
    const results = new ResultList(given.onError === "collect", Array.isArray(inputs) ? inputs.length : 0);
    results.begin(new MapRun(this.#engine, name, inputs, this.#admission.mapSettings(given, "at once"), results));
    return results.promise;
  }

  /**
   * Runs the task for every input, as the results are taken: reads at most `window` inputs ahead. Leaving the loop early cancels
   * what waits, silently, and closes the source.
   */
  imap<K extends TaskName<M>>(
    name: K,
    inputs: Inputs<TaskInput<M, K>>,
    options: ImapOptions & { readonly onError: "collect" },
  ): AsyncIterableIterator<Outcome<TaskOutput<M, K>>>;
  imap<K extends TaskName<M>>(
    name: K,
    inputs: Inputs<TaskInput<M, K>>,
    options?: ImapOptions,
  ): AsyncIterableIterator<TaskOutput<M, K>>;
  imap(name: string, inputs: Inputs<unknown>, options?: ImapOptions): AsyncIterableIterator<unknown> {
    const given = readImap(options);
    checkInputs("imap()", inputs);
    const results = new ResultIterator(given.ordered ?? true, given.onError === "collect");
    const refusal = this.#admission.refusal(name, given);
    if (refusal !== undefined) results.fail(refusal.error);
    else {
      const settings = this.#admission.mapSettings(given, given.ordered === false ? "at once" : "in order");
      results.attach(new MapRun(this.#engine, name, inputs, settings, results));
    }
    return results;
  }

  /**
   * Runs a generator task and gives its values as they come, as fast as they are taken. Leaving the loop early stops the
   * generator in the worker, whose `finally` runs. A task that is no generator gives its one value.
   */
  stream<K extends TaskName<M>>(
    name: K,
    ...[input, options]: TaskArguments<M, K, StreamOptions>
  ): AsyncIterableIterator<TaskItem<M, K>> {
    const given = readRun("stream()", options);
    const id = given.id ?? this.#ids.next();
    const reader = new StreamReader(this.#engine, id, name, input, this.#admission.details(given));
    try {
      this.#admit(reader, given, this.#admission.profile(given));
    } catch (error) {
      reader.refuse(error);
    }
    return readStream(reader) as AsyncIterableIterator<TaskItem<M, K>>;
  }

  /**
   * Runs the task on every worker, each when it is between tasks, and resolves to one result a present worker. Unless it is
   * `ephemeral`, every later worker runs it before its first task.
   */
  async broadcast<K extends TaskName<M>>(
    name: K,
    input?: TaskInput<M, K>,
    options?: BroadcastOptions,
  ): Promise<BroadcastResult<TaskOutput<M, K>>[]> {
    const { ephemeral } = readBroadcast(options);
    this.#admission.check(name, 0, 0);
    return (await this.#broadcasts.send(name, input, ephemeral ?? false)) as BroadcastResult<TaskOutput<M, K>>[];
  }

  /** Starts no more tasks until `resume`. Running ones go on, adding goes on. */
  pause(): void {
    if (this.#admission.isOpen) this.#engine.pause();
  }

  /** Starts tasks again. */
  resume(): void {
    this.#engine.resume();
  }

  /**
   * Resolves when nothing is queued or running, at once where nothing is. Resolves on `close`.
   *
   * @throws PoolClosedError on `terminate`; the signal's reason when it is aborted
   */
  idle(options?: WaitOptions): Promise<void> {
    const { signal } = readWait("idle()", options);
    const isIdle = (): boolean => this.#engine.live === 0 || !this.#admission.isOpen;
    return handled(
      waitFor(this.#engine, isIdle, signal, false).then(() => {
        if (this.#isTerminated)
          throw new PoolClosedError(`Cannot wait for pool "${this.#name}" to be idle: it was terminated`);
      }),
    );
  }

  /**
   * Resolves when the queue has room for a task: at once without `maxQueue`.
   *
   * @throws PoolClosedError when the pool is closed; the signal's reason when it is aborted
   */
  ready(options?: WaitOptions): Promise<void> {
    const { signal } = readWait("ready()", options);
    const hasRoom = (): boolean => !this.#admission.isOpen || this.#admission.room > 0;
    return handled(
      waitFor(this.#engine, hasRoom, signal, false).then(() => this.#admission.checkOpen("wait for room in")),
    );
  }

  /**
   * Changes how many workers a backend has, and resolves when it is so. A worker that goes finishes what it has begun.
   *
   * @param size a whole number, 0 or more
   * @param backendId which backend; may be left out where there is one
   */
  resize(size: number, backendId?: string): Promise<void> {
    return handled(this.#resize(size, backendId));
  }

  async #resize(size: number, backendId: string | undefined): Promise<void> {
    if (!Number.isInteger(size) || size < 0) {
      throw new ConfigError(
        `Cannot resize pool "${this.#name}": expected a whole number, 0 or more, got ${show(size)}`,
      );
    }
    this.#admission.checkOpen("resize");
    const index = this.#backendIndex(backendId);
    this.#engine.resize(index, size);
    await this.#engine.until(() => !this.#admission.isOpen || this.#engine.hasSettledSize(index));
  }

  #backendIndex(backendId: string | undefined): number {
    const ids = this.#engine.backendIds();
    if (backendId === undefined && ids.length === 1) return this.#engine.backendIndex(ids[0]!);
    const names = ids.map((id) => `"${id}"`).join(", ");
    if (backendId === undefined)
      throw new ConfigError(`Cannot resize pool "${this.#name}": say which backend of ${names}`);
    if (!ids.includes(backendId)) {
      throw new ConfigError(`Cannot resize backend "${backendId}": there is no such backend, but ${names}`);
    }
    return this.#engine.backendIndex(backendId);
  }

  /** Finishes what was accepted, then stops all workers and resolves when nothing is left. Safe to call twice. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#admission.state = "closing";
      this.#engine.close();
      this.#closing = handled(this.#end());
    }
    return this.#closing;
  }

  /** Stops now: what is left rejects with `PoolClosedError`, workers are killed. Resolves when nothing is left. */
  terminate(): Promise<void> {
    if (this.#admission.state !== "closed") {
      this.#admission.state = "closing";
      this.#isTerminated = true;
      this.#engine.terminate();
      this.#closing ??= handled(this.#end());
    }
    return this.#closing ?? Promise.resolve();
  }

  async #end(): Promise<void> {
    await this.#engine.until(() => this.#engine.live === 0 && this.#engine.workerCount === 0);
    this.#admission.state = "closed";
    // Who waits for the pool is told before it is gone.
    this.#engine.flush();
    await this.#engine.release();
    this.#engine.events.emit("closed", {});
    this.#engine.events.clear();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Adds a backend while the pool works. Resolves to its id. */
  attach(backend: Backend): Promise<string> {
    return handled(this.#attach(backend));
  }

  async #attach(backend: Backend): Promise<string> {
    checkBackend(backend);
    this.#admission.checkOpen("attach a backend to");
    return this.#engine.attach(backend);
  }

  /**
   * Removes a worker, or a backend with all its workers, and resolves when it is gone. What it has begun it finishes; with
   * `graceMs` (or `kill`) it is ended then, and what is unfinished runs elsewhere with `reassign`, or else rejects with
   * `TaskCancelledError` and comes back as a list.
   *
   * @param id of a worker or a backend
   */
  detach(id: string, options?: DetachOptions): Promise<DetachedTask[]> {
    return handled(this.#detach(id, options));
  }

  async #detach(id: string, options: DetachOptions | undefined): Promise<DetachedTask[]> {
    const { reassign, graceMs, kill } = readDetach(options);
    const settings = { reassign: reassign ?? false, graceMs: kill === true ? 0 : graceMs };
    const index = this.#engine.backendIndex(id);
    if (index >= 0) return detachBackend(this.#engine, index, settings);
    const worker = this.#engine.workerById(id);
    if (worker === undefined) throw new ConfigError(`Cannot detach "${id}": there is no such worker or backend`);
    return detachWorker(this.#engine, worker, settings);
  }

  /** Adds series to a worker: what waited for them may start there. @throws ConfigError where there is no such worker */
  qualify(workerId: string, series: string | readonly string[]): void {
    const names = seriesNames(series, (wanted) => {
      throw new ConfigError(`Cannot qualify worker "${workerId}": expected ${wanted}, got ${show(series)}`);
    });
    const worker = this.#engine.workerById(workerId);
    if (worker === undefined) throw new ConfigError(`Cannot qualify worker "${workerId}": there is no such worker`);
    this.#engine.qualify(worker, names);
  }

  /** Every worker as plain data; starting ones are listed too. Empty once the pool is closed. */
  workers(): WorkerInfo[] {
    return this.#engine.workers();
  }

  /** The pool as plain numbers. */
  snapshot(): PoolSnapshot {
    const engine = this.#engine;
    return {
      name: this.#name,
      state: this.#admission.isOpen && engine.isPaused ? "paused" : this.#admission.state,
      queued: engine.queued,
      running: engine.running,
      ...engine.counts,
      workers: engine.workerCount,
    };
  }

  /** Moves a queued task. @throws NoSuchTaskError where it is unknown, running or finished */
  setPriority(id: TaskId, priority: number): void {
    const unit = this.#ids.find(id);
    if (unit === undefined)
      throw new NoSuchTaskError(`Cannot set the priority of task ${idOf(id)}: there is no such task`);
    this.#engine.setPriority(unit, priority);
  }

  /** Cancels a task, queued or running. @throws NoSuchTaskError where it is unknown or finished */
  cancel(id: TaskId, reason?: unknown): void {
    const unit = this.#ids.find(id);
    if (unit === undefined) throw new NoSuchTaskError(`Cannot cancel task ${idOf(id)}: there is no such task`);
    unit.end(cancelledError(unit, reason));
  }

  /** Calls `listener` at each such event. Answers a function that takes it away again. */
  on<E extends keyof PoolEvents>(event: E, listener: (event: PoolEvents[E]) => void): () => void {
    if (!Object.hasOwn(EVENT_NAMES, event)) {
      throw new ConfigError(`Cannot listen to ${show(event)}: the events are ${Object.keys(EVENT_NAMES).join(", ")}`);
    }
    if (typeof listener !== "function") {
      throw new ConfigError(`Cannot listen to "${event}": expected a function, got ${show(listener)}`);
    }
    const off = this.#engine.events.on(event, listener);
    if (event === "taskStarted") this.#engine.reportsStarts = true;
    return off;
  }

  /** Takes a listener away. */
  off<E extends keyof PoolEvents>(event: E, listener: (event: PoolEvents[E]) => void): void {
    this.#engine.events.off(event, listener);
    if (event === "taskStarted") this.#engine.reportsStarts = this.#engine.events.has("taskStarted");
  }
}

function checkBackend(backend: unknown): void {
  const isBackend =
    typeof backend === "object" &&
    backend !== null &&
    typeof Reflect.get(backend, "open") === "function" &&
    "traits" in backend;
  if (!isBackend)
    throw new ConfigError(
      `Cannot use ${show(backend)} as a backend: expected what threads(), processes() or inline() give`,
    );
}

function checkInputs(what: string, inputs: unknown): void {
  if (isIterable(inputs) || isAsyncIterable(inputs)) return;
  throw new ConfigError(`Cannot read the inputs of ${what}: expected an iterable, got ${show(inputs)}`);
}

function listOf<T>(given: T | readonly T[], length: number, option: string): readonly T[] {
  if (!Array.isArray(given)) return new Array<T>(length).fill(given as T);
  if (given.length !== length) {
    throw new ConfigError(
      `Cannot use option "${option}" of runAll(): expected ${length}, one for each input, got ${given.length}`,
    );
  }
  return given as readonly T[];
}

/** A promise that nobody awaits is no unhandled rejection. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
