// A worker of this backend: one program after the other. Turns requests into runs, and ends into answers.
import { StringDecoder } from "node:string_decoder";
import { toErrorRecord } from "../../protocol/error-record.ts";
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
} from "../../protocol/messages.ts";
import { unpack } from "../../protocol/packing.ts";
import type { WorkerLoss } from "../backend.ts";
import { nameOf, toWords } from "./argument.ts";
import { endedOf } from "./ended.ts";
import type { Launcher } from "./launcher.ts";
import type { LauncherReply, RunMessage } from "./messages.ts";
import type { Output } from "./output.ts";
import { type Program, readProgram } from "./program.ts";
import { errorOf, startError } from "./program-error.ts";

export interface SlotListener {
  reply(reply: WorkerReply): void;
  down(loss: WorkerLoss): void;
}

/** What all slots have in common. */
export interface Surroundings {
  readonly launcher: Launcher;
  /** Where a program is; its name where it is not found. */
  locate(program: string): string;
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
  readonly #surroundings: Surroundings;
  readonly #listener: SlotListener;
  #job: Job | undefined;
  #isStopping = false;
  #isKilled = false;

  constructor(number: number, surroundings: Surroundings, listener: SlotListener) {
    this.number = number;
    this.#surroundings = surroundings;
    this.#listener = listener;
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
    if (this.#job === undefined) this.#listener.down({});
  }

  /** Ends what runs, and then itself. */
  kill(): void {
    this.#isKilled = true;
    if (this.#job === undefined) this.#listener.down({});
    else this.#surroundings.launcher.signal(this.number, "SIGKILL");
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
    let words: readonly string[];
    try {
      program = readProgram(input);
      words = toWords(program.argv, this.number);
    } catch (error) {
      // Not within the call that sends it.
      queueMicrotask(() => this.#failed(ticket, 0, error, PERMANENT));
      return;
    }
    const job = { ticket, id, program: nameOf(program.argv, this.number), isAborted: false };
    this.#job = job;
    this.#surroundings.launcher.run(this.#request(words, program), {
      ended: (reply) => this.#ended(job, reply),
      lost: (cause) => this.#leave(() => {}, { cause, hasBegun: (asked) => asked === ticket }),
    });
  }

  #request(words: readonly string[], { env, stdin }: Program): RunMessage {
    const [name = ""] = words;
    // Another PATH may mean another program.
    const file = env === undefined ? this.#surroundings.locate(name) : name;
    return [
      "run",
      this.number,
      file,
      words,
      env === undefined ? 0 : withNulls(env),
      stdin === undefined ? 0 : base64(stdin),
    ];
  }

  #ended(job: Job, reply: LauncherReply): void {
    const { ticket } = job;
    if (reply[0] === "failed") {
      this.#failed(ticket, 0, startError(job.program, reply[2], reply[3]), THROWN);
      return;
    }
    const { ended, stderr } = endedOf(reply);
    this.#pass(job.id, stderr);
    const micros = Math.round(ended.runMs * 1000);
    // Nobody waits for the answer any more.
    if (job.isAborted || this.#isKilled) ended.stdout.close();
    const error = errorOf(job.program, ended);
    if (this.#isKilled) this.#leave(() => {}, { signal: "SIGKILL", hasBegun: (asked) => asked === ticket });
    else if (error !== undefined) this.#failed(ticket, micros, error, THROWN);
    else this.#leave(() => this.#listener.reply([[ticket], [micros], [ended], 0]));
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

function withNulls(env: Readonly<Record<string, string | undefined>>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? null]));
}

function base64(content: string | Uint8Array): string {
  return Buffer.from(content as string).toString("base64");
}
