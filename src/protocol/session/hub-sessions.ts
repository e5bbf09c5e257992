// The end of the sessions that is greeted: a ventilator's with its workers, or a sink's. Knows neither sockets nor clocks: frames, the
// routes they came by and `now` come in, actions come out. Each session has a lease: it is lost when it is silent for too long.
import { ProtocolError } from "../errors.ts";
import {
  AGAIN,
  BYE,
  CALL,
  DATA,
  type Frame,
  HEARTBEAT,
  HELLO,
  NO_SESSION,
  REFUSE,
  RESET,
  readFrame,
  VersionError,
  WELCOME,
  writeFrame,
} from "./frame.ts";
import { type JsonObject, readJson, textIn, writeJson } from "./json-body.ts";
import { OrderedStream } from "./ordered-stream.ts";

export type LossReason =
  /** It said goodbye. */
  | "left"
  /** It was silent for longer than its lease. */
  | "silent"
  /** The same client has begun another session. */
  | "replaced"
  /** It sent what no client may. */
  | "refused";

export type HubAction<R> =
  | { readonly type: "write"; readonly session: string; readonly route: R; readonly frame: Uint8Array }
  | { readonly type: "opened"; readonly session: string; readonly hello: JsonObject }
  | { readonly type: "delivered"; readonly session: string; readonly body: Uint8Array }
  /** Said once for each that was opened. */
  | { readonly type: "lost"; readonly session: string; readonly reason: LossReason }
  /** A frame was dropped, or a client refused. */
  | { readonly type: "garbage"; readonly error: ProtocolError }
  /** `close` is complete: all sessions have what was sent to them, or the time for it is over. */
  | { readonly type: "closed"; readonly isComplete: boolean };

export interface HubOptions {
  /** What the sessions are for, which a HELLO has to name: `requests`, `results`, `commands`. */
  readonly link: string;
  readonly id: string;
  /** What it is, for its clients; undefined where there is only one kind. */
  readonly role?: string;
  /** Another one for each life of the hub. */
  readonly epoch: string;
  readonly heartbeatMs: number;
  /** A client that is silent for so long, and cannot be reached, is lost. */
  readonly leaseMs: number;
  /** More clients are refused. */
  readonly maxSessions: number;
}

interface Session<R> {
  readonly client: string;
  readonly stream: OrderedStream;
  /** How long it may be silent as long as it can be reached: its thread may be busy. */
  readonly blockMs: number;
  route: R;
  isReachable: boolean;
  heardAt: number;
  wroteAt: number;
  isLeaving: boolean;
}

/** By what a frame can be sent: a connection, as the shell knows it. */
export interface HubRoute {
  /** Differs for each connection. */
  readonly key: string;
}

export class HubSessions<R extends HubRoute> {
  readonly #options: HubOptions;
  readonly #welcome: Uint8Array;
  readonly #call: Uint8Array;
  /** Connections that this side has made, by key: who is there speaks when it is called. */
  readonly #made = new Map<string, R>();
  readonly #sessions = new Map<string, Session<R>>();
  /** The session of each client, by id and epoch. */
  readonly #clients = new Map<string, string>();
  #beatAt: number;
  #closeBy = Number.POSITIVE_INFINITY;
  #isClosing = false;
  #isClosed = false;
  #actions: HubAction<R>[] = [];

