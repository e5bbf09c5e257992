// The other end of `remote-hands.ts`: lends the hands of this machine to pools, each with workers of its own. A pool's session is a pool's
// workers: they are started when it asks for them, and ended with it.
import { fromErrorRecord, toErrorRecord } from "../protocol/error-record.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  DEFERRED,
  type ErrorRecord,
  FAILED,
  NOT_SERIALIZABLE,
  OUTPUT,
  REFUSED,
  RUN,
  type WorkerReply,
} from "../protocol/messages.ts";
import { unpack } from "../protocol/packing.ts";
import type { Backend, WorkerFacts, WorkerLoss } from "./backend.ts";
import {
  ENDED,
  type Entry,
  EntryWriter,
  entriesOf,
  FACTS,
  ITEMS_RECALLED,
  KILL,
  LEAVING,
  numbersIn,
  objectIn,
  RECALL,
  RECALL_ITEMS,
  RECALLED,
  RELEASE,
  REQUEST,
  requestIn,
  START,
  STOP,
} from "./hand-wire.ts";
import { OpenTickets } from "./open-tickets.ts";

export interface HandsHostSettings {
  /** Makes the backend of one pool's workers. */
  readonly backend: (concurrency: number) => Backend;
  /** How many workers a pool may have here. */
  readonly hands: number;
  /** As of the pool's carrier. */
  readonly bodyBytes: number;
  /** Sends a body to a pool, once and in order. */
  readonly send: (session: string, body: Uint8Array) => void;
  /** Told what workers print, beside their pool. */
  readonly onOutput?: (stream: "stdout" | "stderr", text: string) => void;
}

/** The host in numbers, since it began. */
export interface HandsCounts {
  readonly pools: number;
  readonly workers: number;
  /** Tasks that workers have and have not answered. */
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  /** Time spent in tasks. */
  readonly runMs: number;
}

/** One pool, as its host sees it. */
interface Guest {
  readonly session: string;
  readonly writer: EntryWriter;
  /** Made when the pool asks for its first worker. */
  backend: Backend | undefined;
  /** What has no answer, by hand. */
  readonly hands: Map<number, OpenTickets>;
  isGone: boolean;
}

export class HandsHost {
  readonly #settings: HandsHostSettings;
  readonly #guests = new Map<string, Guest>();
  /** Whose session is over and whose workers are not. */
  readonly #ending = new Set<Guest>();
  #isLeaving = false;
  #left: (() => void) | undefined;
  #done = 0;
  #failed = 0;
  #runMs = 0;

  constructor(settings: HandsHostSettings) {
    this.#settings = settings;
  }

  get counts(): HandsCounts {
    let workers = 0;
    let running = 0;
    for (const guest of this.#guests.values()) {
      workers += guest.hands.size;
      for (const open of guest.hands.values()) running += open.size;
    }
    return {
      pools: this.#guests.size,
      workers,
      running,
      done: this.#done,
      failed: this.#failed,
      runMs: this.#runMs,
    };
  }

