// The pool's end of the bus: greets the hosts that say HELLO, and carries what the pool and they say to each other.
import { ProtocolError } from "../../../protocol/errors.ts";
import { CALL, NO_SESSION, writeFrame } from "../../../protocol/session/frame.ts";
import { type HubAction, HubSessions, type LossReason } from "../../../protocol/session/hub-sessions.ts";
import { writeJson } from "../../../protocol/session/json-body.ts";
import { Alarm } from "../../alarm.ts";
import type { Carrier, CarrierEars } from "../../remote-hands.ts";
import type { ConnectionOptions } from "../connection.ts";
import type { ServerAddress } from "../servers.ts";
import { Bus } from "./bus.ts";
import { Lookout } from "./lookout.ts";
import { functionOf, HANDS_LINK, isParty, newId } from "./party.ts";
import { BODY_BYTES, Pieces, sendInPieces } from "./pieces.ts";

export interface PoolCarrierSettings {
  readonly servers: readonly ServerAddress[];
  readonly namespace: string;
  readonly connection: ConnectionOptions;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly connectTimeoutMs: number;
}

/** A host, and the server by which it was last heard. */
interface Route {
  readonly key: string;
  readonly fn: string;
  readonly server: number;
  readonly generation: number;
}

interface Guest {
  readonly fn: string;
  readonly pieces: Pieces;
}

const MAX_HOSTS = 10_000;
/** How long hosts may take to say goodbye. */
const CLOSE_MS = 1_000;

const WHY: Readonly<Record<LossReason, string>> = {
  left: "it said goodbye",
  silent: "it has not been heard of for too long",
  replaced: "it has begun anew",
  refused: "it sent what no host sends",
};

