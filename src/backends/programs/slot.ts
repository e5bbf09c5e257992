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
import type { Output } from "./capture.ts";
import { readProgram } from "./program.ts";
import { errorOf, startError } from "./program-error.ts";
import { type Ended, Running } from "./running.ts";
import type { Watcher } from "./watcher.ts";

export interface SlotListener {
  reply(reply: WorkerReply): void;
  down(loss: WorkerLoss): void;
}

/** What all slots have in common. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly watcher: Watcher;
  /** Where a program is; its name where it is not found. */
  locate(program: string): string;
}

interface Job {
  readonly ticket: number;
  readonly id: TaskId;
  readonly program: string;
  readonly running: Running;
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
        this.#job.running.abort();
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
    if (this.#job === undefined) this.#down({});
  }

  /** Ends what runs, and then itself. */
  kill(): void {
    this.#isKilled = true;
    if (this.#job === undefined) this.#down({});
    else this.#job.running.kill();
  }

  #run([, , tickets, ids, inputs, extras]: RunRequest): void {
    const [ticket] = tickets as readonly [number];
    const extra = extras === 0 ? 0 : extras[0]!;
    // The map sends the items of a chunk that nobody has opened one by one.
    if (extra !== 0 && extra.isChunk === true) this.#listener.reply([[ticket], [0], [undefined], 0]);
    else this.#start(ticket, typeof ids === "number" ? ids : ids[0]!, unpack(inputs)[0]);
  }

  #start(ticket: number, id: TaskId, input: unknown): void {
    let program = "";
    try {
      const { argv, env, stdin } = readProgram(input);
      program = nameOf(argv, this.number);
      const words = toWords(argv, this.number);
      const { env: usual, locate } = this.#surroundings;
      const [name = ""] = words;
      const where = env === undefined ? { file: locate(name), env: usual } : { file: name, env: { ...usual, ...env } };
      const running = new Running(
        { slot: this.number, words, stdin, ...where },
        {
          ended: (ended) => this.#ended(ended),
          failed: (error) => this.#failed(ticket, 0, startError(program, error), THROWN),
        },
      );
      this.#job = { ticket, id, program, running, isAborted: false };
      if (running.pid !== undefined) this.#surroundings.watcher.note(this.number, running.pid);
    } catch (error) {
      // Not within the call that sends it.
      queueMicrotask(() => this.#failed(ticket, 0, program === "" ? error : startError(program, error), PERMANENT));
    }
  }

  #ended(ended: Ended): void {
    const job = this.#job;
    if (job === undefined) return;
    this.#pass(job.id, ended.stderr);
    const micros = Math.round(ended.runMs * 1000);
    const { stdout } = ended;
    // Nobody waits for the answer any more.
    if (job.isAborted || this.#isKilled) stdout.close();
    const error = errorOf(job.program, ended);
    if (this.#isKilled) this.#leave(() => {}, { signal: "SIGKILL", hasBegun: (ticket) => ticket === job.ticket });
    else if (error !== undefined) this.#failed(job.ticket, micros, error, THROWN);
    else this.#leave(() => this.#listener.reply([[job.ticket], [micros], [ended], 0]));
  }

  #failed(ticket: number, micros: number, error: unknown, how: number): void {
    this.#leave(() => this.#listener.reply([[], [], [], [[FAILED, ticket, micros, toErrorRecord(error), how]]]));
  }

  /** The program is over: says so, which may start the next one at once. */
  #leave(say: () => void, loss: WorkerLoss = {}): void {
    this.#job = undefined;
    say();
    // The pool sends in a microtask. Where that starts the next program, its group is all that the watcher has to know.
    queueMicrotask(() => {
      if (this.#job === undefined) this.#surroundings.watcher.note(this.number, 0);
    });
    if (this.#isStopping || this.#isKilled) this.#down(loss);
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

  #down(loss: WorkerLoss): void {
    this.#listener.down(loss);
  }
}
