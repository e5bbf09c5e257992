// The end of a session that says HELLO: a worker's with its ventilator, or with its sink. Knows neither sockets nor clocks: frames and `now`
// come in, actions come out. One object lives through many sessions: when the hub has forgotten one, a new one begins.
import { backoff } from "../../core/backoff.ts";
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
} from "./frame.ts";
import { type JsonObject, millisecondsIn, readJson, textIn, writeJson } from "./json-body.ts";
import { OrderedStream } from "./ordered-stream.ts";

export type ClientAction =
  | { readonly type: "write"; readonly frame: Uint8Array }
  /** A session has begun. */
  | { readonly type: "opened"; readonly welcome: JsonObject }
  | { readonly type: "delivered"; readonly body: Uint8Array }
  /** The session is over, and with it all that was sent in it and not answered. Another one is asked for. */
  | { readonly type: "lost"; readonly why: string }
  /** The connection is of no use; make a new one, and say so by `connected`. */
  | { readonly type: "renew" }
  /** The hub does not want this client: final. */
  | { readonly type: "refused"; readonly error: ProtocolError }
  /** A frame that means nothing was dropped. */
  | { readonly type: "garbage"; readonly error: ProtocolError }
  /** `close` is complete: all that was sent is there, or the time for it is over. Final. */
  | { readonly type: "closed"; readonly isComplete: boolean };

export interface ClientOptions {
  /** What HELLO says: `link`, `id`, `epoch`, and whatever the role adds. */
  readonly hello: JsonObject;
  /** How often to be heard until the hub says it. */
  readonly heartbeatMs: number;
  /** A session whose hub is silent for two leases is lost: another hub may never come. Otherwise it waits for as long as it takes. */
  readonly givesUp?: boolean;
  /** Makes a session id of eight random latin1 characters. */
  readonly newId: () => string;
  readonly random: () => number;
}

type State = "apart" | "greeting" | "open" | "closing" | "ended";

const RENEW_BASE_MS = 50;
const RENEW_MAX_MS = 5_000;

export class ClientSession {
  readonly #options: ClientOptions;
  readonly #hello: Uint8Array;
  #state: State = "apart";
  #stream: OrderedStream;
  #beatAt: number;
  #heartbeatMs: number;
  #leaseMs: number;
  /** Since when the hub is silent on the connection of now. */
  #heardAt: number;
  /** Since when it is silent on any. */
  #silentSince: number;
  #wroteAt = 0;
  /** Renewals since the hub was last heard. */
  #renewals = 0;
  #renewAt = Number.POSITIVE_INFINITY;
  #closeBy = Number.POSITIVE_INFINITY;
  /** Whose session it is: id and epoch. */
  #hub = "";
  #actions: ClientAction[] = [];

  constructor(options: ClientOptions, now: number) {
    this.#options = options;
    this.#hello = writeJson(options.hello);
    this.#heartbeatMs = options.heartbeatMs;
    this.#leaseMs = options.heartbeatMs * 5;
    this.#stream = new OrderedStream(options.newId());
    this.#beatAt = now + options.heartbeatMs;
    this.#heardAt = now;
    this.#silentSince = now;
  }

