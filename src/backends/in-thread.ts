// Workers in this thread: the same serve loop as everywhere, behind a port that is a function call.
import { hostname } from "node:os";
import { types } from "node:util";
import { CLAIM_BYTES, Claims } from "../protocol/claims.ts";
import { ConfigError } from "../protocol/errors.ts";
import { DRAIN, RUN, type WorkerEvent, type WorkerReply, type WorkerRequest } from "../protocol/messages.ts";
import { type MaybePacked, unpack } from "../protocol/packing.ts";
import { NOT_PLAIN, PlainCopier } from "../protocol/plain-copy.ts";
import type { WorkerPort } from "../worker/port.ts";
import { refuseToStart, ServeLoop } from "../worker/serve-loop.ts";
import type { TaskModule } from "../worker/task-module.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts } from "./backend.ts";
import { structuredCopy } from "./structured-copy.ts";

export interface InThreadSettings {
  readonly name: string;
  /** What its workers run, for messages. */
  readonly subject: string;
  readonly plan: Plan;
  /** Gives the tasks of one worker, set up. What it throws is why the worker cannot start. */
  readonly load: () => Promise<TaskModule>;
  /** Releases what the tasks hold, when all workers are gone. */
  readonly close?: () => Promise<void>;
}

/** Tasks in this thread leave it to others after so long. */
const TURN_MS = 8;

const TRAITS: Traits = {
  canKill: false,
  sendsAhead: true,
  recalls: "at once",
  copiesEach: true,
  sharesMemory: false,
  transfers: false,
  losesWorkers: false,
  isolatesCrashes: false,
  capturesOutput: false,
  roomVaries: false,
};

/** Workers in this thread, on tasks that are loaded for each of them. */
export class InThread implements Backend {
  readonly name: string;
  readonly subject: string;
  readonly traits: Traits = TRAITS;
  readonly plan: Plan;
  readonly #load: InThreadSettings["load"];
  readonly #close: InThreadSettings["close"];
  readonly #ports = new Map<number, InThreadPort>();
  #host: BackendHost | undefined;

  constructor({ name, subject, plan, load, close }: InThreadSettings) {
    this.name = name;
    this.subject = subject;
    this.plan = plan;
    this.#load = load;
    this.#close = close;
  }

  open(host: BackendHost): void {
    if (this.#host !== undefined)
      throw new ConfigError(`Cannot use backend ${this.name} with ${this.subject}: another pool has it`);
    this.#host = host;
  }

  start(worker: number, workerId: string): WorkerFacts {
    const port = new InThreadPort(
      (reply) => this.#host?.reply(worker, reply),
      () => this.#gone(worker),
    );
    this.#ports.set(worker, port);
    void this.#begin(port, workerId);
    return { host: hostname(), pid: process.pid };
  }

  send(worker: number, request: WorkerRequest): void {
    const port = this.#ports.get(worker);
    if (port === undefined) return;
    port.deliver(request[0] === RUN ? copyInputs(request) : request);
  }

  recall(worker: number, tickets: readonly number[]): readonly number[] {
    const port = this.#ports.get(worker);
    return port === undefined ? [] : tickets.filter((ticket) => port.claims.recall(ticket));
  }

  recallItems(worker: number, ticket: number): number {
    return this.#ports.get(worker)?.claims.closeItems(ticket) ?? Number.MAX_SAFE_INTEGER;
  }

  stop(worker: number): void {
    this.#ports.get(worker)?.drain();
  }

  /** What runs cannot be ended: it is left alone, and nobody listens to it any more. */
  kill(worker: number): void {
    const port = this.#ports.get(worker);
    if (port === undefined) return;
    port.close();
  }

  async close(): Promise<void> {
    this.#host = undefined;
    await this.#close?.();
  }

  /** Never rejects: a module that does not load is reported as such. */
  async #begin(port: InThreadPort, workerId: string): Promise<void> {
    try {
      const module = await this.#load();
      const { concurrency } = this.plan;
      const loop = new ServeLoop(port, { workerId, concurrency, module, runs: undefined });
      port.serve(loop);
      loop.hello();
    } catch (error) {
      refuseToStart(port, error);
    }
  }

  #gone(worker: number): void {
    // Said in a turn of its own: nobody expects a worker to be gone within the call that ends it.
    queueMicrotask(() => {
      const port = this.#ports.get(worker);
      if (port === undefined) return;
      this.#ports.delete(worker);
      this.#host?.workerDown(worker, { hasBegun: (ticket) => port.claims.hasBegun(ticket) });
    });
  }
}

class InThreadPort implements WorkerPort {
  readonly claims: Claims = new Claims(new SharedArrayBuffer(CLAIM_BYTES));
  readonly #onReply: (reply: WorkerReply) => void;
  readonly #onClose: () => void;
  readonly #late: WorkerRequest[] = [];
  #loop: ServeLoop | undefined;
  #turnStartedAt = 0;
  #isOpen = true;

  constructor(onReply: (reply: WorkerReply) => void, onClose: () => void) {
    this.#onReply = onReply;
    this.#onClose = onClose;
  }

  serve(loop: ServeLoop): void {
    this.#loop = loop;
  }

  /** Hands the request to the loop; once this turn of the event loop has lasted long enough, in the next one. */
  deliver(request: WorkerRequest): void {
    if (this.#turnStartedAt === 0) {
      this.#turnStartedAt = performance.now();
      setImmediate(() => {
        this.#turnStartedAt = 0;
        for (const late of this.#late.splice(0)) this.deliver(late);
      });
    }
    if (this.#late.length > 0 || performance.now() - this.#turnStartedAt > TURN_MS) this.#late.push(request);
    else this.#loop?.receive(request);
  }

  drain(): void {
    if (this.#loop === undefined) this.close();
    else this.#loop.receive([DRAIN]);
  }

  post(reply: WorkerReply): void {
    if (!this.#isOpen) return;
    const [tickets, micros, values, events] = reply;
    this.#onReply([tickets, micros, Array.from(unpack(values), copy), events === 0 ? 0 : events.map(copyEvent)]);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onClose();
  }

  memoryBytes(): number {
    return process.memoryUsage().heapUsed;
  }
}

/** Values are copied here as everywhere, so that a task cannot change what its caller holds. */
export function copy(value: unknown): unknown {
  const plain = copier.copy(value);
  return plain === NOT_PLAIN ? structuredCopy(value) : plain;
}

const copier = new PlainCopier(types.isProxy);

function copyInputs(request: WorkerRequest & readonly [typeof RUN, ...unknown[]]): WorkerRequest {
  const [kind, names, tickets, ids, inputs, extras] = request;
  const isChunk = (at: number): boolean => {
    const extra = extras === 0 ? 0 : extras[at]!;
    return extra !== 0 && extra.isChunk === true;
  };
  const copies = Array.from(unpack(inputs), (input, at) =>
    isChunk(at) ? Array.from(unpack(input as MaybePacked), copy) : copy(input),
  );
  return [kind, names, tickets, ids, copies, extras];
}

function copyEvent(event: WorkerEvent): WorkerEvent {
  return copy(event) as WorkerEvent;
}
