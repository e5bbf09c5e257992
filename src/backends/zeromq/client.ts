// The clients' end of a channel on real sockets: one session with each hub that it connects to, or that calls.
import { randomBytes } from "node:crypto";
import type { Socket } from "zeromq";
import { ProtocolError } from "../../protocol/errors.ts";
import { ClientSession } from "../../protocol/session/client-session.ts";
import { BYE, CALL, readFrame, writeFrame } from "../../protocol/session/frame.ts";
import { type JsonObject, readJson, textIn } from "../../protocol/session/json-body.ts";
import { Alarm } from "../alarm.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Engine } from "./engine.ts";
import { Link, type Route } from "./link.ts";

export interface ClientEars {
  /** A session with a hub has begun. */
  opened(peer: Peer, welcome: JsonObject): void;
  /** May throw a ProtocolError: then the message is dropped, and that is said. */
  delivered(peer: Peer, body: Uint8Array): void;
  lost(peer: Peer): void;
  /** A hub does not want this client. */
  refused(error: ProtocolError): void;
  garbage(error: ProtocolError): void;
}

export interface ClientSettings {
  /** What HELLO says beside `epoch`. */
  readonly hello: JsonObject & { readonly link: string; readonly id: string };
  /** Until the hub says how often. */
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly maxMessageBytes: number;
  /** A session whose hub is silent for two leases is lost. */
  readonly givesUp?: boolean;
}

/** One hub, as its client sees it. */
export class Peer {
  readonly session: ClientSession;
  route: Route;
  /** Set when `close` is under way. */
  closed: ((isComplete: boolean) => void) | undefined;

  constructor(session: ClientSession, route: Route) {
    this.session = session;
    this.route = route;
  }
}

const MAX_CALLERS = 1_000;

