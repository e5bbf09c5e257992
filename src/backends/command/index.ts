/**
 * Runs tasks in programs of any language, which speak the stdio protocol on standard input and output; through ssh on other machines.
 *
 *     const pool = new Pool(command(["python3", "worker.py"], { size: 4 }));
 *     const far = new Pool(command([["ssh", "one", "worker"], ["ssh", "two", "worker"]]));
 *
 * @module
 */
import { availableParallelism, hostname } from "node:os";
import { ConfigError } from "../../protocol/errors.ts";
import { HELLO, OUTPUT, PROTOCOL_VERSION, type WorkerReply, type WorkerRequest } from "../../protocol/messages.ts";
import {
  environment,
  func,
  milliseconds,
  oneOf,
  positiveWholeNumber,
  type Rule,
  readOptions,
  seriesNames,
  show,
  text,
} from "../../protocol/options.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts } from "../backend.ts";
import { Lineup, messageOf, type Place, type PlaceSettings } from "../lineup.ts";
import { moduleRules, planOf } from "../module-options.ts";
import { whyNotExecutable } from "./guarded.ts";
import { PastPerformance } from "./past-performance.ts";
import { type ProgramEnd, WorkerProgram } from "./worker-program.ts";

export { type SshOptions, ssh } from "../ssh.ts";

/** A program and how many of it. */
export interface CommandEntry {
  readonly argv: readonly string[];
  /** Workers with this argument list, default 1. */
  readonly count?: number;
  /** Labels that these workers serve beside the backend's own. */
  readonly series?: string | readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Where they run, for whoever looks; default this machine's name. */
  readonly host?: string;
}

/** What a worker printed after it was told to end. */
export interface Tail {
  readonly workerId: string;
  readonly argv: readonly string[];
  readonly lines: readonly string[];
}

export interface CommandOptions {
  /** How many workers: with one argument list a number of them, default the machine's parallelism; with several at most so many, default all. */
  readonly size?: number;
  /** Labels that its workers serve beside `command` and those of their entry. */
  readonly series?: string | readonly string[];
  /** Given to each worker in the hello. */
  readonly data?: unknown;
  /** Tasks at once in one worker, where it can; default 1. */
  readonly concurrency?: number;
  /** How long a worker may take to be ready, default 30,000 ms. */
  readonly startTimeoutMs?: number;
  /** Replaces a worker after so many tasks; default never. */
  readonly maxTasks?: number;
  /** Environment variables beside this process's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Where a worker's messages come from: its standard output, the default, or descriptor 3. */
  readonly channel?: "stdout" | "fd3";
  /** Sent to each worker in order before its first task. */
  readonly prepare?: readonly unknown[];
  /** Told what a worker printed after it was told to end. */
  readonly onTail?: (tail: Tail) => void;
  /** A file that remembers which words of the argument lists, hosts above all, did well. */
  readonly pastPerformance?: string;
  /** How often a silent worker is asked whether it lives, default 5,000 ms; 0 for never. */
  readonly heartbeatMs?: number;
}

type Command = readonly string[] | readonly (readonly string[] | CommandEntry)[];

/**
 * Workers that are programs: started from argument lists, without a shell, and spoken to by lines of JSON.
 *
 * @param argv one argument list, or a list of argument lists or entries: a worker each
 * @throws ConfigError for a wrong option
 */
export function command(argv: Command, options?: CommandOptions): Backend {
  const given = readOptions("command()", options, {
    size: moduleRules.size,
    series: moduleRules.series,
    data: moduleRules.data,
    concurrency: moduleRules.concurrency,
    startTimeoutMs: moduleRules.startTimeoutMs,
    maxTasks: moduleRules.maxTasks,
    env: environment,
    cwd: text,
    channel: oneOf("stdout", "fd3"),
    prepare: list,
    onTail: func as Rule<(tail: Tail) => void>,
    pastPerformance: text,
    heartbeatMs: milliseconds,
  });
  const shared = { env: { ...process.env, ...given.env }, cwd: given.cwd };
  const places = placesOf(argv, shared);
  const own = ["command", ...(places.every(({ host }) => host === hostname()) ? ["local"] : [])];
  const isOne = places.length === 1 && isArgv(argv);
  const plan = planOf({ ...given, maxRssMb: undefined }, own, isOne ? availableParallelism() : places.length);
  const size = isOne ? plan.size : { ...plan.size, max: Math.min(plan.size.max, places.length) };
  return new CommandBackend({ ...plan, size: { ...size, min: Math.min(size.min, size.max) } }, places, {
    channel: given.channel ?? "stdout",
    data: given.data,
    prepare: given.prepare ?? [],
    onTail: given.onTail,
    pastPerformance: given.pastPerformance,
    heartbeatMs: given.heartbeatMs ?? HEARTBEAT_MS,
  });
}

const HEARTBEAT_MS = 5_000;