  /** When `tick` is to be called. */
  get wakeAt(): number {
    if (this.#state === "ended") return Number.POSITIVE_INFINITY;
    return Math.min(this.#beatAt, this.#renewAt, this.#closeBy);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** What has to be done, in this order. */
  take(): ClientAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** There is a connection, or one under way. */
  connected(now: number): void {
    this.#heardAt = now;
    if (this.#state === "ended") return;
    if (this.#state === "apart") this.#state = "greeting";
    this.#greet(now);
  }

  /** Sends a body in the session. Answers false where there is none. */
  send(body: Uint8Array, now: number): boolean {
    if (this.#state !== "open") return false;
    this.#write(this.#stream.data(body), now);
    return true;
  }

  /** Sends nothing more. `closed` follows when the hub has everything, at the latest after `graceMs`. */
  close(graceMs: number, now: number): void {
    if (this.#state === "ended" || this.#state === "closing") return;
    if (this.#state !== "open") {
      this.#end(false);
      return;
    }
    this.#state = "closing";
    this.#closeBy = now + graceMs;
    // The hub answers with its own, or asks for what it has not, so that the socket is not closed under anything.
    this.#write(this.#stream.frame(BYE), now);
  }

  receive(bytes: Uint8Array, now: number): void {
    if (this.#state === "ended") return;
    let frame: Frame;
    try {
      frame = readFrame(bytes);
    } catch (error) {
      // A hub of another version refuses with its own header, which cannot be read.
      if (error instanceof VersionError && this.#state === "greeting") this.#refused(error);
      else this.#actions.push({ type: "garbage", error: error as ProtocolError });
      return;
    }
    if (frame.type === CALL) {
      this.connected(now);
      return;
    }
    // What is of an earlier session is late, and of no interest.
    if (frame.session !== this.#stream.session && !this.#isRefusal(frame)) return;
    if (!this.#stream.isPlausible(frame)) {
      this.#actions.push({
        type: "garbage",
        error: new ProtocolError("Cannot read frame: it acknowledges what was not sent"),
      });
      return;
    }
    this.#heardAt = now;
    this.#silentSince = now;
    this.#renewals = 0;
    switch (frame.type) {
      case WELCOME:
        this.#welcomed(frame, now);
        break;
      case RESET:
        this.#begin("the hub does not know the session", now);
        break;
      case REFUSE:
        this.#refused(refusal(frame));
        break;
      case BYE:
        // Who is leaving needs nothing more.
        if (!this.#take(frame, now) || this.#state === "closing") this.#left(now);
        break;
      case AGAIN:
        this.#take(frame, now);
        for (const kept of this.#stream.unacknowledged()) this.#write(kept, now);
        if (this.#state === "closing") this.#write(this.#stream.frame(BYE), now);
        break;
      case DATA:
      case HEARTBEAT:
        this.#take(frame, now);
        break;
      default:
        this.#actions.push({
          type: "garbage",
          error: new ProtocolError(`Cannot read frame: type ${frame.type} is for hubs`),
        });
    }
  }

  /** To be called at `wakeAt`, or later. */
  tick(now: number): void {
    if (this.#state === "ended") return;
    // A process that was stopped, or whose thread was busy, must not take its own silence for the hub's.
    const lateMs = now - this.wakeAt;
    if (lateMs > this.#heartbeatMs) {
      this.#heardAt += lateMs;
      this.#silentSince += lateMs;
    }
    if (now >= this.#closeBy) {
      this.#end(false);
      return;
    }
    if (this.#options.givesUp === true && this.#state === "open" && now - this.#silentSince >= 2 * this.#leaseMs) {
      this.#forget("the hub was silent for two leases");
    }
    if (now >= this.#renewAt) {
      this.#renewAt = Number.POSITIVE_INFINITY;
      this.#heardAt = now;
      this.#actions.push({ type: "renew" });
    }
    if (now < this.#beatAt) return;
    this.#beatAt = now + this.#heartbeatMs;
    if (this.#state === "apart" || this.#renewAt < Number.POSITIVE_INFINITY) return;
    // Half-open connections look like silence; only a new one tells.
    if (now - this.#heardAt >= this.#leaseMs) this.#renewLater(now);
    else if (this.#state !== "open") this.#greet(now);
    else if (now - this.#wroteAt >= this.#heartbeatMs / 2) this.#write(this.#stream.frame(HEARTBEAT), now);
  }

  /** A hub refuses what it cannot read without knowing whose session it is. */
  #isRefusal(frame: Frame): boolean {
    return frame.type === REFUSE && frame.session === NO_SESSION && this.#state === "greeting";
  }

  /** Answers whether something is missing, which was asked for. */
  #take(frame: Frame, now: number): boolean {
    if (this.#state !== "open" && this.#state !== "closing") return false;
    const { isNext, isGap } = this.#stream.take(frame);
    if (isNext) this.#actions.push({ type: "delivered", body: frame.body });
    if (isGap) this.#write(this.#stream.frame(AGAIN), now);
    else if (this.#stream.owesWord) this.#write(this.#stream.frame(HEARTBEAT), now);
    return isGap;
  }

  /** Says on a new connection, or once more, what this side is at. */
  #greet(now: number): void {
    if (this.#state === "closing") this.#write(this.#stream.frame(BYE), now);
    else if (this.#state === "open") this.#write(this.#stream.frame(HEARTBEAT), now);
    else this.#write(this.#stream.frame(HELLO, this.#hello), now);
  }

  #welcomed(frame: Frame, now: number): void {
    const welcome = readJsonOr(frame.body, (error) => this.#actions.push({ type: "garbage", error }));
    if (welcome === undefined) return;
    this.#heartbeatMs = welcome.heartbeatMs;
    this.#leaseMs = welcome.leaseMs;
    this.#beatAt = Math.min(this.#beatAt, now + welcome.heartbeatMs);
    if (this.#state === "open" || this.#state === "closing") {
      if (welcome.hub === this.#hub) {
        this.#take(frame, now);
        return;
      }
      // Nothing had been said in the session yet, so that a new hub could take it for a new one.
      if (this.#state === "open") this.#actions.push({ type: "lost", why: "there is another hub" });
    }
    this.#hub = welcome.hub;
    if (this.#state === "greeting") this.#state = "open";
    if (this.#state === "open") this.#actions.push({ type: "opened", welcome: welcome.all });
    // The hub may have sent more than its WELCOME, and this be the second one.
    this.#take(frame, now);
  }

  /** Forgets the session and asks for a new one. */
  #begin(why: string, now: number): void {
    if (this.#state === "closing") {
      this.#end(false);
      return;
    }
    this.#forget(why);
    this.#greet(now);
  }

  #forget(why: string): void {
    const wasOpen = this.#state === "open";
    this.#state = "greeting";
    this.#stream = new OrderedStream(this.#options.newId());
    if (wasOpen) this.#actions.push({ type: "lost", why });
  }

  /** The hub has gone in good order. Another may come to its place. */
  #left(now: number): void {
    if (this.#state === "closing") {
      this.#end(this.#stream.isDelivered);
      return;
    }
    this.#write(this.#stream.frame(BYE), now);
    this.#forget("the hub said goodbye");
    // The connection leads to a socket that is being closed: what is sent on it now is lost without a word.
    this.#renewLater(now);
  }

  #renewLater(now: number): void {
    this.#renewAt = now + backoff(++this.#renewals, RENEW_BASE_MS, this.#options.random, RENEW_MAX_MS);
  }

  #refused(error: ProtocolError): void {
    this.#state = "ended";
    this.#actions.push({ type: "refused", error });
  }

  #end(isComplete: boolean): void {
    this.#state = "ended";
    this.#actions.push({ type: "closed", isComplete });
  }

  #write(frame: Uint8Array, now: number): void {
    this.#wroteAt = now;
    this.#actions.push({ type: "write", frame });
  }
}

interface Welcome {
  readonly hub: string;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly all: JsonObject;
}

function readJsonOr(body: Uint8Array, complain: (error: ProtocolError) => void): Welcome | undefined {
  try {
    const all = readJson(body, "WELCOME");
    return {
      hub: `${textIn(all, "id", "WELCOME")} ${textIn(all, "epoch", "WELCOME")}`,
      heartbeatMs: millisecondsIn(all, "heartbeatMs", "WELCOME"),
      leaseMs: millisecondsIn(all, "leaseMs", "WELCOME"),
      all,
    };
  } catch (error) {
    complain(error as ProtocolError);
    return undefined;
  }
}

function refusal(frame: Frame): ProtocolError {
  let why = "no reason given";
  try {
    why = textIn(readJson(frame.body, "REFUSE"), "why", "REFUSE");
  } catch {
    // A reason that cannot be read is none.
  }
  return new ProtocolError(`Cannot join: refused with "${why}"`);
}