export class Client {
  readonly #settings: ClientSettings;
  readonly #hello: JsonObject;
  readonly #link: Link;
  readonly #ears: ClientEars;
  /** By the key of a connection that was made, or by the hub that called. */
  readonly #peers = new Map<string, Peer>();
  readonly #byRoute = new Map<string, Peer>();
  readonly #alarm = new Alarm(() => {
    const now = performance.now();
    for (const peer of this.#peers.values()) {
      if (now >= peer.session.wakeAt) peer.session.tick(now);
      this.#carryOut(peer);
    }
    this.#wake();
  });
  #isClosing = false;
  #isClosed = false;
  #isCarrying = false;

  constructor(engine: Engine, settings: ClientSettings, ears: ClientEars) {
    this.#settings = settings;
    this.#ears = ears;
    this.#hello = { ...settings.hello, epoch: randomBytes(8).toString("hex") };
    this.#link = new Link(engine, settings, {
      message: (route, bytes) => this.#message(route, bytes),
      up: (route) => this.#connected(route.key, route),
      down: () => {},
      garbage: (error) => ears.garbage(error),
    });
  }

  async open(places: readonly (Endpoint | Socket)[]): Promise<readonly string[]> {
    return await this.#link.open(places);
  }

  /** Sends a body to one hub. Answers false where there is no session with it now. */
  send(peer: Peer, body: Uint8Array): boolean {
    const isSent = peer.session.send(body, performance.now());
    this.#carryOut(peer);
    return isSent;
  }

  /** Says goodbye to every hub and closes the sockets. Resolves to whether they have all that was sent to them. */
  async close(graceMs: number): Promise<boolean> {
    this.#isClosing = true;
    const endings = [...this.#peers.values()].map(async (peer) => {
      const wasOpen = peer.session.isOpen;
      const isComplete = await new Promise<boolean>((resolve) => {
        peer.closed = resolve;
        peer.session.close(graceMs, performance.now());
        this.#carryOut(peer);
      });
      return isComplete || !wasOpen;
    });
    const all = await Promise.all(endings);
    await this.destroy();
    return all.every(Boolean);
  }

  /** Closes the sockets now. Resolves when others can bind where they were bound. */
  destroy(): Promise<void> {
    this.#isClosing = true;
    this.#isClosed = true;
    this.#alarm.stop();
    const isGone = this.#link.close();
    for (const peer of this.#peers.values()) peer.closed?.(false);
    return isGone;
  }

  #connected(key: string, route: Route): void {
    if (this.#isClosed) return;
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      if (this.#isClosing) return;
      peer = new Peer(this.#newSession(), route);
      this.#peers.set(key, peer);
    }
    this.#byRoute.delete(peer.route.key);
    peer.route = route;
    this.#byRoute.set(route.key, peer);
    peer.session.connected(performance.now());
    this.#carryOut(peer);
  }

  #newSession(): ClientSession {
    const options = {
      hello: this.#hello,
      heartbeatMs: this.#settings.heartbeatMs,
      givesUp: this.#settings.givesUp === true,
      newId: () => randomBytes(8).toString("latin1"),
      random: Math.random,
    };
    return new ClientSession(options, performance.now());
  }

  #message(route: Route, bytes: Uint8Array): void {
    const peer = this.#byRoute.get(route.key);
    if (peer === undefined) this.#fromStranger(route, bytes);
    else if (route.isMade || !this.#isCall(route, bytes)) {
      peer.session.receive(bytes, performance.now());
      this.#carryOut(peer);
    }
  }

  /** A hub that connects to this side speaks first. */
  #fromStranger(route: Route, bytes: Uint8Array): void {
    if (route.isMade || this.#isCall(route, bytes)) return;
    try {
      // It believes to have a session with whoever was here before; a goodbye makes it call.
      const { session, type } = readFrame(bytes);
      if (type !== BYE) this.#link.send(route, writeFrame(BYE, session, 0, 0), () => {});
    } catch (error) {
      this.#garbage(error);
    }
  }

  /** Takes the message if it is a call. */
  #isCall(route: Route, bytes: Uint8Array): boolean {
    try {
      const frame = readFrame(bytes);
      if (frame.type !== CALL) return false;
      const body = readJson(frame.body, "CALL");
      const hub = `${textIn(body, "id", "CALL")} ${textIn(body, "epoch", "CALL")}`;
      if (this.#peers.size >= MAX_CALLERS && !this.#peers.has(hub)) {
        throw new ProtocolError(`Cannot answer a call: there are ${MAX_CALLERS} hubs`);
      }
      this.#connected(hub, route);
      return true;
    } catch (error) {
      this.#garbage(error);
      return true;
    }
  }

  #garbage(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.#ears.garbage(error);
  }

  #carryOut(peer: Peer): void {
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    try {
      // What is heard of one hub may make the role send to others.
      for (let isDone = false; !isDone; ) {
        isDone = !this.#carryOutOne(peer);
        for (const other of this.#peers.values()) if (this.#carryOutOne(other)) isDone = false;
      }
    } finally {
      this.#isCarrying = false;
    }
    this.#wake();
  }

  #carryOutOne(peer: Peer): boolean {
    const actions = peer.session.take();
    for (const action of actions) {
      switch (action.type) {
        case "write":
          this.#link.send(peer.route, action.frame, () => {});
          break;
        case "opened":
          this.#ears.opened(peer, action.welcome);
          break;
        case "delivered":
          this.#deliver(peer, action.body);
          break;
        case "lost":
          this.#ears.lost(peer);
          break;
        case "renew":
          this.#renew(peer);
          break;
        case "refused":
          this.#forget(peer);
          this.#ears.refused(action.error);
          peer.closed?.(false);
          break;
        case "garbage":
          this.#ears.garbage(action.error);
          break;
        case "closed":
          this.#forget(peer);
          peer.closed?.(action.isComplete);
      }
    }
    return actions.length > 0;
  }

  #deliver(peer: Peer, body: Uint8Array): void {
    try {
      this.#ears.delivered(peer, body);
    } catch (error) {
      this.#garbage(error);
    }
  }

  #renew(peer: Peer): void {
    if (peer.route.isMade) {
      this.#link.renew(peer.route);
      return;
    }
    // A hub that calls will do so again.
    const wasOpen = peer.session.isOpen;
    this.#forget(peer);
    if (wasOpen) this.#ears.lost(peer);
  }

  #forget(peer: Peer): void {
    for (const [key, one] of this.#peers) if (one === peer) this.#peers.delete(key);
    this.#byRoute.delete(peer.route.key);
  }

  #wake(): void {
    for (const { session } of this.#peers.values()) this.#alarm.set(session.wakeAt);
  }
}
