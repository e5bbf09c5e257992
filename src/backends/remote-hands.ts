// Workers on hosts that come and go: each hand of a host is a worker of the pool, started, spoken to and ended through messages that a
// carrier brings there. Knows no sockets: ZeroMQ and Gearman carry for it.

import { fromErrorRecord } from "../protocol/error-record.ts";
import { ConfigError, ProtocolError } from "../protocol/errors.ts";
import type { ErrorRecord, WorkerRequest } from "../protocol/messages.ts";
import { show } from "../protocol/options.ts";
import type { Backend, BackendHost, Plan, Traits, WorkerFacts, WorkerLoss } from "./backend.ts";
import {
  ENDED,
  type Entry,
  EntryWriter,
  entriesOf,
  FACTS,
  HANDS_VERSION,
  ITEMS_RECALLED,
  KILL,
  LEAVING,
  numbersIn,
  objectIn,
  RECALL,
  RECALL_ITEMS,
  RECALLED,
  RELEASE,
  REPLY,
  replyIn,
  START,
  STOP,
} from "./hand-wire.ts";

/** What a host says of itself when its session begins. */
export interface HostHello {
  readonly host: string;
  readonly pid: number;
  /** How many hands it has. */
  readonly hands: number;
}

/** What a carrier tells. Bodies come once and in order while their session lives. */
export interface CarrierEars {
  opened(session: string, hello: Readonly<Record<string, unknown>>): void;
  /** @throws ProtocolError for what no host says: the session is to be ended */
  delivered(session: string, body: Uint8Array): void;
  lost(session: string, why: string): void;
  /** No host can be reached, and why. */
  unavailable(cause: unknown): void;
  /** After that: hosts may come again. */
  available(): void;
}

/** What brings messages to hosts and back. */
export interface Carrier {
  /**
   * A body with more bytes than that leaves at once, instead of waiting for what else there is by the end of the turn: where messages cost
   * little it is small, so that the other end reads while this one still writes.
   */
  readonly bodyBytes: number;
  open(ears: CarrierEars): void;
  send(session: string, body: Uint8Array): void;
  /** Says goodbye to all hosts and releases everything. Does not call back after that. */
  close(): Promise<void>;
}

export const REMOTE_TRAITS: Traits = {
  canKill: true,
  sendsAhead: true,
  recalls: "on request",
  copiesEach: false,
  sharesMemory: false,
  transfers: false,
  losesWorkers: true,
  isolatesCrashes: true,
  capturesOutput: true,
  roomVaries: true,
};

interface Host {
  readonly session: string;
  readonly hello: HostHello;
  readonly writer: EntryWriter;
  readonly hands: Set<number>;
  /** It gets nothing new. */
  isLeaving: boolean;
}

interface Hand {
  readonly host: Host;
  readonly facts: { host: string; pid?: number; threadId?: number };
}

export interface RemoteHandsSettings {
  readonly name: string;
  /** For messages. */
  readonly subject: string;
  readonly plan: Plan;
  readonly carrier: Carrier;
}

const START_TIMEOUT_MS = 30_000;

/** Options that all backends of remote hands have; undefined for the default. */
interface HandsOptions {
  readonly series: readonly string[] | undefined;
  readonly concurrency: number | undefined;
  readonly startTimeoutMs: number | undefined;
  readonly maxTasks: number | undefined;
}

/** No workers at first: hosts bring them. */
export function planOfHands(
  engine: string,
  { series = [], concurrency = 1, startTimeoutMs = START_TIMEOUT_MS, maxTasks = 0 }: HandsOptions,
): Plan {
  return {
    size: { min: 0, max: 0, idleMs: 0 },
    concurrency,
    series: [engine, "remote", ...series],
    startTimeoutMs,
    maxTasks,
    maxRssMb: 0,
  };
}

