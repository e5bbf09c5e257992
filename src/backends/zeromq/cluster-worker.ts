// Answers requests of ventilators, and keeps each result until the sink has it.

import { hostname } from "node:os";
import { toErrorRecord } from "../../protocol/error-record.ts";
import { PoolClosedError, type ProtocolError, ReceiveTimeoutError } from "../../protocol/errors.ts";
import type { JsonObject } from "../../protocol/session/json-body.ts";
import { Client, type ClientSettings, type Peer } from "./client.ts";
import { type ClusterWorkerOptions, readWorkerOptions } from "./cluster-worker-options.ts";
import { CommandReceiver } from "./command-receiver.ts";
import { loadEngine } from "./engine.ts";
import type { PingReply } from "./records.ts";
import { Request } from "./request.ts";
import { ResultOutbox } from "./result-outbox.ts";
import { Appetite, STUCK_MS } from "./roles/appetite.ts";
import { Backlog } from "./roles/backlog.ts";
import { type Assignment, readTasks, writeReport } from "./roles/messages.ts";
import { Source } from "./roles/source.ts";
import { DEFAULT_HEARTBEAT_MS, DEFAULT_LEASE_MS, warner } from "./settings.ts";
import { Exit, exitOf, type WorkerExit } from "./worker-exit.ts";

type Held = Assignment<Source<Peer>>;

/** So long it works before it looks at its sockets. */
const SLICE_MS = 5;
const GOODBYE_MS = 1_000;

/** The middle of a pipeline: see docs/guides/cluster-zeromq.md. */
export class ClusterWorker<I = unknown> {
  /** What it calls itself. */
  readonly id: string;
  readonly #options: ReturnType<typeof readWorkerOptions>;
  readonly #warn: (error: ProtocolError) => void;
  readonly #startedAt = new Date().toISOString();
  readonly #abort = new AbortController();
  readonly #appetite: Appetite;
  readonly #sources = new Map<Peer, Source<Peer>>();
  readonly #backlog = new Backlog<Source<Peer>>();
  #running = 0;
  #requests: Client | undefined;
  #results: ResultOutbox | undefined;
  #commands: CommandReceiver | undefined;
  #opening: Promise<void> | undefined;
  #exit: Exit | undefined;
  #ending: Promise<void> | undefined;
  #isStopping = false;
  #isOver = false;
  #isPumpPlanned = false;
  #isFlushPlanned = false;
  #stuckTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #wakeStopping: () => void = () => {};
  #answered = 0;
  #busyMs = 0;

  /** @throws ConfigError for a wrong option, or an endpoint that would be open to the network without CURVE */
  constructor(options: ClusterWorkerOptions<I>) {
    this.#options = readWorkerOptions(options as ClusterWorkerOptions);
    this.id = this.#options.id;
    this.#warn = warner(this.#options.onWarning);
    this.#appetite = new Appetite(this.#options.slots);
  }

