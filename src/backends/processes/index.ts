/**
 * Runs tasks in child processes: a crash, a leak or a native fault in one harms no other.
 *
 *     const pool = new Pool(processes(new URL("./tasks.js", import.meta.url), { size: 4 }));
 *
 * @module
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { availableParallelism, hostname } from "node:os";
import type { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../protocol/errors.ts";
import { LineReader } from "../../protocol/lines.ts";
import { DRAIN, OUTPUT, type WorkerReply, type WorkerRequest } from "../../protocol/messages.ts";
import { environment, positiveNumber, type Rule, readOptions, texts } from "../../protocol/options.ts";
import type { WorkerStart } from "../../worker/begin.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts } from "../backend.ts";
import { type ModuleOptions, moduleRules, moduleUrl, neighbour, planOf, shownModule } from "../module-options.ts";
import { decoder, encodeAny, encodeRequest } from "../wire.ts";
import type { ControlReply, ControlRequest } from "./control.ts";

export interface ProcessesOptions extends ModuleOptions {
  /** Environment variables beside this process's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Appended to `process.argv` in the worker. */
  readonly argv?: readonly string[];
  /** Node's options for the child; default this process's, without those for the inspector, tests and evaluation. */
  readonly execArgv?: readonly string[];
  /** In MiB; given to the child as V8's flags. */
  readonly resourceLimits?: { readonly maxOldGenerationSizeMb?: number; readonly maxYoungGenerationSizeMb?: number };
}

/**
 * Workers in child processes on this machine. They end with this process, however it ends.
 *
 * @param module the task module: a URL, or a path from the working directory
 * @throws ConfigError for a wrong option
 */
export function processes(module: string | URL, options?: ProcessesOptions): Backend {
  const url = moduleUrl("processes()", module);
  const given = readOptions("processes()", options, {
    ...moduleRules,
    env: environment,
    argv: texts,
    execArgv: texts,
    resourceLimits: limits,
  });
  const plan = planOf(given, ["process", "local"], availableParallelism());
  return new ProcessesBackend(plan, {
    url,
    data: given.data,
    env: { ...process.env, ...given.env },
    argv: given.argv ?? [],
    execArgv: [...(given.execArgv ?? inheritedArgs()), ...limitFlags(given.resourceLimits)],
  });
}

interface Limits {
  readonly maxOldGenerationSizeMb?: number | undefined;
  readonly maxYoungGenerationSizeMb?: number | undefined;
}

const limits: Rule<Limits> = (value) =>
  readOptions("resourceLimits of processes()", value, {
    maxOldGenerationSizeMb: positiveNumber,
    maxYoungGenerationSizeMb: positiveNumber,
  });

function limitFlags(given: Limits | undefined): readonly string[] {
  const flags: string[] = [];
  if (given?.maxOldGenerationSizeMb !== undefined)
    flags.push(`--max-old-space-size=${Math.ceil(given.maxOldGenerationSizeMb)}`);
  // V8's young generation is three semi-spaces.
  if (given?.maxYoungGenerationSizeMb !== undefined) {
    flags.push(`--max-semi-space-size=${Math.max(1, Math.floor(given.maxYoungGenerationSizeMb / 3))}`);
  }
  return flags;
}

/** This process's Node options but for those that would make the child something else than a worker. */
function inheritedArgs(): readonly string[] {
  const args: string[] = [];
  for (let at = 0; at < process.execArgv.length; at++) {
    const arg = process.execArgv[at]!;
    if (!NOT_FOR_WORKERS.test(arg)) args.push(arg);
    // Whatever follows without a dash is the option's value.
    else if (process.execArgv[at + 1]?.startsWith("-") === false) at++;
  }
  return args;
}

const NOT_FOR_WORKERS =
  /^(-e|-p|-pe|-c|--(eval|print|check|inspect|test|watch|input-type|cpu-prof|heap-prof|prof|experimental-test)([-=].*)?)$/;

const TRAITS: Traits = {
  canKill: true,
  sendsAhead: true,
  recalls: "on request",
  copiesEach: false,
  sharesMemory: false,
  transfers: false,
  losesWorkers: true,
  isolatesCrashes: true,
  capturesOutput: true,
  roomVaries: false,
};

/** How long the last output of a dead child may take to arrive, where something else holds its pipes open. */
const LAST_WORDS_MS = 200;

interface ProcessSettings {
  readonly url: string;
  readonly data: unknown;
  readonly env: NodeJS.ProcessEnv;
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
}

interface Child {
  readonly process: ChildProcess;
  readonly channel: Duplex;
  readonly control: Duplex;
  error: unknown;
  hasEnded: boolean;
}

class ProcessesBackend implements Backend {
  readonly name = "processes";
  readonly subject: string;
  readonly traits: Traits = TRAITS;
  readonly plan: Plan;
  readonly #settings: ProcessSettings;
  readonly #children = new Map<number, Child>();
  #host: BackendHost | undefined;

