// Runs programs, one a task, here or on other machines. Internal: the command line's `map -- command`.
import { availableParallelism, hostname } from "node:os";
import { ConfigError } from "../../../protocol/errors.ts";
import { HELLO, PROTOCOL_VERSION, type TaskId, type WorkerRequest } from "../../../protocol/messages.ts";
import { environment, func, positiveWholeNumber, type Rule, readOptions } from "../../../protocol/options.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts, WorkerLoss } from "../../backend.ts";
import { Lineup, messageOf, type Place, type PlaceSettings } from "../../lineup.ts";
import { planOf } from "../../module-options.ts";
import { findProgram } from "../find-program.ts";
import type { Ended } from "./ended.ts";
import type { Face } from "./face.ts";
import { Launcher } from "./launcher.ts";
import { type OneShotOptions, oneShot } from "./one-shot.ts";
import { readProgram } from "./program.ts";
import { errorOf } from "./program-error.ts";
import { type FarSide, Slot, type SlotListener, type Surroundings } from "./slot.ts";

export { findProgram, isExecutable } from "../find-program.ts";
export { type Argument, type Piece, SLOT } from "./argument.ts";
export type { Ended } from "./ended.ts";
export type { Output } from "./output.ts";
export type { Program } from "./program.ts";

/** Where programs run, and how many at once. */
export interface ProgramsHost {
  /** As ssh knows it; undefined for this machine. */
  readonly host: string | undefined;
  readonly slots: number;
}

export interface ProgramsOptions {
  /** How many programs run at once on this machine, default its available parallelism. Without meaning where there are `hosts`. */
  readonly size?: number;
  /** Environment variables beside this process's own, and those of a host; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Machines to run on, default this one. */
  readonly hosts?: readonly ProgramsHost[];
  /** The command of ssh and its options. */
  readonly ssh?: readonly string[];
  /**
   * Told once of each program that was cancelled or took too long, when it has ended: whoever takes what it wrote closes that. Undefined
   * where that is not known. Default: it is dropped.
   */
  readonly onAborted?: (id: TaskId, ended: Ended | undefined) => void;
}

/**
 * Programs, each in a process group of its own. A task's input is a `Program`, its value an `Ended`; it fails with a `ProgramError`.
 * Tasks may have any name. A host that cannot be reached is given up, with a warning, after three tries.
 *
 * @throws ConfigError for a wrong option
 */
export function programs(options?: ProgramsOptions): Backend {
  const given = readOptions("programs()", options, {
    size: positiveWholeNumber,
    env: environment,
    hosts: list as Rule<readonly ProgramsHost[]>,
    ssh: list as Rule<readonly string[]>,
    onAborted: func as Rule<NonNullable<ProgramsOptions["onAborted"]>>,
  });
  const hosts = given.hosts ?? [{ host: undefined, slots: given.size ?? availableParallelism() }];
  // A copy: reading process.env is slow.
  const env = { ...process.env, ...given.env };
  const places = hosts.flatMap(({ host, slots }) => {
    const argv = host === undefined ? [] : [host];
    const place = {
      argv,
      env,
      cwd: undefined,
      host: host ?? hostname(),
      series: [host === undefined ? "local" : "far"],
    };
    return new Array<PlaceSettings>(slots).fill(place);
  });
  const size = places.length;
  const plan = planOf(
    {
      size: { min: size, max: size, idleMs: 0 },
      series: undefined,
      concurrency: 1,
      startTimeoutMs: undefined,
      maxTasks: undefined,
      maxRssMb: undefined,
    },
    ["program"],
    size,
  );
  const far = { ssh: given.ssh, cwd: process.cwd(), env: defined(given.env ?? {}) };
  return new ProgramsBackend({ plan, places, env, face: PLAIN, far, onAborted: given.onAborted ?? drop });
}

/** An input is a program, its value how that ended. */
const PLAIN: Face = {
  tellsStderr: true,
  programOf: readProgram,
  outcomeOf: (program, ended) => (ended.exitCode === 0 ? { value: ended } : { error: errorOf(program, ended) }),
};

const list: Rule<readonly unknown[]> = (value, refuse) =>
  Array.isArray(value) && value.length > 0 ? (value as unknown[]) : refuse("a list");

