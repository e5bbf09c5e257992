// A worker of this backend: one program after the other. Turns requests into runs, and ends into answers. The launcher has the next
// ones beforehand, so that no round trip is waited for.
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
import { type LauncherReply, type LauncherRequest, ORDERS, type RunEnd, type RunMessage } from "./messages.ts";
import type { Output } from "./output.ts";
import type { Program } from "./program.ts";
import { startError } from "./program-error.ts";

export interface SlotListener {
  /** It can take programs. */
  up(): void;
  /** The machine where it is cannot be reached, or runs no programs. */
  unreachable(cause: unknown, isForGood: boolean): void;
  reply(reply: WorkerReply): void;
  recalled(asked: readonly number[], got: readonly number[]): void;
  down(loss: WorkerLoss): void;
}

/** What all slots have in common. */
export interface Surroundings {
  /** The launcher for the slot of that number, started where it is not there. */
  launcherOf(slot: number): Launcher;
  /** Where a program is; its name where it is not found. */
  locate(program: string, place: Place): string;
  readonly face: Face;
  /** Told once of each program that was aborted, what became of it: undefined where that is not known. Closes its output. */
  onAborted(id: TaskId, ended: Ended | undefined): void;
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
  /** What became of it after it was aborted. */
  isTold: boolean;
}

/** Names the run that sees whether a host can be reached. */
const REACHING = -1;

export class Slot {
  /** From 1; one that is free again goes to the next worker. */
  readonly number: number;
  readonly place: Place;
  readonly #farSide: FarSide | undefined;
  readonly #surroundings: Surroundings;
  readonly #listener: SlotListener;
  /** By their tickets, in the order in which they run. */
  readonly #jobs = new Map<number, Job>();
  /** Those that ran when the slot was lost. */
  readonly #lost = new Set<number>();
  #launcher: Launcher | undefined;
  #isReaching = false;
  #isStopping = false;
  #isGone = false;
  /** Why it ends, once it does. */
  #loss: WorkerLoss | undefined;

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
    if (this.#farSide === undefined) queueMicrotask(() => this.#openHere());
    else {
      this.#isReaching = true;
      this.#send(this.#request(REACHING, TRUE));
    }
  }

  receive(request: WorkerRequest): void {
    switch (request[0]) {
      case RUN:
        this.#run(request);
        break;
      case ABORT: {
        const job = this.#jobs.get(request[1]);
        if (job === undefined) return;
        job.isAborted = true;
        this.#send(["signal", this.number, job.ticket, "SIGTERM"]);
        break;
      }
      case DRAIN:
        this.stop();
        break;
      default:
      // There are no streams here.
    }
  }