  constructor(options: HubOptions, now: number) {
    this.#options = options;
    const { id, role, epoch, heartbeatMs, leaseMs } = options;
    this.#welcome = writeJson({ id, epoch, heartbeatMs, leaseMs, ...(role === undefined ? {} : { role }) });
    this.#call = writeFrame(CALL, NO_SESSION, 0, 0, writeJson({ id, epoch }));
    this.#beatAt = now + heartbeatMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** When `tick` is to be called. */
  get wakeAt(): number {
    return this.#isClosed ? Number.POSITIVE_INFINITY : Math.min(this.#beatAt, this.#closeBy);
  }

  /** What has to be done, in this order. */
  take(): HubAction<R>[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** Sends a body in the session. One that is lost is no error: that is said by an action. */
  send(session: string, body: Uint8Array, now: number): void {
    const record = this.#sessions.get(session);
    if (record !== undefined && !record.isLeaving) this.#write(session, record, record.stream.data(body), now);
  }

  /** Ends a session that breaks the rules, and tells its client why. */
  refuse(session: string, error: ProtocolError, now: number): void {
    const record = this.#sessions.get(session);
    if (record === undefined) return;
    this.#write(session, record, record.stream.frame(REFUSE, writeJson({ why: error.message.slice(0, 256) })), now);
    this.#actions.push({ type: "garbage", error });
    this.#lose(session, "refused");
  }

  /** This side has made a connection. */
  connected(route: R): void {
    this.#made.set(route.key, route);
    if (!this.#isClosing) this.#writeTo(route, this.#call);
  }

  /** A connection that this side has made is gone. */
  disconnected(route: R): void {
    this.#made.delete(route.key);
    for (const record of this.#sessions.values()) if (record.route.key === route.key) record.isReachable = false;
  }

  /** What was written to the session went nowhere. It may come back by another route. */
  unreachable(session: string): void {
    const record = this.#sessions.get(session);
    if (record !== undefined) record.isReachable = false;
  }

  /** Sends nothing more. `closed` follows when every client has everything, at the latest after `graceMs`. */
  close(graceMs: number, now: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#closeBy = now + graceMs;
    for (const [session, record] of this.#sessions) this.#leave(session, record, now);
    this.#closeIfEmpty();
  }

  receive(route: R, bytes: Uint8Array, now: number): void {
    if (this.#isClosed) return;
    let frame: Frame;
    try {
      frame = readFrame(bytes);
    } catch (error) {
      this.#garbage(route, error as ProtocolError);
      return;
    }
    const { session } = frame;
    const record = this.#sessions.get(session);
    if (record === undefined) {
      this.#fromStranger(route, frame, now);
      return;
    }
    if (!record.stream.isPlausible(frame)) {
      this.refuse(session, new ProtocolError("Cannot read frame: it acknowledges what was not sent"), now);
      return;
    }
    record.heardAt = now;
    record.isReachable = true;
    if (record.route.key !== route.key) {
      record.route = route;
      // The client has to see at once what was lost with its old connection.
      if (frame.type !== HELLO) this.#write(session, record, record.stream.frame(HEARTBEAT), now);
    }
    this.#ofSession(session, record, frame, now);
  }

  /** To be called at `wakeAt`, or later. */
  tick(now: number): void {
    if (this.#isClosed) return;
    const { heartbeatMs, leaseMs } = this.#options;
    // A process that was stopped, or whose thread was busy, must not take its own silence for that of others.
    const lateMs = now - this.wakeAt;
    const awayMs = lateMs > heartbeatMs ? lateMs : 0;
    if (now >= this.#closeBy) {
      this.#close(false);
      return;
    }
    if (now < this.#beatAt) return;
    this.#beatAt = now + heartbeatMs;
    if (!this.#isClosing) this.#callIdle();
    for (const [session, record] of this.#sessions) {
      record.heardAt += awayMs;
      const silentMs = now - record.heardAt;
      const leave = record.isReachable ? Math.max(leaseMs, record.blockMs) : leaseMs;
      if (silentMs >= leave) this.#lose(session, "silent");
      // Also to one that hears enough: only writing shows whether it can be reached.
      else if (now - record.wroteAt >= heartbeatMs / 2 || silentMs > heartbeatMs) {
        this.#write(session, record, record.stream.frame(record.isLeaving ? BYE : HEARTBEAT), now);
      }
    }
  }

  /** Nobody may have been there at the first call, or have forgotten it. */
  #callIdle(): void {
    if (this.#made.size === 0) return;
    const inUse = new Set<string>();
    for (const record of this.#sessions.values()) inUse.add(record.route.key);
    for (const route of this.#made.values()) if (!inUse.has(route.key)) this.#writeTo(route, this.#call);
  }

  #fromStranger(route: R, frame: Frame, now: number): void {
    if (frame.type === BYE || frame.type === RESET || frame.type === REFUSE) return;
    // A client that counts what the hub does not know of had a session with an earlier one.
    if (frame.type !== HELLO || frame.seq > 0 || frame.ack > 0) {
      if (!this.#isClosing) this.#writeTo(route, writeFrame(RESET, frame.session, 0, 0));
      return;
    }
    if (this.#isClosing) return;
    try {
      this.#open(route, frame, readJson(frame.body, "HELLO"), now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#actions.push({ type: "garbage", error });
      this.#writeTo(route, writeFrame(REFUSE, frame.session, 0, 0, writeJson({ why: error.message.slice(0, 256) })));
    }
  }

  #open(route: R, { session }: Frame, hello: JsonObject, now: number): void {
    const { link, maxSessions } = this.#options;
    const asked = textIn(hello, "link", "HELLO");
    if (asked !== link) throw new ProtocolError(`Cannot join: this is the link "${link}", not "${asked}"`);
    const client = `${textIn(hello, "id", "HELLO")} ${textIn(hello, "epoch", "HELLO")}`;
    const older = this.#clients.get(client);
    if (older !== undefined) this.#lose(older, "replaced");
    if (this.#sessions.size >= maxSessions) throw new ProtocolError(`Cannot join: there are ${maxSessions} clients`);
    const record: Session<R> = {
      client,
      stream: new OrderedStream(session),
      blockMs: blockMsOf(hello),
      route,
      isReachable: true,
      heardAt: now,
      wroteAt: now,
      isLeaving: false,
    };
    this.#sessions.set(session, record);
    this.#clients.set(client, session);
    this.#write(session, record, record.stream.frame(WELCOME, this.#welcome), now);
    this.#actions.push({ type: "opened", session, hello });
  }

  #ofSession(session: string, record: Session<R>, frame: Frame, now: number): void {
    switch (frame.type) {
      case HELLO:
        record.stream.take(frame);
        this.#write(session, record, record.stream.frame(WELCOME, this.#welcome), now);
        break;
      case BYE:
        // Who is leaving needs nothing more.
        if (this.#take(session, record, frame, now) && !record.isLeaving) break;
        if (!record.isLeaving) this.#write(session, record, record.stream.frame(BYE), now);
        this.#lose(session, "left");
        break;
      case AGAIN:
        this.#take(session, record, frame, now);
        for (const kept of record.stream.unacknowledged()) this.#write(session, record, kept, now);
        if (record.isLeaving) this.#leave(session, record, now);
        break;
      case DATA:
      case HEARTBEAT:
        this.#take(session, record, frame, now);
        break;
      default:
        this.refuse(session, new ProtocolError(`Cannot read frame: type ${frame.type} is for clients`), now);
    }
  }

  /** Answers whether something is missing, which was asked for. */
  #take(session: string, record: Session<R>, frame: Frame, now: number): boolean {
    const { isNext, isGap } = record.stream.take(frame);
    if (isNext) this.#actions.push({ type: "delivered", session, body: frame.body });
    if (isGap) this.#write(session, record, record.stream.frame(AGAIN), now);
    else if (record.stream.owesWord) this.#write(session, record, record.stream.frame(HEARTBEAT), now);
    return isGap;
  }

  /** The client answers with its own BYE, or asks for what it has not. */
  #leave(session: string, record: Session<R>, now: number): void {
    record.isLeaving = true;
    this.#write(session, record, record.stream.frame(BYE), now);
  }

  #lose(session: string, reason: LossReason): void {
    const record = this.#sessions.get(session)!;
    this.#sessions.delete(session);
    if (this.#clients.get(record.client) === session) this.#clients.delete(record.client);
    this.#actions.push({ type: "lost", session, reason });
    const made = this.#made.get(record.route.key);
    if (made !== undefined && !this.#isClosing && reason !== "refused" && reason !== "replaced") {
      this.#writeTo(made, this.#call);
    }
    this.#closeIfEmpty();
  }

  #closeIfEmpty(): void {
    if (this.#isClosing && this.#sessions.size === 0 && !this.#isClosed) this.#close(true);
  }

  #close(isComplete: boolean): void {
    this.#isClosed = true;
    this.#actions.push({ type: "closed", isComplete });
  }

  #garbage(route: R, error: ProtocolError): void {
    this.#actions.push({ type: "garbage", error });
    if (!(error instanceof VersionError)) return;
    this.#writeTo(route, writeFrame(REFUSE, NO_SESSION, 0, 0, writeJson({ why: error.message })));
  }

  #write(session: string, record: Session<R>, frame: Uint8Array, now: number): void {
    record.wroteAt = now;
    this.#actions.push({ type: "write", session, route: record.route, frame });
  }

  #writeTo(route: R, frame: Uint8Array): void {
    this.#actions.push({ type: "write", session: NO_SESSION, route, frame });
  }
}

const MAX_BLOCK_MS = 86_400_000;

function blockMsOf(hello: JsonObject): number {
  const value = Object.hasOwn(hello, "blockMs") ? hello["blockMs"] : 0;
  if (typeof value === "number" && value >= 0 && value <= MAX_BLOCK_MS) return value;
  throw new ProtocolError('Cannot read HELLO: its "blockMs" is no number of milliseconds, at most a day');
}
