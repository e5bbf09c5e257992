// The door of a pool: whether a task may come in, and as what. Knows the pool's options and state, and adds no task.
import type { Profile } from "../core/task-table.ts";
import { ConfigError, PoolClosedError, QueueFullError } from "../protocol/errors.ts";
import { show } from "../protocol/options.ts";
import type { Engine } from "./engine.ts";
import type { MapSettings } from "./map-settings.ts";
import { type GivenCommon, type GivenMap, type GivenPool, type GivenRun, readRun } from "./pool-options.ts";
import type { TaskDetails } from "./task.ts";

const DEFAULT_RETRY_DELAY_MS = 100;
const NO_OPTIONS: GivenRun = readRun("run()", undefined);

export class Admission {
  /** Of all tasks that were given no options of their own. */
  readonly usualProfile: Profile;
  /** As above. */
  readonly usualDetails: TaskDetails | undefined;
  state: "open" | "closing" | "closed" = "open";
  readonly #engine: Engine;
  readonly #name: string;
  readonly #options: GivenPool;

  constructor(engine: Engine, name: string, options: GivenPool) {
    this.#engine = engine;
    this.#name = name;
    this.#options = options;
    this.usualProfile = this.profile(NO_OPTIONS);
    this.usualDetails = this.details(NO_OPTIONS);
  }

  get isOpen(): boolean {
    return this.state === "open";
  }

  /** Nothing but a failed backend keeps a task out that has a name, and no options. */
  get isWideOpen(): boolean {
    return this.isOpen && this.#options.maxQueue === undefined;
  }

  /**
   * @param series a number of the engine's
   * @param count tasks that want a place in the queue; 0 for what waits outside
   * @throws ConfigError, PoolClosedError, QueueFullError or BackendUnavailableError: why the tasks cannot be accepted
   */
  check(name: unknown, series: number, count = 1): void {
    if (typeof name !== "string") throw new ConfigError(`Cannot run a task: expected its name, got ${show(name)}`);
    this.checkOpen(`run task "${name}" in`);
    if (count > 0 && this.room < count) {
      throw new QueueFullError(
        `Cannot run task "${name}": the queue of pool "${this.#name}" has room for ${Math.max(0, this.room)} of ${this.#options.maxQueue} tasks`,
      );
    }
    const failure = this.#engine.hasFailures ? this.#engine.failureFor(series) : undefined;
    if (failure !== undefined) throw this.#engine.unavailable(name, failure.cause);
  }

  /** Why a map cannot begin; undefined where it can. */
  refusal(name: string, given: GivenMap): { readonly error: unknown } | undefined {
    if (given.signal?.aborted === true) return { error: given.signal.reason };
    try {
      this.check(name, this.#engine.seriesNumber(given.series), 0);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  /** How many more tasks the queue takes; less than 0 where more wait than may. */
  get room(): number {
    const { maxQueue } = this.#options;
    if (maxQueue === undefined) return Number.POSITIVE_INFINITY;
    // What free hands take at once does not wait.
    const free = this.#engine.isPaused ? 0 : Math.max(0, this.#engine.hands - this.#engine.running);
    return maxQueue + free - this.#engine.queued;
  }

  /** @throws PoolClosedError which says that `what` cannot be done */
  checkOpen(what: string): void {
    if (!this.isOpen) throw new PoolClosedError(`Cannot ${what} pool "${this.#name}": it is ${this.state}`);
  }

  details(given: GivenRun): TaskDetails | undefined {
    const timeoutMs = given.timeoutMs ?? this.#options.timeoutMs ?? 0;
    const deadlineMs = given.deadlineMs ?? 0;
    const { transfer, signal, label } = given;
    if (timeoutMs === 0 && deadlineMs === 0 && transfer === undefined && signal === undefined && label === undefined)
      return undefined;
    return { transferList: transfer, signal, label, timeoutMs, deadlineMs };
  }

  profile(given: GivenCommon & Partial<Pick<GivenRun, "deadlineMs" | "transfer">>): Profile {
    const options = this.#options;
    // What has moved is not here to be sent again.
    const atMostOnce = given.transfer !== undefined || (given.atMostOnce ?? options.atMostOnce ?? false);
    return {
      series: given.series === undefined ? 0 : this.#engine.seriesNumber(given.series),
      retries: atMostOnce ? 0 : (given.retries ?? options.retries ?? -1),
      retryDelayMs: given.retryDelayMs ?? options.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS,
      timeoutMs: given.timeoutMs ?? options.timeoutMs ?? 0,
      deadlineMs: given.deadlineMs ?? 0,
      atMostOnce,
      isChunk: false,
    };
  }

  /** @param stopsAtFailure where the caller does not collect failures */
  mapSettings(given: GivenMap, stopsAtFailure: "at once" | "in order"): MapSettings {
    return {
      priority: given.priority ?? 0,
      profile: this.profile(given),
      label: given.label,
      signal: given.signal,
      chunkSize: given.chunkSize === undefined || given.chunkSize === "auto" ? 0 : given.chunkSize,
      window: given.window ?? 0,
      stopsAtFailure: given.onError === "collect" ? "never" : stopsAtFailure,
      onSettled: given.onSettled,
      onProgress: given.onProgress,
    };
  }
}
