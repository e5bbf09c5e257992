// A host's session with one pool: by which server its frames go, and whether the pool is still there.
import { type ClientAction, ClientSession } from "../../../protocol/session/client-session.ts";
import type { JsonObject } from "../../../protocol/session/json-body.ts";
import { newSessionId } from "./party.ts";
import { Pieces } from "./pieces.ts";

export interface HostSessionSettings {
  /** The place of the server that its frames go to when it can: hosts and pools are spread over the servers so. */
  readonly home: number;
  /** The pool's function. */
  readonly fn: string;
  readonly hello: JsonObject;
  readonly heartbeatMs: number;
}

/** A pool that is listed nowhere has so many leases of silence until it is given up; one that is listed, so many. */
const UNLISTED_LEASES = 1;
const LISTED_LEASES = 10;

export class HostSession {
  readonly fn: string;
  readonly home: number;
  /** The place of the server that its frames go to. */
  server: number;
  pieces: Pieces = new Pieces();
  /** The name of what is under way, for the hands; another one each time that it begins. */
  key = "";
  readonly #machine: ClientSession;
  readonly #heartbeatMs: number;
  /** Servers at which the pool was seen when they were last looked at. */
  readonly #listedAt = new Set<number>();
  #routedAt: number;
  #heardAt: number;
  #leaseMs: number;

  constructor({ fn, hello, heartbeatMs, home }: HostSessionSettings, server: number, now: number) {
    this.fn = fn;
    this.home = home;
    this.server = server;
    this.#heartbeatMs = heartbeatMs;
    this.#leaseMs = heartbeatMs * 5;
    this.#routedAt = now;
    this.#heardAt = now;
    this.#machine = new ClientSession({ hello, heartbeatMs, newId: newSessionId, random: Math.random }, now);
    this.#machine.connected(now);
  }

  get wakeAt(): number {
    return this.#machine.wakeAt;
  }

  take(): ClientAction[] {
    return this.#machine.take();
  }

  send(body: Uint8Array, now: number): void {
    this.#machine.send(body, now);
  }

  tick(now: number): void {
    this.#machine.tick(now);
  }

  close(graceMs: number, now: number): void {
    this.#machine.close(graceMs, now);
  }

  opened(welcome: JsonObject): void {
    const { leaseMs } = welcome;
    if (typeof leaseMs === "number") this.#leaseMs = leaseMs;
    this.pieces = new Pieces();
  }

  receive(server: number, frame: Uint8Array, now: number): void {
    this.#heardAt = now;
    // A pool answers by the server by which it is spoken to. By another one only if that is gone for it.
    if (server !== this.server && now - this.#routedAt > this.#heartbeatMs / 2) {
      this.server = server;
      this.#routedAt = now;
    }
    this.#machine.receive(frame, now);
  }

  /** Goes by another server from now on, and says what it has there. */
  routeBy(server: number, now: number): void {
    this.server = server;
    this.#routedAt = now;
    this.#machine.connected(now);
  }

  /** A server was looked at. Answers whether the pool has come there since the last look. */
  listed(server: number, isThere: boolean): boolean {
    const isNew = isThere && !this.#listedAt.has(server);
    if (isThere) this.#listedAt.add(server);
    else this.#listedAt.delete(server);
    return isNew;
  }

  isListedAt(server: number): boolean {
    return this.#listedAt.has(server);
  }

  /** Whether it is time to believe that there is no such pool any more. A session alone would ask for ever. */
  isOver(now: number): boolean {
    const leases = this.#listedAt.size === 0 ? UNLISTED_LEASES : LISTED_LEASES;
    return now - this.#heardAt > this.#leaseMs * leases;
  }
}