  constructor(plan: Plan, settings: ProcessSettings) {
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
    const { url, data, env, argv, execArgv } = this.#settings;
    const start: WorkerStart = { url, data, workerId, concurrency: this.plan.concurrency };
    let child: Child;
    try {
      const first = encodeAny(start);
      child = launch([...execArgv, fileURLToPath(neighbour("entry", import.meta.url)), ...argv], env);
      child.channel.write(first);
    } catch (error) {
      // `data` that cannot be copied, an option that Node refuses.
      queueMicrotask(() => this.#host?.workerDown(worker, { cause: error }));
      return { host: hostname() };
    }
    this.#children.set(worker, child);
    this.#listen(worker, child);
    const { pid } = child.process;
    return pid === undefined ? { host: hostname() } : { host: hostname(), pid };
  }

  send(worker: number, request: WorkerRequest): void {
    this.#children.get(worker)?.channel.write(encodeRequest(request));
  }

  recall(worker: number, tickets: readonly number[]): readonly number[] | undefined {
    return this.#ask(worker, [...tickets]) ? undefined : [];
  }

  recallItems(worker: number, ticket: number): number {
    return this.#ask(worker, ticket) ? -1 : Number.MAX_SAFE_INTEGER;
  }

  stop(worker: number): void {
    this.send(worker, [DRAIN]);
  }

  kill(worker: number): void {
    this.#children.get(worker)?.process.kill("SIGKILL");
  }

  async close(): Promise<void> {
    this.#host = undefined;
  }

  #ask(worker: number, request: ControlRequest): boolean {
    const child = this.#children.get(worker);
    if (child === undefined) return false;
    child.control.write(`${JSON.stringify(request)}\n`);
    return true;
  }

  #listen(worker: number, child: Child): void {
    const { process: spawned, channel, control } = child;
    const read = decoder((message) => this.#host?.reply(worker, message as WorkerReply));
    const fail = (error: unknown): void => {
      child.error ??= error;
      spawned.kill("SIGKILL");
    };
    channel.on("data", (bytes: Buffer) => {
      try {
        read.push(bytes);
      } catch (error) {
        fail(error);
      }
    });
    // Writing to a child that is gone fails; that it is gone is told by its exit.
    channel.on("error", () => {});
    control.on("error", () => {});
    const replies = new LineReader((line) => {
      const reply = JSON.parse(line) as ControlReply;
      if (typeof reply[0] === "number") this.#host?.itemsRecalled(worker, reply[0], reply[1] as number);
      else this.#host?.recalled(worker, reply[0], reply[1] as readonly number[]);
    });
    control.on("data", (bytes: Buffer) => replies.push(bytes));
    spawned.stdout?.on("data", (data: Buffer) => this.#wrote(worker, 1, data));
    spawned.stderr?.on("data", (data: Buffer) => this.#wrote(worker, 2, data));
    spawned.on("error", (error) => {
      child.error ??= error;
      if (spawned.pid === undefined) this.#ended(worker, child, null, null);
    });
    // 'exit' may come before the last bytes; 'close' does not, but waits for whoever else holds the pipes.
    spawned.on("exit", (code, signal) => {
      setTimeout(() => this.#ended(worker, child, code, signal), LAST_WORDS_MS).unref();
    });
    spawned.on("close", (code, signal) => this.#ended(worker, child, code, signal));
    unref(child);
  }

  #wrote(worker: number, stream: 1 | 2, data: Buffer): void {
    this.#host?.reply(worker, [[], [], [], [[OUTPUT, null, stream, data.toString("utf8")]]]);
  }

  #ended(worker: number, child: Child, code: number | null, signal: NodeJS.Signals | null): void {
    if (child.hasEnded) return;
    child.hasEnded = true;
    this.#children.delete(worker);
    for (const stream of [child.channel, child.control, child.process.stdout, child.process.stderr]) stream?.destroy();
    this.#host?.workerDown(worker, {
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
      cause: child.error,
    });
  }
}

function launch(args: readonly string[], env: NodeJS.ProcessEnv): Child {
  // Node reads options through their prototype.
  const options = { __proto__: null, env, stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"], windowsHide: true };
  const spawned = spawn(process.execPath, args, options as SpawnOptions);
  // Where the process could not be made at all there are no pipes; 'error' tells.
  const [, , , channel, control] = spawned.stdio as unknown as readonly [null, Readable, Readable, Duplex, Duplex];
  return { process: spawned, channel, control, error: undefined, hasEnded: false };
}

/** An idle pool keeps nothing alive. */
function unref(child: Child): void {
  child.process.unref();
  for (const stream of [child.channel, child.control, child.process.stdout, child.process.stderr]) {
    (stream as { unref?(): void } | null)?.unref?.();
  }
}