function defined(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** A launcher starts some thousand programs a second and waits at each; a second one goes on meanwhile. */
const MOST_LAUNCHERS = 4;

const TRAITS: Traits = {
  canKill: true,
  sendsAhead: true,
  recalls: "on request",
  copiesEach: true,
  sharesMemory: false,
  transfers: false,
  losesWorkers: true,
  isolatesCrashes: true,
  capturesOutput: true,
  roomVaries: false,
};

interface ProgramsSettings {
  readonly plan: Plan;
  readonly places: readonly PlaceSettings[];
  /** What all programs have. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly face: Face;
  /** Where the places are hosts by their name, how those are reached; undefined where all are here. */
  readonly far: FarSettings | undefined;
  readonly onAborted: (id: TaskId, ended: Ended | undefined) => void;
}

type FarSettings = Omit<FarSide, "host">;

/** Programs of this machine from argument lists, for inputs of any kind. */
export function oneShotPrograms(
  plan: Plan,
  places: readonly PlaceSettings[],
  env: Readonly<Record<string, string | undefined>>,
  options: OneShotOptions,
): Backend {
  return new ProgramsBackend({ plan, places, env, face: oneShot(options), far: undefined, onAborted: drop });
}

function drop(_id: TaskId, ended: Ended | undefined): void {
  ended?.stdout.close();
}

/** A worker as the pool knows it, in whichever slot it is at present. */
interface Hand {
  slot: Slot;
  restart: NodeJS.Timeout | undefined;
}

class ProgramsBackend implements Backend {
  readonly name = "programs";
  readonly subject: string;
  readonly traits: Traits;
  readonly plan: Plan;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #lineup: Lineup;
  readonly #far: FarSettings | undefined;
  readonly #hands = new Map<number, Hand>();
  readonly #paths = new WeakMap<Place, Map<string, string>>();
  readonly #surroundings: Surroundings;
  readonly #launchers: (Launcher | undefined)[];
  #host: BackendHost | undefined;

  constructor({ plan, places, env, face, far, onAborted }: ProgramsSettings) {
    this.plan = plan;
    this.subject = places[0]!.argv.join(" ") || "programs";
    this.traits = { ...TRAITS, capturesOutput: face.tellsStderr };
    this.#env = env;
    this.#launchers = new Array<undefined>(Math.min(plan.size.max, availableParallelism(), MOST_LAUNCHERS)).fill(
      undefined,
    );
    this.#surroundings = {
      launcherOf: (slot) => this.#launcherOf(slot),
      locate: (program, place) => this.#locate(program, place),
      face,
      onAborted,
    };
    this.#lineup = new Lineup(places, undefined);
    this.#far = far;
  }

  open(host: BackendHost): void {
    if (this.#host !== undefined) throw new ConfigError(`Cannot use backend ${this.name}: another pool has it`);
    this.#host = host;
  }

  start(worker: number): WorkerFacts {
    const place = this.#lineup.take();
    const hand: Hand = { slot: this.#slotAt(place, worker), restart: undefined };
    this.#hands.set(worker, hand);
    hand.slot.open();
    return { host: place.host, series: place.series };
  }

  send(worker: number, request: WorkerRequest): void {
    this.#hands.get(worker)?.slot.receive(request);
  }

  recall(worker: number, tickets: readonly number[]): readonly number[] | undefined {
    const hand = this.#hands.get(worker);
    return hand === undefined ? [] : hand.slot.recall(tickets);
  }

  recallItems(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  stop(worker: number): void {
    const hand = this.#hands.get(worker);
    if (hand?.restart === undefined) hand?.slot.stop();
    else this.#giveOver(worker, hand);
  }

  kill(worker: number): void {
    const hand = this.#hands.get(worker);
    if (hand?.restart === undefined) hand?.slot.kill();
    else this.#giveOver(worker, hand);
  }

  async close(): Promise<void> {
    this.#host = undefined;
    await Promise.all(this.#launchers.map(async (launcher) => launcher?.close()));
  }

  /** Looked for once, as shells do: the system tries every folder of PATH, at each start. */
  #locate(program: string, place: Place): string {
    let paths = this.#paths.get(place);
    if (paths === undefined) this.#paths.set(place, (paths = new Map()));
    let path = paths.get(program);
    if (path === undefined) {
      const found = findProgram(program, place.env["PATH"], place.cwd);
      path = found.kind === "program" ? found.path : program;
      paths.set(program, path);
    }
    return path;
  }

  #launcherOf(slot: number): Launcher {
    const at = slot % this.#launchers.length;
    let launcher = this.#launchers[at];
    if (launcher === undefined || launcher.isGone) {
      launcher = new Launcher(this.#env);
      this.#launchers[at] = launcher;
    }
    return launcher;
  }

  #slotAt(place: Place, worker: number): Slot {
    const [host] = this.#far === undefined ? [] : place.argv;
    const listener: SlotListener = {
      up: () => this.#host?.reply(worker, [[], [], [], [[HELLO, PROTOCOL_VERSION, ["run"], 0]]]),
      unreachable: (cause, isForGood) => this.#unreachable(worker, cause, isForGood),
      reply: (reply) => this.#host?.reply(worker, reply),
      recalled: (asked, got) => this.#host?.recalled(worker, asked, got),
      down: (loss) => {
        this.#lineup.left(place);
        this.#down(worker, loss);
      },
    };
    const farSide = host === undefined ? undefined : { host, ...this.#far! };
    return new Slot(this.#freeNumber(), place, farSide, this.#surroundings, listener);
  }

  #freeNumber(): number {
    const taken = new Set(Array.from(this.#hands.values(), ({ slot }) => slot.number));
    let number = 1;
    while (taken.has(number)) number++;
    return number;
  }

  /** Nobody has given it anything yet: it is tried again as the same worker, or given up. */
  #unreachable(worker: number, cause: unknown, isHopeless: boolean): void {
    const hand = this.#hands.get(worker);
    if (hand === undefined) return;
    const { place } = hand.slot;
    const againMs = this.#lineup.failed(place, cause, isHopeless);
    if (againMs < 0) {
      const isLast = this.#lineup.open === 0;
      if (!isLast) process.emitWarning(`manyhands goes on without one worker: ${messageOf(cause)}`);
      this.#down(worker, { cause: this.#lineup.whyNone() ?? cause, isForGood: true });
      return;
    }
    place.isTaken = true;
    hand.restart = setTimeout(() => {
      hand.restart = undefined;
      hand.slot = this.#slotAt(place, worker);
      hand.slot.open();
    }, againMs);
  }

  #giveOver(worker: number, { slot, restart }: Hand): void {
    clearTimeout(restart);
    this.#lineup.left(slot.place);
    this.#down(worker, { cause: slot.place.reason ?? new Error("it was not ready in time") });
  }

  #down(worker: number, loss: WorkerLoss): void {
    // Said in a turn of its own: nobody expects a worker to be gone within the call that ends it.
    queueMicrotask(() => {
      if (this.#hands.delete(worker)) this.#host?.workerDown(worker, loss);
    });
  }
}
