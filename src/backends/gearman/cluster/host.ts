// A host: lends the hands of this machine to all pools that it finds at the job servers.
import { ProtocolError } from "../../../protocol/errors.ts";
import type { ClientAction } from "../../../protocol/session/client-session.ts";
import { Alarm } from "../../alarm.ts";
import type { HostReport } from "../../cluster-control.ts";
import { ClusterHost, type HostEnd } from "../../cluster-host.ts";
import type { ServerState } from "../client-links.ts";
import { Bus } from "./bus.ts";
import { Desk } from "./desk.ts";
import { type GearmanHostOptions, type HostSettings, readHostOptions } from "./host-options.ts";
import { HostSession } from "./host-session.ts";
import { Lookout, type Sighting } from "./lookout.ts";
import { functionOf, HANDS_LINK, homeOf, isParty, newId } from "./party.ts";
import { BODY_BYTES, sendInPieces } from "./pieces.ts";
import { Sweep } from "./sweep.ts";

/** A host that runs. */
export interface GearmanHost {
  /** What it is called in reports. */
  readonly id: string;
  /** Resolves when it has ended: by `quit`, by `restart`, or by `terminate`, which counts as the first. Never rejects. */
  readonly done: Promise<HostEnd>;
  /** What it answers a ping. */
  readonly report: HostReport;
  /** The servers, and which of them are there. */
  servers(): readonly ServerState[];
  /** Takes nothing new, finishes what has begun, delivers it and ends. May be called again. */
  quit(): void;
  /** The same, and `done` says that another is to be started in its place. */
  restart(): void;
  /** Ends now, and resolves when it has. What runs is done elsewhere. */
  terminate(): Promise<void>;
}

/** How long pools may take to answer a goodbye. */
const CLOSE_MS = 1_000;
/** Whose function has had neither a worker nor a job for so long is gone. */
const GONE_HEARTBEATS = 30;

/**
 * Lends the hands of this machine to the pools of a cluster, `gearman(…)` in other processes, which come and go. Comes back by itself to
 * servers that were lost. It keeps the process alive until its end.
 *
 * @param servers where they are: `"host:4730"`, a list, or `"gearman://host1,host2:4730"`
 * @throws ConfigError where an address or an option is wrong
 */
export function runGearmanWorker(servers: string | readonly string[], options: GearmanHostOptions): GearmanHost {
  return new Host(readHostOptions(servers, options));
}

class Host implements GearmanHost {
  readonly id: string;
  readonly done: Promise<HostEnd>;
  readonly #settings: HostSettings;
  readonly #bus: Bus;
  readonly #lookout: Lookout;
  /** One for each server. */
  readonly #sweeps: readonly Sweep[];
  readonly #host: ClusterHost;
  readonly #desk: Desk;
  readonly #epoch = newId();
  /** By the pool's function. */
  readonly #sessions = new Map<string, HostSession>();
  /** By the name that the hands know. */
  readonly #byKey = new Map<string, HostSession>();
  /** Pools that do not want this host. */
  readonly #refusedBy = new Set<string>();
  readonly #alarm = new Alarm(() => this.#tick());
  readonly #lookTimer: NodeJS.Timeout;
  #keys = 0;
  #isCarrying = false;
  #isOver = false;
  #whenAlone: (() => void) | undefined;