export class RemoteHands implements Backend {
  readonly name: string;
  /** Where hosts are looked for; once one has started a worker, the module that it runs. */
  subject: string;
  readonly traits: Traits = REMOTE_TRAITS;
  readonly plan: Plan;
  readonly #carrier: Carrier;
  readonly #hosts = new Map<string, Host>();
  readonly #hands = new Map<number, Hand>();
  #pool: BackendHost | undefined;
  #isClosed = false;

  constructor({ name, subject, plan, carrier }: RemoteHandsSettings) {
    this.name = name;
    this.subject = subject;
    this.plan = plan;
    this.#carrier = carrier;
  }

  open(pool: BackendHost): void {
    if (this.#pool !== undefined)
      throw new ConfigError(`Cannot use backend ${this.name} with ${this.subject}: another pool has it`);
    this.#pool = pool;
    this.#carrier.open({
      opened: (session, hello) => this.#opened(session, hello),
      delivered: (session, body) => this.#delivered(session, body),
      lost: (session, why) => this.#lost(session, why),
      unavailable: (cause) => {
        if (this.#hosts.size === 0 && !this.#isClosed) pool.unavailable(cause);
      },
      available: () => {
        if (!this.#isClosed) pool.grew(0);
      },
    });
  }

  start(worker: number, workerId: string): WorkerFacts {
    const host = this.#roomiest();
    if (host === undefined) {
      const cause = new Error("no host has a free hand");
      queueMicrotask(() => this.#pool?.workerDown(worker, { cause, isForGood: true }));
      return { host: "" };
    }
    const facts = { host: host.hello.host, pid: host.hello.pid };
    host.hands.add(worker);
    this.#hands.set(worker, { host, facts });
    const { concurrency } = this.plan;
    host.writer.say(START, worker, { workerId, concurrency });
    return facts;
  }

  send(worker: number, request: WorkerRequest): void {
    this.#hands.get(worker)?.host.writer.request(worker, request);
  }

  recall(worker: number, tickets: readonly number[]): readonly number[] | undefined {
    const hand = this.#hands.get(worker);
    if (hand === undefined) return [];
    hand.host.writer.say(RECALL, worker, { tickets });
    return undefined;
  }

  recallItems(worker: number, ticket: number): number {
    const hand = this.#hands.get(worker);
    if (hand === undefined) return Number.MAX_SAFE_INTEGER;
    hand.host.writer.say(RECALL_ITEMS, worker, { ticket });
    return -1;
  }

  stop(worker: number): void {
    this.#hands.get(worker)?.host.writer.say(STOP, worker);
  }

  kill(worker: number): void {
    this.#hands.get(worker)?.host.writer.say(KILL, worker);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pool = undefined;
    for (const host of this.#hosts.values()) {
      host.writer.say(RELEASE, 0);
      host.writer.flush();
    }
    await this.#carrier.close();
  }

  #roomiest(): Host | undefined {
    let best: Host | undefined;
    for (const host of this.#hosts.values()) {
      if (host.isLeaving || host.hands.size >= host.hello.hands) continue;
      if (best === undefined || host.hands.size / host.hello.hands < best.hands.size / best.hello.hands) best = host;
    }
    return best;
  }

  #opened(session: string, said: Readonly<Record<string, unknown>>): void {
    const hello = helloOf(said);
    const writer = new EntryWriter((body) => this.#carrier.send(session, body), this.#carrier.bodyBytes);
    this.#hosts.set(session, { session, hello, writer, hands: new Set(), isLeaving: false });
    this.#pool?.grew(hello.hands);
  }

  #delivered(session: string, body: Uint8Array): void {
    const host = this.#hosts.get(session);
    if (host === undefined) return;
    for (const entry of entriesOf(body)) this.#heard(host, entry);
  }

