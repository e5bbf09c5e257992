// A hub on real sockets: feeds frames and time to its sessions, and carries out what they answer.
import { randomBytes } from "node:crypto";
import type { Socket } from "zeromq";
import { ProtocolError } from "../../protocol/errors.ts";
import { HubSessions, type LossReason } from "../../protocol/session/hub-sessions.ts";
import type { JsonObject } from "../../protocol/session/json-body.ts";
import { Alarm } from "../alarm.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Engine } from "./engine.ts";
import { Link, type Route } from "./link.ts";

export interface HubEars {
  opened(session: string, hello: JsonObject): void;
  /** May throw a ProtocolError: then the client is refused. */
  delivered(session: string, body: Uint8Array): void;
  lost(session: string, reason: LossReason): void;
  garbage(error: ProtocolError): void;
}

export interface HubSettings {
  readonly link: string;
  readonly id: string;
  /** What it is, for its clients. */
  readonly role?: string;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly maxMessageBytes: number;
}

const MAX_SESSIONS = 10_000;

export class Hub {
  readonly #sessions: HubSessions<Route>;
  readonly #link: Link;
  readonly #ears: HubEars;
  readonly #alarm = new Alarm(() => {
    this.#sessions.tick(performance.now());
    this.#carryOut();
  });
  #closed: (isComplete: boolean) => void = () => {};
  #isCarrying = false;

  constructor(engine: Engine, settings: HubSettings, ears: HubEars) {
    const { link, id, role, heartbeatMs, leaseMs } = settings;
    const epoch = randomBytes(8).toString("hex");
    const options = {
      link,
      id,
      epoch,
      heartbeatMs,
      leaseMs,
      maxSessions: MAX_SESSIONS,
      ...(role === undefined ? {} : { role }),
    };
    this.#sessions = new HubSessions<Route>(options, performance.now());
    this.#ears = ears;
    this.#link = new Link(engine, settings, {
      message: (route, bytes) => {
        this.#sessions.receive(route, bytes, performance.now());
        this.#carryOut();
      },
      up: (route) => {
        this.#sessions.connected(route);
        this.#carryOut();
      },
      down: (route) => this.#sessions.disconnected(route),
      garbage: (error) => ears.garbage(error),
    });
  }

  async open(places: readonly (Endpoint | Socket)[]): Promise<readonly string[]> {
    const urls = await this.#link.open(places);
    this.#carryOut();
    return urls;
  }

  send(session: string, body: Uint8Array): void {
    this.#sessions.send(session, body, performance.now());
    this.#carryOut();
  }

  /** Ends a session that breaks the rules, and tells its client why. */
  refuse(session: string, error: ProtocolError): void {
    this.#sessions.refuse(session, error, performance.now());
    this.#carryOut();
  }

  /** Says goodbye and closes the sockets. Resolves to whether every client has all that was sent to it. */
  async close(graceMs: number): Promise<boolean> {
    const isComplete = await new Promise<boolean>((resolve) => {
      this.#closed = resolve;
      this.#sessions.close(graceMs, performance.now());
      this.#carryOut();
    });
    await this.destroy();
    return isComplete;
  }

  /** Closes the sockets now. Resolves when others can bind where they were bound. */
  destroy(): Promise<void> {
    this.#alarm.stop();
    const isGone = this.#link.close();
    this.#closed(false);
    return isGone;
  }

  #carryOut(): void {
    // What an action leads to is taken up by the loop that is under way.
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    try {
      for (let actions = this.#sessions.take(); actions.length > 0; actions = this.#sessions.take()) {
        for (const action of actions) {
          switch (action.type) {
            case "write": {
              const { session } = action;
              this.#link.send(action.route, action.frame, () => this.#sessions.unreachable(session));
              break;
            }
            case "opened":
              this.#ears.opened(action.session, action.hello);
              break;
            case "delivered":
              this.#deliver(action.session, action.body);
              break;
            case "lost":
              this.#ears.lost(action.session, action.reason);
              break;
            case "garbage":
              this.#ears.garbage(action.error);
              break;
            case "closed":
              this.#closed(action.isComplete);
          }
        }
      }
    } finally {
      this.#isCarrying = false;
    }
    this.#alarm.set(this.#sessions.wakeAt);
  }

  #deliver(session: string, body: Uint8Array): void {
    try {
      this.#ears.delivered(session, body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#sessions.refuse(session, error, performance.now());
    }
  }
}