  /** A pool's session has begun. */
  opened(session: string): void {
    const writer = new EntryWriter((body) => this.#settings.send(session, body), this.#settings.bodyBytes);
    const guest: Guest = { session, writer, backend: undefined, hands: new Map(), isGone: false };
    this.#guests.set(session, guest);
    if (this.#isLeaving) writer.say(LEAVING, 0);
  }

  /** @throws ProtocolError for what no pool says */
  delivered(session: string, body: Uint8Array): void {
    const guest = this.#guests.get(session);
    if (guest === undefined) return;
    for (const entry of entriesOf(body)) this.#heard(guest, entry);
  }

  /** The session is over: nobody waits for what its workers do. */
  lost(session: string): void {
    const guest = this.#guests.get(session);
    if (guest !== undefined) this.#end(guest);
  }

  /** Asks every pool to let this host go, and resolves when all have, and nothing runs. */
  async leave(): Promise<void> {
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      for (const { writer } of this.#guests.values()) writer.say(LEAVING, 0);
    }
    if (this.#guests.size === 0 && this.#ending.size === 0) return;
    await new Promise<void>((resolve) => {
      const before = this.#left;
      this.#left = () => {
        before?.();
        resolve();
      };
    });
  }

  /** Ends all workers now. */
  async terminate(): Promise<void> {
    this.#isLeaving = true;
    for (const guest of this.#guests.values()) this.#end(guest);
    await this.leave();
  }

  #heard(guest: Guest, entry: Entry): void {
    const { kind, hand } = entry;
    if (kind === RELEASE) {
      this.#end(guest);
      return;
    }
    if (kind === START) {
      this.#start(guest, hand, objectIn(entry));
      return;
    }
    const open = guest.hands.get(hand);
    const { backend } = guest;
    // It has ended, and the pool will hear so.
    if (open === undefined || backend === undefined) return;
    switch (kind) {
      case REQUEST: {
        const request = requestIn(entry);
        if (request[0] === RUN) for (const ticket of request[2]) open.add(ticket);
        backend.send(hand, request);
        break;
      }
      case RECALL: {
        const asked = numbersIn(objectIn(entry), "tickets");
        const got = backend.recall(hand, asked);
        if (got !== undefined) this.#recalled(guest, hand, asked, got);
        break;
      }
      case RECALL_ITEMS: {
        const { ticket } = objectIn(entry);
        if (typeof ticket !== "number") throw new ProtocolError("Cannot take back items: no ticket is given");
        const from = backend.recallItems(hand, ticket);
        if (from >= 0) guest.writer.say(ITEMS_RECALLED, hand, { items: [ticket, from] });
        break;
      }
      case STOP:
        backend.stop(hand);
        break;
      case KILL:
        backend.kill(hand);
        break;
      default:
      // A newer pool's: not known here, and not needed.
    }
  }

  #start(guest: Guest, hand: number, { workerId, concurrency }: Readonly<Record<string, unknown>>): void {
    if (typeof workerId !== "string" || !Number.isInteger(concurrency) || (concurrency as number) < 1) {
      throw new ProtocolError("Cannot start a worker: its id or concurrency is missing");
    }
    if (guest.hands.has(hand)) throw new ProtocolError(`Cannot start worker ${hand}: there is one`);
    if (guest.hands.size >= this.#settings.hands) {
      guest.writer.say(ENDED, hand, { cause: toErrorRecord(new Error("the host has no free hand")) });
      return;
    }
    guest.hands.set(hand, new OpenTickets());
    guest.backend ??= this.#open(guest, concurrency as number);
    const facts: WorkerFacts = guest.backend.start(hand, workerId);
    const { pid, threadId } = facts;
    guest.writer.say(FACTS, hand, { pid, threadId, subject: guest.backend.subject });
  }

  #open(guest: Guest, concurrency: number): Backend {
    const backend = this.#settings.backend(concurrency);
    backend.open({
      reply: (hand, reply) => this.#reply(guest, hand, reply),
      seen: (hand, reply) => this.#reply(guest, hand, reply),
      recalled: (hand, asked, got) => this.#recalled(guest, hand, asked, got),
      itemsRecalled: (hand, ticket, from) => guest.writer.say(ITEMS_RECALLED, hand, { items: [ticket, from] }),
      grew: () => {},
      retire: () => {},
      unavailable: () => {},
      workerDown: (hand, loss) => this.#ended(guest, hand, loss),
    });
    return backend;
  }