  /**
   * Answers requests until it is told to end. Resolves to why it did.
   * @throws ReceiveTimeoutError when there was no request for `timeoutMs`; ProtocolError when a ventilator or sink refuses it;
   *   BackendUnavailableError where the package `zeromq` is missing; ConfigError where it cannot bind
   */
  async run(): Promise<WorkerExit> {
    if (this.#exit !== undefined) throw new PoolClosedError(`Cannot run worker "${this.id}": it was run before`);
    if (this.#isOver) throw new PoolClosedError(`Cannot run worker "${this.id}": it is closed`);
    const exit = new Exit();
    this.#exit = exit;
    this.#opening = this.#open();
    try {
      await this.#opening;
    } catch (error) {
      this.#destroy();
      throw error;
    }
    this.#rest();
    return await exit.promise;
  }

  /** Finishes what runs, gives back what waits, lets the sink have the results, and ends. Safe to call twice. */
  async close(): Promise<void> {
    await this.#stop({ reason: "close", code: 0 });
  }

  /** Ends now. What it had goes to other workers. */
  async terminate(): Promise<void> {
    await this.#opening?.catch(() => {});
    this.#destroy();
    this.#exit?.resolve({ reason: "close", code: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open(): Promise<void> {
    const engine = await loadEngine();
    const { places, maxMessageBytes, blockMs } = this.#options;
    this.#results = new ResultOutbox(engine, this.#settings("results", 0), {
      taken: (ventilator, numbers) => this.#done(ventilator, numbers),
      heard: () => this.#reportAll(),
      refused: (error) => this.#fail(error),
      garbage: this.#warn,
    });
    await this.#results.open(places.results);
    if (places.commands !== undefined) {
      const settings = { role: "worker", id: this.id, maxMessageBytes } as const;
      this.#commands = new CommandReceiver(engine, settings, (name, data) => this.#obey(name, data), this.#warn);
      await this.#commands.open(places.commands);
    }
    this.#requests = new Client(engine, this.#settings("requests", blockMs), {
      opened: (peer, welcome) => this.#sourceOpened(peer, welcome),
      delivered: (peer, body) => this.#assigned(peer, body),
      lost: (peer) => this.#sourceLost(peer),
      refused: (error) => this.#fail(error),
      garbage: this.#warn,
    });
    await this.#requests.open(places.requests);
  }

  #settings(link: string, blockMs: number): ClientSettings {
    const { maxMessageBytes } = this.#options;
    return {
      hello: { link, id: this.id, role: "worker", host: hostname(), pid: process.pid, blockMs },
      heartbeatMs: DEFAULT_HEARTBEAT_MS,
      leaseMs: DEFAULT_LEASE_MS,
      maxMessageBytes,
    };
  }

  // ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #sourceOpened(peer: Peer, welcome: JsonObject): void {
    const source = new Source(peer, String(welcome["id"]));
    this.#sources.set(peer, source);
    this.#report(source);
  }

  #sourceLost(peer: Peer): void {
    const source = this.#sources.get(peer);
    if (source === undefined) return;
    this.#sources.delete(peer);
    source.isOver = true;
    // The ventilator sends them again, to whoever is there.
    this.#backlog.drop(source);
    this.#rest();
  }

  #assigned(peer: Peer, body: Uint8Array): void {
    const source = this.#sources.get(peer);
    if (source === undefined) return;
    const assignments = readTasks(body, source);
    source.came(assignments.length);
    if (this.#isStopping) {
      for (const { number } of assignments) source.giveBack(number);
      this.#report(source);
      return;
    }
    this.#backlog.add(assignments);
    clearTimeout(this.#idleTimer);
    this.#pump();
  }

  /** Tells a ventilator what is new, and asks it for more where there is room. */
  #report(source: Source<Peer>): void {
    const { expected } = source;
    const room = this.#options.maxUnacknowledged - this.#unanswered - expected;
    const credit = this.#isStopping ? 0 : Math.max(0, Math.min(room, this.#appetite.ask(expected)));
    const report = source.report(credit);
    if (report !== undefined) this.#requests?.send(source.peer, writeReport(report));
  }

  // ── running ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #pump(): void {
    let now = performance.now();
    const until = now + SLICE_MS;
    while (this.#running < this.#options.slots) {
      const held = this.#backlog.next();
      if (held === undefined) break;
      now = this.#start(held, now);
      if (now >= until) break;
    }
    if (this.#running >= this.#options.slots) this.#watchStuck();
    else if (this.#backlog.size > 0) this.#planPump();
    this.#flush();
  }

  /** Goes on after the sockets had their turn. */
  #planPump(): void {
    if (this.#isPumpPlanned) return;
    this.#isPumpPlanned = true;
    setImmediate(() => {
      this.#isPumpPlanned = false;
      if (!this.#isOver) this.#pump();
    });
  }

  /** Begins a request, and answers what time it is then. */
  #start(held: Held, startedAt: number): number {
    if (held.verdict !== undefined) {
      this.#finish(held, true, held.verdict, 0);
      return startedAt;
    }
    let given: unknown;
    let isFailed = false;
    try {
      given = this.#options.handler(held.payload, new Request(held, held.source.ventilator, this.#abort.signal));
    } catch (error) {
      given = toErrorRecord(error);
      isFailed = true;
    }
    const now = performance.now();
    if (isFailed || !isThenable(given)) this.#finish(held, isFailed, given, now - startedAt);
    else this.#follow(held, given, startedAt);
    return now;
  }

  #follow(held: Held, promise: PromiseLike<unknown>, startedAt: number): void {
    this.#running += 1;
    const end = (isFailed: boolean, value: unknown): void => {
      this.#running -= 1;
      if (this.#isOver) return;
      this.#finish(held, isFailed, value, performance.now() - startedAt);
      clearTimeout(this.#stuckTimer);
      if (this.#backlog.size > 0) this.#planPump();
      else this.#planFlush();
    };
    promise.then(
      (value: unknown) => end(false, value),
      (error: unknown) => end(true, toErrorRecord(error)),
    );
  }

  #finish({ source, number, attempt, metadata }: Held, isFailed: boolean, value: unknown, ms: number): void {
    source.answered();
    this.#appetite.add(ms);
    this.#answered += 1;
    this.#busyMs += ms;
    const micros = Math.round(ms * 1_000);
    this.#results?.add(source.ventilator, { number, attempt, isFailed, value, micros, metadata });
  }

  /** A long request must not hold up those behind it: they go back, and on to others. */
  #watchStuck(): void {
    clearTimeout(this.#stuckTimer);
    if (this.#backlog.size === 0) return;
    this.#stuckTimer = setTimeout(() => {
      if (this.#running < this.#options.slots) return;
      this.#appetite.isStuck = true;
      this.#giveBack();
    }, STUCK_MS);
  }

  /** Returns to their ventilators what has not begun. */
  #giveBack(): void {
    for (const { source, number } of this.#backlog.takeAll()) source.giveBack(number);
    this.#reportAll();
  }

  // ── results ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers that come one by one leave together. */
  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      if (!this.#isOver) this.#flush();
    });
  }

  #flush(): void {
    this.#results?.flush();
    this.#reportAll();
    if (!this.#isStopping) this.#rest();
  }

  /** How many answers no sink has. */
  get #unanswered(): number {
    return this.#results?.size ?? 0;
  }

  #done(ventilator: string, numbers: readonly number[]): void {
    for (const source of this.#sources.values()) {
      if (source.ventilator === ventilator) source.done(numbers);
    }
  }

  #reportAll(): void {
    for (const source of this.#sources.values()) this.#report(source);
    this.#wakeStopping();
  }

  // ── commands and the end ──────────────────────────────────────────────────────────────────────────────────────────────

  #obey(name: string, data: unknown): unknown {
    const exit = exitOf(name, data);
    if (exit !== undefined) {
      void this.#stop(exit);
      return undefined;
    }
    if (name === "ping") return this.#describe();
    const { onCommand } = this.#options;
    if (onCommand === undefined) throw new TypeError(`Cannot obey command "${name}": the worker knows no such command`);
    return onCommand(name, data);
  }

  #describe(): PingReply {
    return {
      role: "worker",
      id: this.id,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      requests: this.#answered,
      busyMs: this.#busyMs,
    };
  }

  /** Without work the clock of `timeoutMs` runs. */
  #rest(): void {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined || this.#isStopping) return;
    clearTimeout(this.#idleTimer);
    if (this.#running > 0 || this.#backlog.size > 0) return;
    this.#idleTimer = setTimeout(() => {
      const error = new ReceiveTimeoutError(`Cannot go on as worker "${this.id}": no request for ${timeoutMs} ms`);
      void this.#stop(undefined).then(() => this.#exit?.reject(error));
    }, timeoutMs);
  }

  #stop(exit: WorkerExit | undefined): Promise<void> {
    this.#ending ??= this.#end(exit);
    return this.#ending;
  }

  async #end(exit: WorkerExit | undefined): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#idleTimer);
    await this.#opening?.catch(() => {});
    if (!this.#isOver) {
      this.#giveBack();
      const { graceMs } = this.#options;
      await this.#until(() => this.#running === 0, graceMs);
      this.#results?.flush();
      await this.#until(() => this.#unanswered === 0, graceMs);
      await Promise.all([
        this.#requests?.close(GOODBYE_MS),
        this.#results?.close(GOODBYE_MS),
        this.#commands?.close(GOODBYE_MS),
      ]);
      this.#destroy();
    }
    if (exit !== undefined) this.#exit?.resolve(exit);
  }

  /** Resolves when the condition holds, or the time is over. */
  async #until(condition: () => boolean, graceMs: number): Promise<void> {
    if (condition() || this.#isOver) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wakeStopping = () => {};
        resolve();
      };
      const timer = setTimeout(done, graceMs);
      this.#wakeStopping = () => {
        if (condition() || this.#isOver) done();
      };
    });
  }

  #fail(error: ProtocolError): void {
    this.#destroy();
    this.#exit?.reject(error);
  }

  #destroy(): void {
    this.#isOver = true;
    this.#isStopping = true;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#stuckTimer);
    void this.#requests?.destroy();
    this.#results?.destroy();
    void this.#commands?.close(0);
    this.#abort.abort();
    this.#wakeStopping();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, "then") === "function";
}
