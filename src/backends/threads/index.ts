/**
 * Runs tasks on worker threads of this process.
 *
 *     const pool = new Pool(threads(new URL("./tasks.js", import.meta.url), { size: 8 }));
 *
 * @module
 */
import { availableParallelism, hostname } from "node:os";
import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  Worker,
  type WorkerOptions,
} from "node:worker_threads";
import { AnswerBoard, BOARD_BYTES } from "../../protocol/answer-board.ts";
import { CLAIM_BYTES, Claims } from "../../protocol/claims.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { DRAIN, type WorkerReply, type WorkerRequest } from "../../protocol/messages.ts";
import { environment, positiveNumber, type Rule, readOptions, texts } from "../../protocol/options.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts } from "../backend.ts";
import { type ModuleOptions, moduleRules, moduleUrl, neighbour, planOf, shownModule } from "../module-options.ts";
import type { ThreadStart } from "./entry.ts";

export interface ThreadsOptions extends ModuleOptions {
  /** Environment variables beside this process's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Appended to `process.argv` in the worker. */
  readonly argv?: readonly string[];
  /** Node's options for the worker; default this process's. */
  readonly execArgv?: readonly string[];
  /** As in `node:worker_threads`, in MiB. A worker that reaches its heap limit dies of "out of memory" alone. */
  readonly resourceLimits?: ResourceLimits;
}

/**
 * Workers on threads: the fastest way to use all cores for JavaScript, with shared memory and transfer.
 *
 * @param module the task module: a URL, or a path from the working directory
 * @throws ConfigError for a wrong option
 */
export function threads(module: string | URL, options?: ThreadsOptions): Backend {
  const url = moduleUrl("threads()", module);
  const given = readOptions("threads()", options, {
    ...moduleRules,
    env: environment,
    argv: texts,
    execArgv: texts,
    resourceLimits: limits,
  });
  const plan = planOf(given, ["thread", "local"], availableParallelism());
  return new ThreadsBackend(plan, {
    url,
    data: given.data,
    env: given.env === undefined ? undefined : withoutMissing({ ...process.env, ...given.env }),
    argv: given.argv === undefined ? undefined : [...given.argv],
    execArgv: given.execArgv === undefined ? undefined : [...given.execArgv],
    resourceLimits: given.resourceLimits,
  });
}

/** A thread would get a missing variable as the text "undefined". */
function withoutMissing(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

const LIMITS = ["maxOldGenerationSizeMb", "maxYoungGenerationSizeMb", "codeRangeSizeMb", "stackSizeMb"];

const limits: Rule<ResourceLimits> = (value) =>
  readOptions(
    "resourceLimits",
    value,
    Object.fromEntries(LIMITS.map((name) => [name, positiveNumber])),
  ) as ResourceLimits;

const TRAITS: Traits = {
  canKill: true,
  sendsAhead: true,
  recalls: "at once",
  copiesEach: false,
  sharesMemory: true,
  transfers: true,
  losesWorkers: true,
  isolatesCrashes: false,
  capturesOutput: true,
  roomVaries: false,
};

interface ThreadSettings {
  readonly url: string;
  readonly data: unknown;
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly argv: string[] | undefined;
  readonly execArgv: string[] | undefined;
  readonly resourceLimits: ResourceLimits | undefined;
}

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly claims: Claims;
  readonly board: AnswerBoard;
  error: unknown;
}

class ThreadsBackend implements Backend {
  readonly name = "threads";
  readonly subject: string;
  readonly traits: Traits = TRAITS;
  readonly plan: Plan;
  readonly #settings: ThreadSettings;
  readonly #threads = new Map<number, Thread>();
  /** One word: whether a worker stays awake for the next task. */
  readonly #lingering = new SharedArrayBuffer(4);
  #host: BackendHost | undefined;

  constructor(plan: Plan, settings: ThreadSettings) {
    this.plan = plan;
    this.#settings = settings;
    this.subject = shownModule(settings.url);
  }