const list: Rule<readonly unknown[]> = (value, refuse) =>
  Array.isArray(value) ? (value as unknown[]) : refuse("a list");

const arguments_: Rule<readonly string[]> = (value, refuse) =>
  isArgv(value) && value.every((word) => !word.includes("\0")) ? value : refuse("a list of texts, the program first");

function isArgv(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === "string") && value[0] !== "";
}

function placesOf(
  argv: unknown,
  shared: { readonly env: NodeJS.ProcessEnv; readonly cwd: string | undefined },
): PlaceSettings[] {
  const refuse = (): never => {
    throw new ConfigError(
      `Cannot use ${show(argv)} as a command: expected a list of texts, the program first, or a list of such lists`,
    );
  };
  if (!Array.isArray(argv) || argv.length === 0) return refuse();
  const entries: readonly unknown[] = isArgv(argv) ? [argv] : argv;
  return entries.flatMap((entry) => {
    if (Array.isArray(entry) ? !isArgv(entry) : typeof entry !== "object" || entry === null) return refuse();
    const given = readOptions("an entry of command()", Array.isArray(entry) ? { argv: entry as unknown } : entry, {
      argv: arguments_,
      count: positiveWholeNumber,
      series: seriesNames,
      env: environment,
      cwd: text,
      host: text,
    });
    if (given.argv === undefined) return refuse();
    const place: PlaceSettings = {
      argv: given.argv,
      env: given.env === undefined ? shared.env : { ...shared.env, ...given.env },
      cwd: given.cwd ?? shared.cwd,
      host: given.host ?? hostname(),
      series: given.series ?? [],
    };
    return new Array<PlaceSettings>(given.count ?? 1).fill(place);
  });
}

const TRAITS: Traits = {
  startsWorkers: true,
  canKill: true,
  sendsAhead: true,
  recalls: "on request",
  copiesEach: true,
  sharesMemory: false,
  transfers: false,
  losesWorkers: true,
  isolatesCrashes: true,
  capturesOutput: true,
};

interface CommandSettings {
  readonly channel: "stdout" | "fd3";
  readonly data: unknown;
  readonly prepare: readonly unknown[];
  readonly onTail: ((tail: Tail) => void) | undefined;
  readonly pastPerformance: string | undefined;
  readonly heartbeatMs: number;
}

/** A worker as the pool knows it, in whichever program it is at present. */
interface Hand {
  readonly workerId: string;
  place: Place;
  program: WorkerProgram | undefined;
  restart: NodeJS.Timeout | undefined;
  isStopping: boolean;
  /** It is never free: nothing comes in its place. */
  isGivenUp: boolean;
}

class CommandBackend implements Backend {
  readonly name = "command";
  readonly subject: string;
  readonly traits: Traits = TRAITS;
  readonly plan: Plan;
  readonly #settings: CommandSettings;
  readonly #past: PastPerformance | undefined;
  readonly #lineup: Lineup;
  readonly #hands = new Map<number, Hand>();
  #host: BackendHost | undefined;

  constructor(plan: Plan, places: readonly PlaceSettings[], settings: CommandSettings) {
    this.plan = plan;
    this.#settings = settings;
    const { pastPerformance } = settings;
    this.#past =
      pastPerformance === undefined
        ? undefined
        : new PastPerformance(pastPerformance, (message) => process.emitWarning(message));
    this.#lineup = new Lineup(places, this.#past);
    this.subject = places[0]!.argv.join(" ");
  }

