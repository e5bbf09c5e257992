// Runs the tasks that come in over a port, a few at a time, in the order in which they came. The same loop serves threads, processes
// and the inline backend. It owns no transport: requests are handed in, replies leave through the outbox.
import type { AsyncLocalStorage } from "node:async_hooks";
import { types } from "node:util";
import type { Claims } from "../protocol/claims.ts";
import { toErrorRecord } from "../protocol/error-record.ts";
import {
  ABORT,
  CREDIT,
  DEFERRED,
  DRAIN,
  type ErrorRecord,
  FAILED,
  HELLO,
  LABEL,
  LOG,
  OUTPUT,
  PERMANENT,
  PROGRESS,
  PROTOCOL_VERSION,
  REFUSED,
  RUN,
  type RunRequest,
  START_FAILED,
  STOP_STREAM,
  STRAY,
  type TaskExtras,
  type TaskId,
  THROWN,
  UNKNOWN_TASK,
  type WorkerEvent,
  type WorkerRequest,
} from "../protocol/messages.ts";
import { Packer } from "../protocol/packer.ts";
import { type MaybePacked, unpack } from "../protocol/packing.ts";
import { isDeferTask, isPermanentError, isWorkerBusy } from "../protocol/throwables.ts";
import { ChunkRun } from "./chunk-run.ts";
import { Linger } from "./linger.ts";
import { Outbox } from "./outbox.ts";
import type { WorkerPort } from "./port.ts";
import { collect, isGenerator, promiseOf, StreamRun } from "./stream-run.ts";
import { type RunHost, TaskRun } from "./task-context.ts";
import type { TaskFunction, TaskModule } from "./task-module.ts";
import { Wariness } from "./wariness.ts";

/** Answers do not wait longer than this while other tasks run. */
const FLUSH_MS = 3;
/** What came is answered early, once, when this many are through for each that still waits: so the pool refills while those run. */
const EARLY_FACTOR = 3;
/** Not more often than this, though. */
const EARLY_MS = 0.25;
/** After so long without a turn of the event loop, timers and messages get one. */
const YIELD_MS = 8;

export interface ServeOptions {
  readonly workerId: string;
  /** Tasks at once. */
  readonly concurrency: number;
  readonly module: TaskModule;
  /** Tells which task a stray error or a line of output belongs to; undefined where the worker shares its thread with others. */
  readonly runs: AsyncLocalStorage<TaskRun> | undefined;
}

export class ServeLoop implements RunHost {
  readonly workerId: string;
  readonly outbox: Outbox;
  readonly #port: WorkerPort;
  readonly #claims: Claims | undefined;
  readonly #module: TaskModule;
  readonly #context: AsyncLocalStorage<TaskRun> | undefined;
  readonly #concurrency: number;
  /** Requests that are not worked off; the first one from `#at` on. */
  readonly #requests: RunRequest[] = [];
  #inputs: ArrayLike<unknown> = [];
  #at = 0;
  #waiting = 0;
  #active = 0;
  /** What runs beyond one turn of the loop, by ticket. */
  readonly #ongoing = new Map<number, { abort(): void }>();
  readonly #linger: Linger | undefined;
  readonly #streams = new Map<number, StreamRun>();
  /** For chunks; kept, because their room grows with what they have held. */
  readonly #packers: Packer[] = [];
  #isWorking = false;
  #isDraining = false;
  #hasEnded = false;
  /** Tasks came since answers were last sent early. */
  #isEarlyDue = false;
  #turnStartedAt = 0;
  /** When the last thing ended, where the next begins at once; 0 where time has passed since. A clock costs as much as a small task. */
  #instant = 0;
  #lastName = "";
  #lastFunction: TaskFunction | undefined;
  #lastWariness = new Wariness();
  readonly #wariness = new Map<string, Wariness>();