  #reply(guest: Guest, hand: number, reply: WorkerReply): void {
    const waiting = guest.hands.get(hand);
    if (waiting === undefined || guest.isGone) return;
    const [tickets, micros, , events] = reply;
    for (let at = 0; at < tickets.length; at++) {
      if (!waiting.delete(tickets[at]!)) continue;
      this.#done++;
      this.#runMs += micros[at]! / 1_000;
    }
    if (events !== 0) this.#note(waiting, events);
    try {
      guest.writer.reply(hand, reply);
    } catch {
      this.#replyOneByOne(guest, hand, reply);
    }
  }

  /** Something in it crosses to a thread and no further: shared memory, a port. Each goes alone, and the one that cannot is a failure. */
  #replyOneByOne({ writer }: Guest, hand: number, [tickets, micros, packed, events]: WorkerReply): void {
    const values = unpack(packed);
    for (const event of events === 0 ? [] : events) {
      try {
        writer.reply(hand, [[], [], [], [event]]);
      } catch {
        // A value on the way, or beside the words of an error.
        if (event[0] === FAILED)
          writer.reply(hand, [[], [], [], [[FAILED, event[1], event[2], plainRecord(event[3]), event[4]]]]);
      }
    }
    for (const [at, ticket] of tickets.entries()) {
      try {
        writer.reply(hand, [[ticket], [micros[at]!], [values[at]], 0]);
      } catch (error) {
        writer.reply(hand, [[], [], [], [[FAILED, ticket, micros[at]!, toErrorRecord(error), NOT_SERIALIZABLE]]]);
      }
    }
  }

  /** Answers that are no values. */
  #note(waiting: OpenTickets, events: Exclude<WorkerReply[3], 0>): void {
    for (const event of events) {
      if (event[0] === FAILED && waiting.delete(event[1])) {
        this.#failed++;
        this.#runMs += event[2] / 1_000;
      } else if (event[0] === DEFERRED || event[0] === REFUSED) waiting.delete(event[1]);
      else if (event[0] === OUTPUT) this.#settings.onOutput?.(event[2] === 1 ? "stdout" : "stderr", event[3]);
    }
  }

  #recalled(guest: Guest, hand: number, asked: readonly number[], got: readonly number[]): void {
    const waiting = guest.hands.get(hand);
    if (waiting !== undefined) for (const ticket of got) waiting.delete(ticket);
    if (!guest.isGone) guest.writer.say(RECALLED, hand, { asked, got });
  }

  #ended(guest: Guest, hand: number, { exitCode, signal, outOfMemory, cause, hasBegun }: WorkerLoss): void {
    const waiting = guest.hands.get(hand);
    if (waiting === undefined) return;
    guest.hands.delete(hand);
    if (!guest.isGone) {
      guest.writer.say(ENDED, hand, {
        exitCode,
        signal,
        outOfMemory,
        ...(cause === undefined ? {} : { cause: plainRecord(toErrorRecord(cause)) }),
        ...(hasBegun === undefined ? {} : { begun: [...waiting].filter(hasBegun) }),
      });
    }
    void this.#closeIfDone(guest);
  }

  /** Its workers are ended; those that do not end by being asked, by force. */
  #end(guest: Guest): void {
    this.#guests.delete(guest.session);
    guest.isGone = true;
    this.#ending.add(guest);
    for (const hand of guest.hands.keys()) guest.backend?.kill(hand);
    void this.#closeIfDone(guest);
  }

  async #closeIfDone(guest: Guest): Promise<void> {
    if (!guest.isGone || guest.hands.size > 0) return;
    // A backend's `close` does not reject.
    await guest.backend?.close();
    this.#ending.delete(guest);
    if (this.#isLeaving && this.#guests.size === 0 && this.#ending.size === 0) this.#left?.();
  }
}

/** The record without what cannot be sent: what an error holds beside its words is not what matters about it. */
function plainRecord(record: ErrorRecord): ErrorRecord {
  try {
    return JSON.parse(JSON.stringify(record)) as ErrorRecord;
  } catch {
    const error = fromErrorRecord(record);
    return toErrorRecord(new Error(error instanceof Error ? error.message : String(error)));
  }
}
