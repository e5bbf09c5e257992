// Carries out what the pool asks of workers that are programs, and tells what becomes of them.
import { ConfigError } from "../../protocol/errors.ts";
import { HELLO, OUTPUT, PROTOCOL_VERSION, type WorkerReply, type WorkerRequest } from "../../protocol/messages.ts";
import type { StdioFormat } from "../../protocol/stdio.ts";
import { loadMsgpack } from "../../worker/msgpack-library.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts } from "../backend.ts";
import { Lineup, messageOf, type Place, type PlaceSettings } from "../lineup.ts";
import { findProgram } from "./find-program.ts";
import { PastPerformance } from "./past-performance.ts";
import { type ProgramEnd, WorkerProgram } from "./worker-program.ts";

/** What a worker printed after it was told to end. */
export interface Tail {
  readonly workerId: string;
  readonly argv: readonly string[];
  readonly lines: readonly string[];
}

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

export interface CommandSettings {
  readonly channel: "stdout" | "fd3";
  readonly data: unknown;
  readonly prepare: readonly unknown[];
  readonly onTail: ((tail: Tail) => void) | undefined;
  readonly pastPerformance: string | undefined;
  readonly heartbeatMs: number;
  readonly format: StdioFormat | undefined;
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

export class CommandBackend implements Backend {
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
    const found = findProgram(place.argv[0]!, place.env["PATH"], place.cwd);
    if (found.kind !== "program") {
      const cause = new Error(`Cannot start ${place.argv[0]}: ${found.why}`);
      queueMicrotask(() => this.#failed(worker, hand, { wasReady: false, lastWords: "", cause }, true));
      return;
    }
    const { channel, data, prepare, heartbeatMs, onTail, format } = this.#settings;
    const { concurrency } = this.plan;
    const { workerId } = hand;
    hand.program = new WorkerProgram(
      {
        argv: place.argv,
        env: place.env,
        cwd: place.cwd,
        channel,
        workerId,
        concurrency,
        data,
        prepare,
        heartbeatMs,
        msgpack: format === "json" ? undefined : loadMsgpack(),
        needsMsgpack: format === "msgpack",
      },
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