  #heard(host: Host, entry: Entry): void {
    const { kind, hand } = entry;
    if (kind === LEAVING) {
      this.#retire(host);
      return;
    }
    // What is said of a hand that has ended comes late.
    if (!host.hands.has(hand)) return;
    switch (kind) {
      case REPLY:
        this.#pool?.reply(hand, replyIn(entry));
        break;
      case RECALLED: {
        const object = objectIn(entry);
        this.#pool?.recalled(hand, numbersIn(object, "asked"), numbersIn(object, "got"));
        break;
      }
      case ITEMS_RECALLED: {
        const [ticket, from] = numbersIn(objectIn(entry), "items");
        this.#pool?.itemsRecalled(hand, ticket ?? -1, from ?? Number.MAX_SAFE_INTEGER);
        break;
      }
      case FACTS: {
        const { pid, threadId, subject } = objectIn(entry);
        if (typeof subject === "string") this.subject = subject;
        const { facts } = this.#hands.get(hand)!;
        if (typeof pid === "number") facts.pid = pid;
        if (typeof threadId === "number") facts.threadId = threadId;
        break;
      }
      case ENDED:
        this.#ended(host, hand, lossOf(objectIn(entry)));
        break;
      default:
      // A newer host's: not known here, and not needed.
    }
  }

  #ended(host: Host, hand: number, loss: WorkerLoss): void {
    host.hands.delete(hand);
    this.#hands.delete(hand);
    this.#pool?.workerDown(hand, loss);
    this.#releaseIfDone(host);
  }

  /** The host gets nothing new, and is let go when its hands have finished what they have. */
  #retire(host: Host): void {
    if (host.isLeaving) return;
    host.isLeaving = true;
    const free = host.hello.hands - host.hands.size;
    if (free > 0) this.#pool?.grew(-free);
    for (const hand of host.hands) this.#pool?.retire(hand);
    this.#releaseIfDone(host);
  }

  #releaseIfDone(host: Host): void {
    if (!host.isLeaving || host.hands.size > 0) return;
    host.writer.say(RELEASE, 0);
    this.#hosts.delete(host.session);
  }

  #lost(session: string, why: string): void {
    const host = this.#hosts.get(session);
    if (host === undefined) return;
    this.#hosts.delete(session);
    const free = host.hello.hands - host.hands.size;
    if (free > 0 && !host.isLeaving) this.#pool?.grew(-free);
    const cause = new Error(`host ${host.hello.host} (pid ${host.hello.pid}) is gone: ${why}`);
    for (const hand of host.hands) {
      this.#hands.delete(hand);
      this.#pool?.workerDown(hand, { cause, isForGood: !host.isLeaving });
    }
  }
}

function helloOf({ host, pid, hands, protocol }: Readonly<Record<string, unknown>>): HostHello {
  if (protocol !== HANDS_VERSION) {
    throw new ProtocolError(
      `Cannot greet host ${show(host)}: it speaks version ${show(protocol)}, and this pool ${HANDS_VERSION}`,
    );
  }
  const isSound = typeof host === "string" && Number.isInteger(pid) && Number.isInteger(hands) && (hands as number) > 0;
  if (!isSound) {
    throw new ProtocolError(
      `Cannot greet a host: host ${show(host)}, pid ${show(pid)}, hands ${show(hands)} are not its name and two numbers`,
    );
  }
  return { host, pid: pid as number, hands: hands as number };
}

function lossOf(object: Readonly<Record<string, unknown>>): WorkerLoss {
  const { exitCode, signal, outOfMemory, cause } = object;
  const begun = Object.hasOwn(object, "begun") ? new Set(numbersIn(object, "begun")) : undefined;
  return {
    ...(typeof exitCode === "number" ? { exitCode } : {}),
    ...(typeof signal === "string" ? { signal } : {}),
    ...(outOfMemory === true ? { outOfMemory } : {}),
    ...(Array.isArray(cause) ? { cause: fromErrorRecord(cause as ErrorRecord) } : {}),
    ...(begun === undefined ? {} : { hasBegun: (ticket: number) => begun.has(ticket) }),
  };
}
