// Runs programs of this machine, one a task. Internal for now: the command line's `map -- command`.
import { availableParallelism, hostname } from "node:os";
import { ConfigError } from "../../protocol/errors.ts";
import { HELLO, PROTOCOL_VERSION, type WorkerRequest } from "../../protocol/messages.ts";
import { environment, positiveWholeNumber, readOptions } from "../../protocol/options.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts, WorkerLoss } from "../backend.ts";
import { planOf } from "../module-options.ts";
import { findProgram } from "./find-program.ts";
import { Launcher } from "./launcher.ts";
import { Slot, type Surroundings } from "./slot.ts";

export { type Argument, type Piece, SLOT } from "./argument.ts";
export type { Ended } from "./ended.ts";
export { findProgram, isExecutable } from "./find-program.ts";
export type { Output } from "./output.ts";
export type { Program } from "./program.ts";

export interface ProgramsOptions {
  /** How many programs run at once, default the machine's available parallelism. */
  readonly size?: number;
  /** Environment variables beside this process's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Programs of this machine, each in a process group of its own. A task's input is a `Program`, its value an `Ended`; it fails with a
 * `ProgramError`. Tasks may have any name.
 *
 * @throws ConfigError for a wrong option
 */
export function programs(options?: ProgramsOptions): Backend {
  const given = readOptions("programs()", options, { size: positiveWholeNumber, env: environment });
  const size = given.size ?? availableParallelism();
  const plan = planOf(
    {
      size: { min: size, max: size, idleMs: 0 },
      series: undefined,
      concurrency: 1,
      startTimeoutMs: undefined,
      maxTasks: undefined,
      maxRssMb: undefined,
    },
    ["program", "local"],
    size,
  );
  // A copy: reading process.env is slow.
  return new ProgramsBackend(plan, { ...process.env, ...given.env });
}

const TRAITS: Traits = {
  startsWorkers: true,
  canKill: true,
  sendsAhead: false,
  recalls: "never",
  copiesEach: true,
  sharesMemory: false,
  transfers: false,
  losesWorkers: true,
  isolatesCrashes: true,
  capturesOutput: true,
  roomVaries: false,
};

class ProgramsBackend implements Backend {
  readonly name = "programs";
  readonly subject = "programs of this machine";
  readonly traits: Traits = TRAITS;
  readonly plan: Plan;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #slots = new Map<number, Slot>();
  readonly #paths = new Map<string, string>();
  #surroundings: Surroundings | undefined;
  #host: BackendHost | undefined;

  constructor(plan: Plan, env: Readonly<Record<string, string | undefined>>) {
    this.plan = plan;
    this.#env = env;
  }

  open(host: BackendHost): void {
    if (this.#host !== undefined) throw new ConfigError(`Cannot use backend ${this.name}: another pool has it`);
    this.#host = host;
  }

  start(worker: number): WorkerFacts {
    const slot = new Slot(this.#freeNumber(), this.#surround(), {
      reply: (reply) => this.#host?.reply(worker, reply),
      down: (loss) => this.#down(worker, loss),
    });
    this.#slots.set(worker, slot);
    queueMicrotask(() => this.#host?.reply(worker, [[], [], [], [[HELLO, PROTOCOL_VERSION, ["run"], 0]]]));
    return { host: hostname() };
  }

  send(worker: number, request: WorkerRequest): void {
    this.#slots.get(worker)?.receive(request);
  }

  recall(): readonly number[] {
    return [];
  }

  recallItems(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  stop(worker: number): void {
    this.#slots.get(worker)?.stop();
  }

  kill(worker: number): void {
    this.#slots.get(worker)?.kill();
  }

  async close(): Promise<void> {
    this.#host = undefined;
    await this.#surroundings?.launcher.close();
  }

  /** Looked for once, as shells do: the system tries every folder of PATH, at each start. */
  #locate(program: string): string {
    let path = this.#paths.get(program);
    if (path === undefined) {
      const found = findProgram(program, this.#env["PATH"]);
      path = found.kind === "program" ? found.path : program;
      this.#paths.set(program, path);
    }
    return path;
  }

  #surround(): Surroundings {
    if (this.#surroundings === undefined || this.#surroundings.launcher.isGone) {
      this.#surroundings = { launcher: new Launcher(this.#env), locate: (program) => this.#locate(program) };
    }
    return this.#surroundings;
  }

  #freeNumber(): number {
    const taken = new Set(Array.from(this.#slots.values(), ({ number }) => number));
    let number = 1;
    while (taken.has(number)) number++;
    return number;
  }

  #down(worker: number, loss: WorkerLoss): void {
    // Said in a turn of its own: nobody expects a worker to be gone within the call that ends it.
    queueMicrotask(() => {
      if (this.#slots.delete(worker)) this.#host?.workerDown(worker, loss);
    });
  }
}
