// A serve loop at a port of this process, which copies as every transport does and keeps what the worker says.
import { AsyncLocalStorage } from "node:async_hooks";
import { CLAIM_BYTES, Claims } from "../../src/protocol/claims.ts";
import { fromErrorRecord } from "../../src/protocol/error-record.ts";
import {
  type ErrorRecord,
  FAILED,
  RUN,
  type TaskExtras,
  type TaskId,
  type WorkerEvent,
  type WorkerReply,
  type WorkerRequest,
} from "../../src/protocol/messages.ts";
import { unpack } from "../../src/protocol/packing.ts";
import type { WorkerPort } from "../../src/worker/port.ts";
import { ServeLoop } from "../../src/worker/serve-loop.ts";
import type { TaskContext, TaskRun } from "../../src/worker/task-context.ts";
import { readTaskModule } from "../../src/worker/task-module.ts";

export interface Task {
  readonly ticket: number;
  readonly name?: string;
  readonly input?: unknown;
  readonly id?: TaskId;
  readonly extras?: TaskExtras;
}

export interface Result {
  readonly ticket: number;
  readonly value: unknown;
}

type TaskModule = Readonly<Record<string, (input: never, context: TaskContext) => unknown>>;

export class Serving implements WorkerPort {
  readonly claims: Claims | undefined;
  readonly loop: ServeLoop;
  readonly replies: WorkerReply[] = [];
  /** Everything in the order of arrival: in a message the events stand before the results. */
  readonly said: (WorkerEvent | Result)[] = [];
  readonly transferred: (readonly object[] | undefined)[] = [];
  isClosed = false;
  #waiters: (() => void)[] = [];

  constructor(module: TaskModule, options: { readonly concurrency?: number; readonly claims?: boolean } = {}) {
    this.claims = options.claims === true ? new Claims(new SharedArrayBuffer(CLAIM_BYTES)) : undefined;
    this.loop = new ServeLoop(this, {
      workerId: "worker-1",
      concurrency: options.concurrency ?? 1,
      module: readTaskModule(module),
      runs: new AsyncLocalStorage<TaskRun>(),
    });
  }

  // ── The port ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  post(reply: WorkerReply, transfer?: readonly object[]): void {
    const copy = structuredClone(reply, transfer === undefined ? undefined : { transfer: transfer as ArrayBuffer[] });
    this.transferred.push(transfer);
    this.replies.push(copy);
    const [tickets, , values, events] = copy;
    if (events !== 0) this.said.push(...events);
    for (const [at, value] of Array.from(unpack(values)).entries()) this.said.push({ ticket: tickets[at]!, value });
    this.#notice();
  }

  close(): void {
    this.isClosed = true;
    this.#notice();
  }

  memoryBytes(): number {
    return 1;
  }

  // ── The pool's side ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends the tasks in one message. A task is called "task" where it has no name, and has its ticket as id. */
  run(...tasks: readonly Task[]): void {
    const extras = tasks.some((task) => task.extras !== undefined) ? tasks.map((task) => task.extras ?? 0) : 0;
    this.tell([
      RUN,
      tasks.map(({ name }) => name ?? "task"),
      tasks.map(({ ticket }) => ticket),
      tasks.map(({ id, ticket }) => id ?? ticket),
      tasks.map(({ input }) => input),
      extras,
    ]);
  }

  tell(request: WorkerRequest): void {
    this.loop.receive(request);
  }

  /** Sends the tasks, and waits until each has given a value or failed. */
  async perform(...tasks: readonly Task[]): Promise<void> {
    this.run(...tasks);
    await this.until(() => tasks.every(({ ticket }) => this.isAnswered(ticket)));
  }

  isAnswered(ticket: number): boolean {
    return this.results.has(ticket) || this.eventsOf(FAILED).some((event) => event[1] === ticket);
  }

  /** Values by ticket. */
  get results(): Map<number, unknown> {
    const results = new Map<number, unknown>();
    for (const one of this.said) if (!isEvent(one)) results.set(one.ticket, one.value);
    return results;
  }

  get events(): WorkerEvent[] {
    return this.said.filter(isEvent);
  }

  eventsOf<K extends WorkerEvent[0]>(kind: K): Extract<WorkerEvent, readonly [K, ...unknown[]]>[] {
    return this.events.filter((event) => event[0] === kind) as Extract<WorkerEvent, readonly [K, ...unknown[]]>[];
  }

  /** What failed, by ticket: how, and the error. */
  get failures(): Map<number, { readonly how: number; readonly error: Error }> {
    const failures = new Map<number, { how: number; error: Error }>();
    for (const [, ticket, , record, how] of this.eventsOf(FAILED)) {
      failures.set(ticket, { how, error: fromErrorRecord(record as ErrorRecord) as Error });
    }
    return failures;
  }

  /** Resolves when it holds; it is asked after each message, and whenever the loop of events comes around. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        setImmediate(resolve);
      });
    }
  }

  #notice(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

function isEvent(one: WorkerEvent | Result): one is WorkerEvent {
  return Array.isArray(one);
}

/** A promise that is resolved from outside. */
export interface Gate {
  readonly promise: Promise<unknown>;
  open(value?: unknown): void;
}

export function gate(): Gate {
  let open!: (value: unknown) => void;
  const promise = new Promise((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Several turns of the loop of events: what was to come of itself has come. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** What can be awaited, and is no promise. */
export function thenable(then: (done: (value: unknown) => void, fail: (error: unknown) => void) => void): object {
  // oxlint-disable-next-line no-thenable -- tasks do give such objects
  return { then };
}

/** Keeps the thread busy. */
export function spin(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}