  constructor(port: WorkerPort, options: ServeOptions) {
    this.#port = port;
    this.#claims = port.claims;
    this.#linger = port.lingering === undefined ? undefined : new Linger(port.lingering);
    this.workerId = options.workerId;
    this.#concurrency = options.concurrency;
    this.#module = options.module;
    this.#context = options.runs;
    this.outbox = new Outbox(port, (ticket) => this.#streams.get(ticket)?.stop());
  }

  /** Tells the pool that the worker is ready, and what it offers. */
  hello(): void {
    const names = [...this.#module.tasks.keys()];
    this.outbox.event([HELLO, PROTOCOL_VERSION, names, this.#port.memoryBytes()]);
    this.outbox.flush(performance.now());
  }

  receive(request: WorkerRequest): void {
    switch (request[0]) {
      case RUN:
        this.#requests.push(request);
        this.#waiting += request[2].length;
        this.#isEarlyDue = true;
        if (!this.#isWorking) {
          this.#turnStartedAt = performance.now();
          this.#instant = this.#turnStartedAt;
          this.#linger?.came(this.#turnStartedAt, request[2].length);
          this.#work();
        }
        break;
      case ABORT:
        this.#streams.get(request[1])?.stop();
        this.#ongoing.get(request[1])?.abort();
        break;
      case CREDIT:
        this.#streams.get(request[1])?.grant(request[2]);
        break;
      case STOP_STREAM:
        this.#streams.get(request[1])?.stop();
        break;
      case DRAIN:
        this.#isDraining = true;
        this.#endIfDrained();
        break;
      default:
      // A newer pool's request: not known here, and not needed.
    }
  }

  /** An error that nobody awaits: of the task that caused it, if that one still runs. */
  stray(error: unknown): void {
    const run = this.#context?.getStore();
    if (run !== undefined && !run.isSettled) {
      const ongoing = this.#ongoing.get(run.ticket);
      if (ongoing instanceof ChunkRun) {
        ongoing.failCurrent(run, error);
      } else {
        run.abort();
        this.#streams.get(run.ticket)?.stop();
        this.#fail(run, error);
        this.#goOn();
      }
      return;
    }
    this.#emitError(toErrorRecord(error), (record) => [STRAY, run?.taskId ?? null, record]);
    this.outbox.schedule();
  }

  /** What a task, or the module, wrote. */
  output(stream: 1 | 2, text: string): void {
    this.outbox.event([OUTPUT, this.#context?.getStore()?.taskId ?? null, stream, text]);
    this.outbox.sendSoon();
  }

  reportProgress(run: TaskRun, value: unknown): void {
    if (run.isSettled) return;
    this.outbox.eventWith(value, (copy) => [PROGRESS, run.ticket, run.taskId, copy]);
    this.outbox.sendSoon();
  }

  reportLog(run: TaskRun, args: readonly unknown[]): void {
    this.outbox.event([LOG, run.taskId, args.map(printable)]);
    this.outbox.sendSoon();
  }

  reportLabel(run: TaskRun, text: string): void {
    if (run.isSettled) return;
    this.outbox.event([LABEL, run.ticket, text]);
    this.outbox.sendSoon();
  }

  /** Starts tasks until all hands are full or nothing waits. */
  #work(): void {
    this.#isWorking = true;
    while (this.#active < this.#concurrency && this.#waiting > 0) {
      this.#startNext();
      if (this.#waiting > 0 && this.#active < this.#concurrency && this.#now() - this.#turnStartedAt > YIELD_MS) {
        this.outbox.flush(performance.now());
        setImmediate(() => {
          this.#turnStartedAt = performance.now();
          this.#instant = this.#turnStartedAt;
          this.#work();
        });
        return;
      }
    }
    this.#isWorking = false;
    if (this.outbox.size > 0) {
      // With something under way its answer may be only a microtask off.
      if (this.#active > 0) this.outbox.schedule();
      else if (this.#isEarlyDue) {
        const now = performance.now();
        this.outbox.flush(now);
        this.#linger?.idle(now);
      }
      // The pool was told early and may have sent more: that is taken up first.
      else this.outbox.scheduleLate();
    }
    if (this.#isDraining) this.#endIfDrained();
  }

  #startNext(): void {
    // Read by index: destructuring an array goes through its iterator, and this is the hottest path of a worker.
    const request = this.#requests[0]!;
    const names = request[1];
    const tickets = request[2];
    const ids = request[3];
    const more = request[5];
    const at = this.#at;
    if (at === 0) {
      this.#inputs = unpack(request[4]);
      this.#instant = 0;
    }
    const ticket = tickets[at]!;
    const input = this.#inputs[at];
    const extras = more === 0 ? 0 : more[at]!;
    const name = typeof names === "string" ? names : names[at]!;
    const id = typeof ids === "number" ? ids + at : ids[at]!;
    this.#waiting--;
    if (++this.#at === tickets.length) {
      this.#requests.shift();
      this.#at = 0;
    }
    if (this.#claims !== undefined && !this.#claims.claim(ticket)) return;
    if (extras !== 0 && extras.isTimed) {
      this.outbox.flush(performance.now());
      this.#instant = 0;
    }
    this.#start(name, ticket, id, input, extras);
  }

  #start(name: string, ticket: number, id: TaskId, input: unknown, extras: TaskExtras | 0): void {
    const task = this.#find(name);
    const wariness = this.#lastWariness;
    const isChunk = extras !== 0 && extras.isChunk === true;
    if (!isChunk && this.outbox.size >= wariness.limit) {
      this.outbox.flush(this.#now());
      this.#instant = 0;
    }
    const startedAt = this.#now();
    this.#instant = 0;
    const attempt = extras === 0 ? 1 : (extras.attempt ?? 1);
    const priority = extras === 0 ? 0 : (extras.priority ?? 0);
    const run = new TaskRun({ host: this, ticket, attempt, priority, startedAt }, id);
    if (task === undefined) {
      this.#failUnknown(run, name);
      return;
    }
    if (isChunk) {
      this.#startChunk(task, run, unpack(input as MaybePacked), extras);
      return;
    }
    this.#context?.enterWith(run);
    let value: unknown;
    try {
      value = task(input, run);
    } catch (error) {
      this.#fail(run, error);
      return;
    }
    if (typeof value === "object" && value !== null && this.#follow(run, value, extras)) return;
    if (extras !== 0 && extras.credit !== undefined) this.#startStream(run, value, extras.credit);
    else wariness.ran(this.#complete(run, value));
  }

  /** An object may be a promise or a generator, which take longer; false for a plain value. */
  #follow(run: TaskRun, value: object, extras: TaskExtras | 0): boolean {
    const credit = extras === 0 ? undefined : extras.credit;
    const promise = promiseOf(value);
    if (promise !== undefined) {
      this.#hold(run);
      promise.then(
        (awaited: unknown) => {
          if (run.isSettled) return;
          this.#release(run);
          if (credit !== undefined) this.#startStream(run, awaited, credit);
          else if (isGenerator(awaited)) this.#collect(run, awaited);
          else this.#complete(run, awaited);
          this.#goOn();
        },
        (error: unknown) => {
          if (run.isSettled) return;
          this.#fail(run, error);
          this.#goOn();
        },
      );
      return true;
    }
    if (credit !== undefined || !isGenerator(value)) return false;
    this.#collect(run, value);
    return true;
  }

  #collect(run: TaskRun, generator: object): void {
    this.#hold(run);
    collect(generator, run).then(
      (values) => {
        if (run.isSettled) return;
        this.#complete(run, values);
        this.#goOn();
      },
      (error: unknown) => {
        if (run.isSettled) return;
        this.#fail(run, error);
        this.#goOn();
      },
    );
  }

  #startStream(run: TaskRun, value: unknown, credit: number): void {
    this.#hold(run);
    const stream = new StreamRun(run, value, credit, this.outbox, {
      // A stream that waits for its reader leaves its hand to others.
      onWaiting: () => {
        this.#active--;
        this.#goOn();
      },
      onResumed: () => {
        this.#active++;
      },
    });
    this.#streams.set(run.ticket, stream);
    stream.pump().then(
      () => {
        this.#streams.delete(run.ticket);
        if (run.isSettled) return;
        this.#complete(run, undefined);
        this.#goOn();
      },
      (error: unknown) => {
        this.#streams.delete(run.ticket);
        if (run.isSettled) return;
        this.#fail(run, error);
        this.#goOn();
      },
    );
  }

  #startChunk(task: TaskFunction, run: TaskRun, inputs: ArrayLike<unknown>, extras: TaskExtras): void {
    const values = this.#packers.pop() ?? new Packer(types.isProxy);
    const chunk = new ChunkRun({
      host: this,
      outbox: this.outbox,
      values,
      claims: this.#claims,
      context: this.#context,
      task,
      run,
      inputs,
      isTimed: extras.isTimed === true,
      wantsEachMs: extras.eachMs === true,
      onEnd: () => {
        this.#packers.push(values);
        this.#complete(run, undefined);
        this.#goOn();
      },
    });
    // Held before it begins, for a short chunk ends within the call.
    this.#active++;
    this.#ongoing.set(run.ticket, chunk);
    chunk.go();
  }

  #now(): number {
    return this.#instant === 0 ? performance.now() : this.#instant;
  }

  #hold(run: TaskRun): void {
    this.#active++;
    this.#ongoing.set(run.ticket, run);
  }

  #release(run: TaskRun): void {
    if (this.#ongoing.delete(run.ticket)) this.#active--;
  }

  /** Takes up work again after something ended outside of the loop. */
  #goOn(): void {
    this.#instant = 0;
    if (this.#isWorking) return;
    if (this.#waiting > 0) {
      if (this.outbox.size === 0) this.#turnStartedAt = performance.now();
      this.#work();
    } else {
      if (this.outbox.size > 0) this.outbox.schedule();
      if (this.#isDraining) this.#endIfDrained();
    }
  }

  /** Answers how long it took, in milliseconds. */
  #complete(run: TaskRun, value: unknown): number {
    run.isSettled = true;
    if (this.#ongoing.size > 0) this.#release(run);
    const now = performance.now();
    const ms = now - run.startedAt;
    this.outbox.result(run.ticket, Math.round(ms * 1_000), value);
    // A value that left at once, left by itself, took its time.
    this.#instant = this.outbox.size === 0 ? 0 : now;
    if (this.#waiting === 0) return ms;
    const waited = now - this.outbox.lastSentAt;
    const isEarly = this.#isEarlyDue && waited > EARLY_MS && this.outbox.size >= this.#waiting * EARLY_FACTOR;
    if (!isEarly && waited <= FLUSH_MS) return ms;
    this.#isEarlyDue = false;
    this.outbox.flush(now);
    this.#instant = 0;
    return ms;
  }

  #fail(run: TaskRun, thrown: unknown): void {
    run.isSettled = true;
    this.#release(run);
    const micros = Math.round((performance.now() - run.startedAt) * 1_000);
    if (isDeferTask(thrown)) {
      const { priority, delayMs } = thrown;
      const isSound = (priority === undefined || isNumber(priority)) && isNumber(delayMs) && delayMs >= 0;
      if (isSound) this.outbox.event([DEFERRED, run.ticket, priority ?? null, delayMs]);
      else
        this.#failBadly(run, micros, `Cannot defer the task: priority ${String(priority)}, delayMs ${String(delayMs)}`);
    } else if (isWorkerBusy(thrown)) {
      const { retryAfterMs } = thrown;
      if (isNumber(retryAfterMs) && retryAfterMs >= 0) this.outbox.event([REFUSED, run.ticket, retryAfterMs]);
      else this.#failBadly(run, micros, `Cannot refuse the task: retryAfterMs ${String(retryAfterMs)}`);
    } else {
      const how = isPermanentError(thrown) ? PERMANENT : THROWN;
      this.#emitError(toErrorRecord(thrown), (record) => [FAILED, run.ticket, micros, record, how]);
    }
    this.outbox.schedule();
  }

  /** An error may hold objects of its task, which are copied as values are. */
  #emitError(record: ErrorRecord, toEvent: (record: ErrorRecord) => WorkerEvent): void {
    this.outbox.eventWith(record, (copy) => toEvent(copy as ErrorRecord));
  }

  #failBadly(run: TaskRun, micros: number, message: string): void {
    this.outbox.event([FAILED, run.ticket, micros, toErrorRecord(new RangeError(message)), PERMANENT]);
  }

  #failUnknown(run: TaskRun, name: string): void {
    run.isSettled = true;
    const names = [...this.#module.tasks.keys()].map((known) => `"${known}"`).join(", ");
    const message = `Cannot run task "${name}": the module exports ${names === "" ? "no function" : names}`;
    this.outbox.event([FAILED, run.ticket, 0, toErrorRecord(new Error(message)), UNKNOWN_TASK]);
    this.outbox.schedule();
  }

  #find(name: string): TaskFunction | undefined {
    if (name !== this.#lastName) {
      this.#lastName = name;
      this.#lastFunction = this.#module.tasks.get(name);
      this.#lastWariness = this.#warinessOf(name);
    }
    return this.#lastFunction;
  }

  #warinessOf(name: string): Wariness {
    let wariness = this.#wariness.get(name);
    if (wariness === undefined) {
      wariness = new Wariness();
      this.#wariness.set(name, wariness);
    }
    return wariness;
  }

  #endIfDrained(): void {
    if (this.#hasEnded || this.#active > 0 || this.#waiting > 0 || this.#ongoing.size > 0) return;
    this.#hasEnded = true;
    void this.#end();
  }

  /** Tears the module down and closes the port. Never rejects: what `teardown` throws is reported as stray. */
  async #end(): Promise<void> {
    try {
      await this.#module.teardown?.();
    } catch (error) {
      this.#emitError(toErrorRecord(error), (record) => [STRAY, null, record]);
    }
    this.outbox.close();
  }
}

/** Says that the worker could not start, and closes the port. */
export function refuseToStart(port: WorkerPort, error: unknown): void {
  const outbox = new Outbox(port, () => {});
  outbox.event([START_FAILED, toErrorRecord(error)]);
  outbox.close();
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && !Number.isNaN(value);
}

/** Log arguments are for people: what cannot be copied goes as text. */
function printable(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return typeof value === "function" || typeof value === "symbol" ? String(value) : value;
  }
  try {
    return structuredClone(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