export class PoolCarrier implements Carrier {
  readonly bodyBytes: number = BODY_BYTES;
  readonly #settings: PoolCarrierSettings;
  readonly #bus: Bus;
  readonly #lookout: Lookout;
  readonly #sessions: HubSessions<Route>;
  readonly #call: Uint8Array;
  readonly #routes = new Map<string, Route>();
  readonly #guests = new Map<string, Guest>();
  readonly #alarm = new Alarm(() => {
    this.#sessions.tick(performance.now());
    this.#carryOut();
  });
  #ears: CarrierEars | undefined;
  #isCarrying = false;
  #awayTimer: NodeJS.Timeout | undefined;
  /** No server has been there for so long that there is no use in waiting. */
  #isAway = false;
  #closed: (() => void) | undefined;

  constructor(settings: PoolCarrierSettings) {
    const { servers, namespace, connection, heartbeatMs, leaseMs } = settings;
    this.#settings = settings;
    const [id, epoch] = [newId(), newId()];
    this.#call = writeFrame(CALL, NO_SESSION, 0, 0, writeJson({ id, epoch }));
    const options = { link: HANDS_LINK, id, epoch, heartbeatMs, leaseMs, maxSessions: MAX_HOSTS };
    this.#sessions = new HubSessions<Route>(options, performance.now());
    this.#bus = new Bus(
      { servers, fn: functionOf(namespace, "pool", id), connection, isHolding: false },
      {
        frame: (from, server, frame) => {
          if (!isParty(namespace, "host", from)) return;
          this.#sessions.receive(this.#routeTo(from, server), frame, performance.now());
          this.#carryOut();
        },
        question: (job) => job.exception("a pool is asked nothing"),
        up: (server) => this.#up(server),
        down: () => this.#down(),
      },
    );
    this.#lookout = new Lookout(servers, namespace, connection, (server, sightings) => {
      if (this.#ears === undefined) return;
      const known = new Set([...this.#guests.values()].map(({ fn }) => fn));
      // Who is not called finds the pool a little later by itself.
      for (const { fn, isManned } of sightings) {
        if (isManned && isParty(namespace, "host", fn) && !known.has(fn)) this.#bus.send(fn, server, this.#call);
      }
    });
  }

  open(ears: CarrierEars): void {
    this.#ears = ears;
    this.#bus.open();
    this.#down();
    this.#alarm.set(this.#sessions.wakeAt);
  }

  send(session: string, body: Uint8Array): void {
    const now = performance.now();
    sendInPieces(body, (piece) => this.#sessions.send(session, piece, now));
    this.#carryOut();
  }

  async close(): Promise<void> {
    this.#ears = undefined;
    clearTimeout(this.#awayTimer);
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      this.#sessions.close(this.#bus.isUp ? CLOSE_MS : 0, performance.now());
      this.#carryOut();
    });
    this.#alarm.stop();
    for (const { fn } of this.#guests.values()) this.#bus.forget(fn);
    await this.#bus.close();
  }

  #up(server: number): void {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = undefined;
    if (this.#ears === undefined) return;
    if (this.#isAway) {
      this.#isAway = false;
      this.#ears.available();
    }
    this.#lookout.look(server);
  }

  /** Without any server there is no host either, after a while. */
  #down(): void {
    if (this.#bus.isUp || this.#awayTimer !== undefined || this.#ears === undefined) return;
    this.#awayTimer = setTimeout(() => {
      this.#isAway = true;
      this.#ears?.unavailable(this.#cause());
    }, this.#settings.connectTimeoutMs).unref();
  }

  #cause(): Error {
    const { servers, connectTimeoutMs } = this.#settings;
    const names = servers.map(({ name }) => `"${name}"`).join(", ");
    const [cause] = this.#bus.errors;
    const why = cause === undefined ? "" : ` (${cause.message})`;
    return new Error(
      `Cannot reach Gearman server ${names}: none was there within ${connectTimeoutMs} ms${why}`,
      cause === undefined ? {} : { cause },
    );
  }

  /** The same object as long as nothing changes, since every frame asks. */
  #routeTo(fn: string, server: number): Route {
    const generation = this.#bus.generationOf(server);
    const known = this.#routes.get(fn);
    if (known?.server === server && known.generation === generation) return known;
    // A server that was lost and is back is another route: what was under way may be lost.
    // A cache, which strangers must not fill.
    if (this.#routes.size >= MAX_HOSTS) this.#routes.clear();
    const route: Route = { key: `${fn} ${server} ${generation}`, fn, server, generation };
    this.#routes.set(fn, route);
    return route;
  }

  #carryOut(): void {
    // What an action leads to is taken up by the loop that is under way.
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    try {
      for (let actions = this.#sessions.take(); actions.length > 0; actions = this.#sessions.take()) {
        for (const action of actions) this.#do(action);
      }
    } finally {
      this.#isCarrying = false;
    }
    this.#alarm.set(this.#sessions.wakeAt);
  }

  #do(action: HubAction<Route>): void {
    switch (action.type) {
      case "write":
        this.#bus.send(action.route.fn, action.route.server, action.frame);
        break;
      case "opened":
        this.#opened(action.session, action.hello);
        break;
      case "delivered":
        this.#delivered(action.session, action.body);
        break;
      case "lost":
        this.#lost(action.session, action.reason);
        break;
      case "garbage":
        break;
      case "closed":
        this.#closed?.();
        break;
      default:
        action satisfies never;
    }
  }

  #opened(session: string, hello: Readonly<Record<string, unknown>>): void {
    const { fn } = hello;
    this.#guests.set(session, { fn: typeof fn === "string" ? fn : "", pieces: new Pieces() });
    this.#orRefuse(session, () => this.#ears?.opened(session, hello));
  }

  #delivered(session: string, piece: Uint8Array): void {
    this.#orRefuse(session, () => {
      const body = this.#guests.get(session)?.pieces.add(piece);
      if (body !== undefined) this.#ears?.delivered(session, body);
    });
  }

  #lost(session: string, reason: LossReason): void {
    const guest = this.#guests.get(session);
    this.#guests.delete(session);
    if (guest !== undefined) {
      this.#routes.delete(guest.fn);
      if (reason === "silent") this.#bus.forget(guest.fn);
    }
    this.#ears?.lost(session, WHY[reason]);
    // With the last host that had been there.
    if (this.#isAway) this.#ears?.unavailable(this.#cause());
  }

  #orRefuse(session: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#sessions.refuse(session, error, performance.now());
    }
  }
}