  constructor(settings: HostSettings) {
    this.#settings = settings;
    this.id = settings.id;
    const { servers, namespace, connection, hands, backend, heartbeatMs, signal } = settings;
    this.#host = new ClusterHost({
      id: this.id,
      hands,
      backend,
      bodyBytes: BODY_BYTES,
      send: (key, body) => this.#send(key, body),
    });
    this.#desk = new Desk(this.#host);
    this.#bus = new Bus(
      { servers, fn: functionOf(namespace, "host", settings.party), connection, isHolding: true },
      {
        frame: (from, server, frame) => this.#received(from, server, frame),
        question: (job) => this.#desk.answer(job),
        up: (server) => this.#up(server),
        down: (server) => this.#down(server),
      },
    );
    this.#lookout = new Lookout(servers, namespace, connection, (server, seen) => this.#seen(server, seen));
    this.#sweeps = servers.map(() => new Sweep(heartbeatMs * GONE_HEARTBEATS));
    // In step with nobody: many hosts start together.
    this.#lookTimer = setInterval(() => this.#lookAround(), heartbeatMs * (1 + Math.random() / 4));
    const quit = (): void => this.quit();
    signal?.addEventListener("abort", quit, { once: true });
    this.done = this.#host.left.then(async (how) => {
      signal?.removeEventListener("abort", quit);
      await this.#close();
      return how;
    });
    this.#bus.open();
    if (signal?.aborted === true) quit();
  }

  get report(): HostReport {
    return this.#host.report;
  }

  servers(): readonly ServerState[] {
    return this.#bus.states;
  }

  quit(): void {
    this.#host.leave("quit");
  }

  restart(): void {
    this.#host.leave("restart");
  }

  async terminate(): Promise<void> {
    await this.#host.terminate();
    await this.done;
  }

  async #close(): Promise<void> {
    await this.#sayGoodbye();
    this.#isOver = true;
    clearInterval(this.#lookTimer);
    this.#alarm.stop();
    this.#desk.close();
    await this.#bus.close();
  }

  #sayGoodbye(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenAlone = resolve;
      const now = performance.now();
      for (const session of this.#sessions.values()) session.close(this.#bus.isUp ? CLOSE_MS : 0, now);
      this.#carryOut();
    });
  }

  #send(key: string, body: Uint8Array): void {
    const session = this.#byKey.get(key);
    if (session === undefined) return;
    const now = performance.now();
    sendInPieces(body, (piece) => session.send(piece, now));
    this.#carryOut();
  }

  #received(from: string, server: number, frame: Uint8Array): void {
    const session = this.#sessions.get(from);
    const now = performance.now();
    if (session !== undefined) session.receive(server, frame, now);
    // A pool that has just begun calls. Whatever else is of a session that is over.
    else if (isParty(this.#settings.namespace, "pool", from)) this.#greet(from, server, now);
    this.#carryOut();
  }

  #greet(fn: string, server: number, now: number): void {
    if (this.#host.isLeaving || this.#refusedBy.has(fn)) return;
    const hello = { link: HANDS_LINK, id: this.id, epoch: this.#epoch, fn: this.#bus.fn, ...this.#host.hello };
    const { heartbeatMs, servers } = this.#settings;
    const home = homeOf(this.#bus.fn, fn, servers.length);
    this.#sessions.set(fn, new HostSession({ fn, hello, heartbeatMs, home }, server, now));
  }

  #up(server: number): void {
    if (this.#isOver) return;
    const now = performance.now();
    for (const session of this.#sessions.values()) {
      // It had nowhere to go, or has lost what was under way there.
      if (!this.#bus.isUpAt(session.server) || session.server === server) session.routeBy(server, now);
    }
    this.#carryOut();
    this.#lookout.look(server);
  }

  #down(server: number): void {
    const now = performance.now();
    for (const session of this.#sessions.values()) {
      session.listed(server, false);
      if (session.server === server) this.#reroute(session, now);
    }
    this.#carryOut();
  }

  /** To the next server that is there, rather one at which the pool was seen. */
  #reroute(session: HostSession, now: number): void {
    const { length } = this.#settings.servers;
    let next: number | undefined;
    for (let i = 1; i <= length; i++) {
      const at = (session.server + i) % length;
      if (!this.#bus.isUpAt(at) || at === session.server) continue;
      if (session.isListedAt(at)) {
        next = at;
        break;
      }
      next ??= at;
    }
    if (next !== undefined) session.routeBy(next, now);
    else if (this.#bus.isUpAt(session.server)) session.routeBy(session.server, now);
  }

  #lookAround(): void {
    this.#settings.servers.forEach((_, server) => {
      if (this.#bus.isUpAt(server)) this.#lookout.look(server);
    });
    const now = performance.now();
    for (const session of this.#sessions.values()) if (session.isOver(now)) this.#forget(session);
    this.#carryOut();
  }

  #seen(server: number, sightings: readonly Sighting[]): void {
    if (this.#isOver) return;
    const now = performance.now();
    const gone = this.#sweeps[server]!.of(
      sightings.filter(({ fn }) => this.#isParty(fn)),
      now,
    );
    if (gone.length > 0) void this.#lookout.drop(server, gone);
    const pools = new Set<string>();
    for (const { fn, isManned } of sightings) {
      if (isManned && isParty(this.#settings.namespace, "pool", fn)) pools.add(fn);
    }
    for (const fn of pools) if (!this.#sessions.has(fn)) this.#greet(fn, server, now);
    for (const session of this.#sessions.values()) {
      const isNew = session.listed(server, pools.has(session.fn));
      if (!this.#bus.isUpAt(session.server)) this.#reroute(session, now);
      // Only when it comes there: a server may list a pool that it does not reach any more.
      else if (isNew && server === session.home && server !== session.server) session.routeBy(server, now);
    }
    this.#carryOut();
  }

  #isParty(fn: string): boolean {
    const { namespace } = this.#settings;
    return isParty(namespace, "pool", fn) || isParty(namespace, "host", fn);
  }

  #tick(): void {
    const now = performance.now();
    for (const session of this.#sessions.values()) if (session.wakeAt <= now) session.tick(now);
    this.#carryOut();
  }

  #carryOut(): void {
    // What an action leads to is taken up by the loop that is under way.
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    try {
      for (let isMore = true; isMore; ) {
        isMore = false;
        for (const session of this.#sessions.values()) {
          for (const action of session.take()) {
            isMore = true;
            this.#do(session, action);
          }
        }
      }
    } finally {
      this.#isCarrying = false;
    }
    for (const session of this.#sessions.values()) this.#alarm.set(session.wakeAt);
    if (this.#sessions.size === 0) this.#whenAlone?.();
  }

  #do(session: HostSession, action: ClientAction): void {
    switch (action.type) {
      case "write":
        this.#bus.send(session.fn, session.server, action.frame);
        break;
      case "opened":
        session.opened(action.welcome);
        session.key = `${session.fn} ${++this.#keys}`;
        this.#byKey.set(session.key, session);
        this.#host.hands.opened(session.key);
        break;
      case "delivered":
        this.#delivered(session, action.body);
        break;
      case "lost":
        this.#over(session);
        break;
      case "renew":
        this.#reroute(session, performance.now());
        break;
      case "refused":
        this.#refusedBy.add(session.fn);
        process.emitWarning(`A pool does not want this host: ${action.error.message}`);
        this.#forget(session);
        break;
      case "closed":
        this.#forget(session);
        break;
      case "garbage":
        break;
      default:
        action satisfies never;
    }
  }

  #delivered(session: HostSession, piece: Uint8Array): void {
    try {
      const body = session.pieces.add(piece);
      if (body !== undefined) this.#host.hands.delivered(session.key, body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      process.emitWarning(`A pool was left, for what it said: ${error.message}`);
      this.#refusedBy.add(session.fn);
      session.close(0, performance.now());
    }
  }

  /** What was under way with the pool is over. */
  #over(session: HostSession): void {
    if (session.key === "") return;
    this.#byKey.delete(session.key);
    this.#host.hands.lost(session.key);
    session.key = "";
  }

  /** There is no such pool any more. */
  #forget(session: HostSession): void {
    this.#over(session);
    this.#sessions.delete(session.fn);
    this.#bus.forget(session.fn);
  }
}
