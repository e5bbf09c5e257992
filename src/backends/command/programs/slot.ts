// A worker of this backend: one program after the other. Turns requests into runs, and ends into answers.
import { StringDecoder } from "node:string_decoder";
import { toErrorRecord } from "../../../protocol/error-record.ts";
import {
  ABORT,
  DRAIN,
  FAILED,
  OUTPUT,
  PERMANENT,
  RUN,
  type RunRequest,
  type TaskId,
  THROWN,
  type WorkerReply,
  type WorkerRequest,
} from "../../../protocol/messages.ts";
import { unpack } from "../../../protocol/packing.ts";
import type { WorkerLoss } from "../../backend.ts";
import type { Place } from "../../lineup.ts";
import { guardedFarArgv, SSH } from "../../ssh.ts";
import { findProgram } from "../find-program.ts";
import { nameOf, toWords, wordsOf } from "./argument.ts";
import { type Ended, endedOf } from "./ended.ts";
import type { Face } from "./face.ts";
import type { Launcher } from "./launcher.ts";
import { type LauncherReply, ORDERS, type RunMessage } from "./messages.ts";
import type { Output } from "./output.ts";
import type { Program } from "./program.ts";
import { startError } from "./program-error.ts";

export interface SlotListener {
  /** It can take programs. */
  up(): void;
  /** The machine where it is cannot be reached, or runs no programs. */
  unreachable(cause: unknown, isForGood: boolean): void;
  reply(reply: WorkerReply): void;
  down(loss: WorkerLoss): void;
}

/** What all slots have in common. */
export interface Surroundings {
  readonly launcher: Launcher;
  /** Where a program is; its name where it is not found. */
  locate(program: string, place: Place): string;
  readonly face: Face;
}

/** A machine that is reached by ssh, and how. */
export interface FarSide {
  readonly host: string;
  readonly ssh: readonly string[] | undefined;
  /** Where programs run there. */
  readonly cwd: string;
  /** Variables beside those of that machine. */
  readonly env: Readonly<Record<string, string>>;
}

interface Job {
  readonly ticket: number;
  readonly id: TaskId;
  readonly program: string;
  isAborted: boolean;
}

export class Slot {
  /** From 1; one that is free again goes to the next worker. */
  readonly number: number;
  readonly place: Place;
  readonly #farSide: FarSide | undefined;
  readonly #surroundings: Surroundings;
  readonly #listener: SlotListener;
  #job: Job | undefined;
  #isReaching = false;
  #isStopping = false;
  #isKilled = false;

  /** @param farSide where it is; undefined for this machine */
  constructor(
    number: number,
    place: Place,
    farSide: FarSide | undefined,
    surroundings: Surroundings,
    listener: SlotListener,
  ) {
    this.number = number;
    this.place = place;
    this.#farSide = farSide;
    this.#surroundings = surroundings;
    this.#listener = listener;
  }