  open(host: BackendHost): void {
    if (this.#host !== undefined)
      throw new ConfigError(`Cannot use backend ${this.name} with ${this.subject}: another pool has it`);
    this.#host = host;
  }

  start(worker: number, workerId: string): WorkerFacts {
    const shared = new SharedArrayBuffer(CLAIM_BYTES);
    const board = new SharedArrayBuffer(BOARD_BYTES);
    const { port1, port2 } = new MessageChannel();
    let thread: Thread;
    try {
      thread = {
        worker: this.#launch(workerId, shared, board, port2),
        port: port1,
        claims: new Claims(shared),
        board: new AnswerBoard(board),
        error: undefined,
      };
    } catch (error) {
      // `data` that cannot be copied, an option that Node refuses.
      port1.close();
      port2.close();
      queueMicrotask(() => this.#host?.workerDown(worker, { cause: error }));
      return { host: hostname() };
    }
    this.#threads.set(worker, thread);
    port1.on("message", (reply: WorkerReply) => this.#host?.reply(worker, reply));
    // A message that cannot be read means tasks without an answer: better a lost worker.
    port1.on("messageerror", (error) => {
      thread.error = error;
      void thread.worker.terminate();
    });
    thread.worker.on("error", (error) => {
      thread.error = error;
    });
    thread.worker.on("exit", (code) => this.#exited(worker, thread, code));
    thread.worker.unref();
    port1.unref();
    return { host: hostname(), pid: process.pid, threadId: thread.worker.threadId };
  }

  send(worker: number, request: WorkerRequest, transfer?: readonly object[]): void {
    const thread = this.#threads.get(worker);
    if (thread === undefined) return;
    if (transfer === undefined) thread.port.postMessage(request);
    else thread.port.postMessage(request, transfer as ArrayBuffer[]);
  }

  recall(worker: number, tickets: readonly number[]): readonly number[] {
    const thread = this.#threads.get(worker);
    if (thread === undefined) return [];
    const { claims, board } = thread;
    const back = tickets.filter((ticket) => claims.recall(ticket));
    // It has begun what it did not give back: perhaps a long task, with answers waiting behind it.
    const posted = back.length < tickets.length ? board.read() : undefined;
    if (posted !== undefined) this.#host?.seen(worker, posted);
    return back;
  }

  recallItems(worker: number, ticket: number): number {
    return this.#threads.get(worker)?.claims.closeItems(ticket) ?? Number.MAX_SAFE_INTEGER;
  }

  stop(worker: number): void {
    this.send(worker, [DRAIN]);
  }

  kill(worker: number): void {
    // Not awaited: the end is told by 'exit'.
    void this.#threads.get(worker)?.worker.terminate();
  }

  async close(): Promise<void> {
    this.#host = undefined;
  }

  #launch(workerId: string, claims: SharedArrayBuffer, board: SharedArrayBuffer, port: MessagePort): Worker {
    const { url, data, env, argv, execArgv, resourceLimits } = this.#settings;
    const workerData: ThreadStart = {
      url,
      data,
      workerId,
      concurrency: this.plan.concurrency,
      claims,
      board,
      lingering: this.#lingering,
      port,
    };
    return new Worker(neighbour("entry", import.meta.url), {
      // Node reads options through their prototype.
      __proto__: null,
      workerData,
      transferList: [port],
      name: workerId,
      ...(env === undefined ? {} : { env }),
      ...(argv === undefined ? {} : { argv }),
      ...(execArgv === undefined ? {} : { execArgv }),
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    } as WorkerOptions);
  }

  #exited(worker: number, thread: Thread, exitCode: number): void {
    // What the worker sent before its end counts.
    for (let left = receiveMessageOnPort(thread.port); left !== undefined; left = receiveMessageOnPort(thread.port)) {
      this.#host?.reply(worker, left.message as WorkerReply);
    }
    thread.port.close();
    this.#threads.delete(worker);
    // It may have been the one.
    Atomics.store(new Int32Array(this.#lingering), 0, 0);
    const code: unknown = thread.error instanceof Error ? Reflect.get(thread.error, "code") : undefined;
    this.#host?.workerDown(worker, {
      exitCode,
      outOfMemory: code === "ERR_WORKER_OUT_OF_MEMORY",
      cause: thread.error,
      hasBegun: (ticket) => thread.claims.hasBegun(ticket),
    });
  }
}