  /** Answers by `recalled`, unless there is nothing to ask for. */
  recall(tickets: readonly number[]): readonly number[] | undefined {
    if (!tickets.some((ticket) => this.#jobs.has(ticket))) return [];
    this.#send(["recall", this.number, tickets]);
    return undefined;
  }

  /** Ends once nothing runs. */
  stop(): void {
    this.#isStopping = true;
    this.#checkStop();
  }

  /** Ends what runs, and then itself. */
  kill(): void {
    this.#end({ signal: "SIGKILL" });
  }

  // ── To the launcher ────────────────────────────────────────────────────────────────────────────────────────────────────

  #run([, , tickets, ids, inputs, extras]: RunRequest): void {
    const values = unpack(inputs);
    for (const [at, ticket] of tickets.entries()) {
      const extra = extras === 0 ? 0 : extras[at]!;
      // The map sends the items of a chunk that nobody has opened one by one.
      if (extra !== 0 && extra.isChunk === true) this.#listener.reply([[ticket], [0], [undefined], 0]);
      else this.#start(ticket, typeof ids === "number" ? ids + at : ids[at]!, values[at]);
    }
  }

  #start(ticket: number, id: TaskId, input: unknown): void {
    let program: Program;
    let request: RunMessage;
    try {
      program = this.#surroundings.face.programOf(input, this.place);
      request = this.#request(ticket, program);
    } catch (error) {
      // Not within the call that sends it.
      queueMicrotask(() => this.#failed(ticket, 0, error, PERMANENT));
      return;
    }
    this.#jobs.set(ticket, { ticket, id, program: nameOf(program.argv, this.number), isAborted: false, isTold: false });
    this.#send(request);
  }

  #send(request: LauncherRequest): void {
    if (this.#launcher === undefined) {
      this.#launcher = this.#surroundings.launcherOf(this.number);
      this.#launcher.open(this.number, {
        reply: (reply) => this.#reply(reply),
        lost: (cause) => this.#launcherLost(cause),
      });
    }
    this.#launcher.send(request);
  }

  #request(run: number, program: Program): RunMessage {
    const farSide = this.#farSide;
    return farSide === undefined ? this.#nearRequest(run, program) : this.#farRequest(run, program, farSide);
  }

  #nearRequest(run: number, { argv, env, stdin, cwd = this.place.cwd }: Program): RunMessage {
    const words = toWords(argv, this.number);
    const [name = ""] = words;
    // Another PATH may mean another program.
    const file = env === this.place.ownEnv ? this.#surroundings.locate(name, this.place) : name;
    const changes = env === undefined ? 0 : withNulls(env);
    return ["run", this.number, run, file, words, changes, stdin === undefined ? 0 : base64(stdin), cwd ?? 0];
  }

  #farRequest(run: number, { argv, env, stdin }: Program, { host, ssh, cwd, env: usual }: FarSide): RunMessage {
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
    return ["run", this.number, run, this.#surroundings.locate(words[0]!, this.place), words, 0, ORDERS, 0];
  }

  // ── From the launcher ──────────────────────────────────────────────────────────────────────────────────────────────────

  #reply(reply: LauncherReply): void {
    switch (reply[0]) {
      case "recalled": {
        const [, , asked, got] = reply;
        for (const ticket of got) this.#jobs.delete(ticket);
        this.#listener.recalled(asked, got);
        this.#checkStop();
        break;
      }
      case "cleared":
        this.#leave();
        break;
      default: {
        const job = this.#jobs.get(reply[2]);
        if (job !== undefined) this.#ended(job, reply);
        else if (this.#isReaching) this.#reached(reply);
      }
    }
  }

  /** A program that is not there need not be tried. */
  #openHere(): void {
    const { argv, env, cwd } = this.place;
    const [name] = argv;
    const found = name === undefined || name.includes("{}") ? undefined : findProgram(name, env["PATH"], cwd);
    if (found === undefined || found.kind === "program") this.#listener.up();
    else this.#listener.unreachable(new Error(`Cannot start ${name}: ${found.why}`), true);
  }

  #reached(reply: RunEnd): void {
    this.#isReaching = false;
    const failure = this.#whyNotReached(reply);
    // One that is to end is told of by its end.
    if (this.#loss !== undefined) return;
    if (this.#isStopping) this.#checkStop();
    else if (failure === undefined) this.#listener.up();
    else {
      this.#launcher?.leave(this.number);
      this.#listener.unreachable(failure, false);
    }
  }

  #whyNotReached(reply: RunEnd): Error | undefined {
    const { host, ssh = SSH } = this.#farSide!;
    if (reply[0] === "failed") return startError(ssh[0]!, reply[3], reply[4]);
    try {
      const { ended, stderr } = endedOf(reply, host);
      ended.stdout.close();
      stderr.close();
      return ended.exitCode === 0 ? undefined : cutOff(host, ended);
    } catch (error) {
      return error as Error;
    }
  }

  #ended(job: Job, reply: RunEnd): void {
    const { ticket } = job;
    if (reply[0] === "failed") {
      if (job.isAborted) this.#aborted(job, undefined);
      this.#failed(ticket, 0, startError(job.program, reply[3], reply[4]), THROWN);
      return;
    }
    const read = this.#read(job, reply);
    if (read === undefined) return;
    const { ended, stderr, isCutOff } = read;
    const { face } = this.#surroundings;
    // Nobody waits for the answer any more.
    if (job.isAborted) this.#aborted(job, ended);
    // What was killed with the slot, or lost with its host, has no answer: the slot's end tells of it.
    if (isCutOff || (this.#loss !== undefined && ended.signal === "SIGKILL")) {
      if (!job.isAborted) ended.stdout.close();
      if (isCutOff || !face.tellsStderr) stderr.close();
      else this.#pass(job.id, stderr);
      this.#lost.add(ticket);
      if (isCutOff) this.#end({ cause: cutOff(this.place.host, ended) });
      return;
    }
    if (face.tellsStderr) this.#pass(job.id, stderr);
    const micros = Math.round(ended.runMs * 1000);
    if (job.isAborted) {
      if (!face.tellsStderr) stderr.close();
      this.#failed(ticket, micros, new Error("it was aborted"), THROWN);
      return;
    }
    const outcome = face.outcomeOf(job.program, ended, stderr);
    if ("error" in outcome) this.#failed(ticket, micros, outcome.error, THROWN);
    else this.#answer(ticket, [[ticket], [micros], [outcome.value], 0]);
  }

  /** Undefined where what it wrote is gone: then the job has failed. */
  #read(job: Job, reply: RunEnd & { readonly 0: "ended" }): ReturnType<typeof endedOf> | undefined {
    try {
      return endedOf(reply, this.#farSide?.host);
    } catch (error) {
      if (job.isAborted) this.#aborted(job, undefined);
      this.#failed(job.ticket, Math.round(reply[6] * 1000), error, THROWN);
      return undefined;
    }
  }

  #aborted(job: Job, ended: Ended | undefined): void {
    job.isTold = true;
    this.#surroundings.onAborted(job.id, ended);
  }

  #failed(ticket: number, micros: number, error: unknown, how: number): void {
    this.#answer(ticket, [[], [], [], [[FAILED, ticket, micros, toErrorRecord(error), how]]]);
  }

  #answer(ticket: number, reply: WorkerReply): void {
    this.#jobs.delete(ticket);
    this.#listener.reply(reply);
    this.#checkStop();
  }

  // ── The end ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #checkStop(): void {
    if (this.#isStopping && this.#jobs.size === 0 && !this.#isReaching) this.#end({});
  }

  /** What waits is forgotten, what runs is killed; then it is down. */
  #end(loss: WorkerLoss): void {
    const isFirst = this.#loss === undefined;
    this.#loss ??= loss;
    if (this.#jobs.size === 0 && !this.#isReaching) this.#leave();
    else if (isFirst) this.#send(["clear", this.number]);
  }

  /** Nobody knows what the launcher has begun. */
  #launcherLost(cause: unknown): void {
    this.#loss = { cause };
    for (const ticket of this.#jobs.keys()) this.#lost.add(ticket);
    this.#leave();
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const job of this.#jobs.values()) if (job.isAborted && !job.isTold) this.#aborted(job, undefined);
    const lost = this.#lost;
    this.#launcher?.leave(this.number);
    this.#listener.down(
      lost.size === 0 && this.#jobs.size === 0
        ? this.#loss!
        : {
            ...this.#loss,
            hasBegun: (ticket) => lost.has(ticket),
          },
    );
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