  /** Sees whether programs can be started where it is. */
  open(): void {
    if (this.#farSide === undefined) {
      queueMicrotask(() => this.#openHere());
      return;
    }
    this.#isReaching = true;
    this.#surroundings.launcher.run(this.#request(TRUE), {
      ended: (reply) => this.#reached(reply),
      lost: (cause) => this.#leave(() => {}, { cause }),
    });
  }

  /** A program that is not there need not be tried. */
  #openHere(): void {
    const { argv, env, cwd } = this.place;
    const [name] = argv;
    const found = name === undefined || name.includes("{}") ? undefined : findProgram(name, env["PATH"], cwd);
    if (found === undefined || found.kind === "program") this.#listener.up();
    else this.#listener.unreachable(new Error(`Cannot start ${name}: ${found.why}`), true);
  }

  receive(request: WorkerRequest): void {
    switch (request[0]) {
      case RUN:
        this.#run(request);
        break;
      case ABORT:
        if (this.#job?.ticket !== request[1]) return;
        this.#job.isAborted = true;
        this.#surroundings.launcher.signal(this.number, "SIGTERM");
        break;
      case DRAIN:
        this.stop();
        break;
      default:
      // There are no streams here.
    }
  }

  /** Ends once nothing runs. */
  stop(): void {
    this.#isStopping = true;
    if (!this.#isRunning) this.#listener.down({});
  }

  /** Ends what runs, and then itself. */
  kill(): void {
    this.#isKilled = true;
    if (!this.#isRunning) this.#listener.down({});
    else this.#surroundings.launcher.signal(this.number, "SIGKILL");
  }

  get #isRunning(): boolean {
    return this.#job !== undefined || this.#isReaching;
  }

  #run([, , tickets, ids, inputs, extras]: RunRequest): void {
    const [ticket] = tickets as readonly [number];
    const extra = extras === 0 ? 0 : extras[0]!;
    // The map sends the items of a chunk that nobody has opened one by one.
    if (extra !== 0 && extra.isChunk === true) this.#listener.reply([[ticket], [0], [undefined], 0]);
    else this.#start(ticket, typeof ids === "number" ? ids : ids[0]!, unpack(inputs)[0]);
  }

  #start(ticket: number, id: TaskId, input: unknown): void {
    let program: Program;
    let request: RunMessage;
    try {
      program = this.#surroundings.face.programOf(input, this.place);
      request = this.#request(program);
    } catch (error) {
      // Not within the call that sends it.
      queueMicrotask(() => this.#failed(ticket, 0, error, PERMANENT));
      return;
    }
    const job = { ticket, id, program: nameOf(program.argv, this.number), isAborted: false };
    this.#job = job;
    this.#surroundings.launcher.run(request, {
      ended: (reply) => this.#ended(job, reply),
      lost: (cause) => this.#leave(() => {}, { cause, hasBegun: (asked) => asked === ticket }),
    });
  }

  #request(program: Program): RunMessage {
    return this.#farSide === undefined ? this.#nearRequest(program) : this.#farRequest(program, this.#farSide);
  }

  #nearRequest({ argv, env, stdin, cwd = this.place.cwd }: Program): RunMessage {
    const words = toWords(argv, this.number);
    const [name = ""] = words;
    // Another PATH may mean another program.
    const file = env === this.place.ownEnv ? this.#surroundings.locate(name, this.place) : name;
    return [
      "run",
      this.number,
      file,
      words,
      env === undefined ? 0 : withNulls(env),
      stdin === undefined ? 0 : base64(stdin),
      cwd ?? 0,
    ];
  }

  #farRequest({ argv, env, stdin }: Program, { host, ssh, cwd, env: usual }: FarSide): RunMessage {
    if (stdin !== undefined) throw new TypeError(`Cannot give a program on ${host} something to read`);
    const given = { ...usual, ...env };
    const variables = Object.fromEntries(
      Object.entries(given).filter((pair) => pair[1] !== undefined),
    ) as FarSide["env"];
    const words = guardedFarArgv({
      ...(ssh === undefined ? {} : { ssh }),
      host,
      words: wordsOf(argv, this.number),
      cwd,
      env: variables,
    });
    return ["run", this.number, this.#surroundings.locate(words[0]!, this.place), words, 0, ORDERS, 0];
  }

  #reached(reply: LauncherReply): void {
    this.#isReaching = false;
    const failure = this.#whyNotReached(reply);
    if (this.#isKilled || this.#isStopping) this.#listener.down({});
    else if (failure === undefined) this.#listener.up();
    else this.#listener.unreachable(failure, false);
  }

  #whyNotReached(reply: LauncherReply): Error | undefined {
    const { host, ssh = SSH } = this.#farSide!;
    if (reply[0] === "failed") return startError(ssh[0]!, reply[2], reply[3]);
    const { ended, stderr } = endedOf(reply, host);
    ended.stdout.close();
    stderr.close();
    return ended.exitCode === 0 ? undefined : cutOff(host, ended);
  }

  #ended(job: Job, reply: LauncherReply): void {
    const { ticket } = job;
    if (reply[0] === "failed") {
      this.#failed(ticket, 0, startError(job.program, reply[2], reply[3]), THROWN);
      return;
    }
    const { ended, stderr, isCutOff } = endedOf(reply, this.#farSide?.host);
    const { face } = this.#surroundings;
    const micros = Math.round(ended.runMs * 1000);
    if (isCutOff || this.#isKilled) {
      ended.stdout.close();
      if (isCutOff || !face.tellsStderr) stderr.close();
      else this.#pass(job.id, stderr);
      const how = isCutOff ? { cause: cutOff(this.place.host, ended) } : { signal: "SIGKILL" };
      this.#leave(() => {}, { ...how, hasBegun: (asked) => asked === ticket });
      return;
    }
    if (face.tellsStderr) this.#pass(job.id, stderr);
    const outcome = face.outcomeOf(job.program, ended, stderr);
    // Nobody waits for the answer any more.
    if (job.isAborted) ended.stdout.close();
    if ("error" in outcome) this.#failed(ticket, micros, outcome.error, THROWN);
    else this.#leave(() => this.#listener.reply([[ticket], [micros], [outcome.value], 0]));
  }

  #failed(ticket: number, micros: number, error: unknown, how: number): void {
    this.#leave(() => this.#listener.reply([[], [], [], [[FAILED, ticket, micros, toErrorRecord(error), how]]]));
  }

  /** The program is over: says so. */
  #leave(say: () => void, loss?: WorkerLoss): void {
    this.#job = undefined;
    say();
    if (loss !== undefined || this.#isStopping || this.#isKilled) this.#listener.down(loss ?? {});
  }

  /** What it wrote on stderr, whole, with its last line ended. */
  #pass(id: TaskId, stderr: Output): void {
    const decoder = new StringDecoder("utf8");
    let last = "";
    for (const piece of stderr.pieces()) {
      last = decoder.write(piece);
      this.#print(id, last);
    }
    const end = decoder.end();
    if (stderr.size > 0 && !(last + end).endsWith("\n")) this.#print(id, `${end}\n`);
    stderr.close();
  }

  #print(id: TaskId, text: string): void {
    this.#listener.reply([[], [], [], [[OUTPUT, id, 2, text]]]);
  }
}

const TRUE: Program = { argv: ["true"] };

/** What ssh says of its failure. */
function cutOff(host: string, { exitCode, lastWords }: Ended): Error {
  const why = lastWords.split("\n").at(-1)?.trim() ?? "";
  return new Error(`Cannot run programs on ${host}: ${why === "" ? `ssh exited with ${exitCode}` : why}`);
}

function withNulls(env: Readonly<Record<string, string | undefined>>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? null]));
}

function base64(content: string | Uint8Array): string {
  return Buffer.from(content as string).toString("base64");
}