  open(host: BackendHost): void {
    if (this.#host !== undefined)
      throw new ConfigError(`Cannot use backend ${this.name} with ${this.subject}: another pool has it`);
    this.#host = host;
  }

  start(worker: number, workerId: string): WorkerFacts {
    const place = this.#lineup.take();
    const hand: Hand = { workerId, place, program: undefined, restart: undefined, isStopping: false, isGivenUp: false };
    this.#hands.set(worker, hand);
    this.#launch(worker, hand);
    const pid = (hand as { program: WorkerProgram | undefined }).program?.pid;
    return { host: place.host, ...(pid === undefined ? {} : { pid }), series: place.series };
  }

  send(worker: number, request: WorkerRequest): void {
    this.#hands.get(worker)?.program?.conversation?.send(request);
  }

  recall(worker: number, tickets: readonly number[]): readonly number[] | undefined {
    const conversation = this.#hands.get(worker)?.program?.conversation;
    return conversation === undefined ? [] : conversation.recall(tickets);
  }

  recallItems(worker: number, ticket: number): number {
    return this.#hands.get(worker)?.program?.conversation?.recallItems(ticket) ?? Number.MAX_SAFE_INTEGER;
  }

  stop(worker: number): void {
    const hand = this.#hands.get(worker);
    if (hand === undefined) return;
    hand.isStopping = true;
    hand.program?.drain();
  }

  kill(worker: number): void {
    const hand = this.#hands.get(worker);
    if (hand === undefined) return;
    if (hand.restart === undefined) {
      hand.isStopping = true;
      hand.program?.kill();
      return;
    }
    clearTimeout(hand.restart);
    this.#lineup.left(hand.place);
    this.#gone(worker, { wasReady: false, lastWords: "", cause: new Error(`it was not ready in time`) });
  }

  async close(): Promise<void> {
    this.#host = undefined;
    try {
      this.#past?.save();
    } catch (error) {
      process.emitWarning(`Cannot write past performance: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #launch(worker: number, hand: Hand): void {
    const { place } = hand;
    const why = whyNotExecutable(place.argv[0]!, place.env, place.cwd);
    if (why !== undefined) {
      const cause = new Error(`Cannot start ${place.argv[0]}: ${why}`);
      queueMicrotask(() => this.#failed(worker, hand, { wasReady: false, lastWords: "", cause }, true));
      return;
    }
    const { channel, data, prepare, heartbeatMs, onTail } = this.#settings;
    const { concurrency } = this.plan;
    const { workerId } = hand;
    hand.program = new WorkerProgram(
      { argv: place.argv, env: place.env, cwd: place.cwd, channel, workerId, concurrency, data, prepare, heartbeatMs },
      {
        ready: ({ hello }) => {
          const abilities = { capacity: hello.concurrency, takesAhead: hello.features.has("ahead") };
          this.#host?.reply(worker, [
            [],
            [],
            [],
            [[HELLO, PROTOCOL_VERSION, hello.tasks, hello.memoryBytes, abilities]],
          ]);
        },
        reply: (reply) => this.#reply(worker, hand, reply),
        recalled: (asked, got) => this.#host?.recalled(worker, asked, got),
        itemsRecalled: (ticket, from) => this.#host?.itemsRecalled(worker, ticket, from),
        wrote: (taskId, stream, words) =>
          this.#host?.reply(worker, [[], [], [], [[OUTPUT, taskId ?? null, stream, words]]]),
        tail: (lines) => onTail?.({ workerId, argv: place.argv, lines }),
        ended: (end) => this.#ended(worker, hand, end),
      },
    );
  }

  #reply(worker: number, hand: Hand, reply: WorkerReply): void {
    if (reply[0].length > 0) this.#lineup.did(hand.place);
    this.#host?.reply(worker, reply);
    const busy = hand.program?.conversation?.busyInARow ?? 0;
    if (busy >= MOST_BUSY && this.#hands.size > 1 && this.#lineup.open > 1) {
      // Enough others live: this one is never free.
      hand.isGivenUp = true;
      hand.program?.kill();
    }
  }

  #ended(worker: number, hand: Hand, end: ProgramEnd): void {
    if (hand.isGivenUp) {
      const cause = new Error(`worker ${hand.workerId} was busy ${MOST_BUSY} times in a row`);
      this.#lineup.giveUp(hand.place, cause);
      this.#gone(worker, { ...end, cause }, true);
    } else if (hand.isStopping || end.wasReady) {
      if (hand.isStopping) this.#lineup.left(hand.place);
      else this.#lineup.died(hand.place);
      this.#gone(worker, end);
    } else this.#failed(worker, hand, end, false);
  }

  /** It did not start. Nobody knows of it yet: it is tried again as the same worker, or given up. */
  #failed(worker: number, hand: Hand, end: ProgramEnd, isHopeless: boolean): void {
    if (!this.#hands.has(worker)) return;
    const againMs = this.#lineup.failed(hand.place, reasonOf(end), isHopeless);
    if (againMs < 0) {
      this.#gone(worker, end, true);
      return;
    }
    hand.program = undefined;
    hand.place.isTaken = true;
    hand.restart = setTimeout(() => {
      hand.restart = undefined;
      this.#launch(worker, hand);
    }, againMs);
  }

  #gone(worker: number, end: ProgramEnd, isForGood = false): void {
    this.#hands.delete(worker);
    const { exitCode, signal, cause } = end;
    const isLast = isForGood && this.#lineup.open === 0;
    const why = isLast ? (this.#lineup.whyNone() ?? cause) : cause;
    if (isForGood && !isLast) this.#warn(reasonOf(end));
    this.#host?.workerDown(worker, {
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      ...(why === undefined ? {} : { cause: why }),
      isForGood,
    });
  }

  #warn(cause: unknown): void {
    process.emitWarning(`manyhands goes on without one worker: ${messageOf(cause)}`);
  }
}

/** So often busy in a row, and a worker is given up where others live. */
const MOST_BUSY = 10;

function reasonOf({ cause, exitCode, signal, lastWords }: ProgramEnd): unknown {
  if (cause !== undefined) return cause;
  const how = signal === undefined ? `it exited with code ${exitCode ?? "unknown"}` : `it was ended by ${signal}`;
  return new Error(lastWords === "" ? how : `${how}: ${lastWords}`);
}
