// A hub, clients, and connections between them that keep order while they last. Virtual time.
import assert from "node:assert/strict";
import { ClientSession } from "../../src/protocol/session/client-session.ts";
import { HubSessions, type LossReason } from "../../src/protocol/session/hub-sessions.ts";

export const HEARTBEAT_MS = 100;
export const LEASE_MS = 500;
const encoder = new TextEncoder();

export const text = (value: string): Uint8Array => encoder.encode(value);
const read = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

interface Route {
  readonly key: string;
}

export interface SimClient {
  readonly session: ClientSession;
  readonly got: string[];
  routeKey: string;
  isConnected: boolean;
  /** Its process is stopped: it neither hears nor ticks. */
  isStopped: boolean;
  losses: number;
  openings: number;
  renewals: number;
  closed: boolean | undefined;
  refusal: string | undefined;
  /** Messages that wait to be carried, to the hub and from it. */
  toHub: Uint8Array[];
  toClient: Uint8Array[];
  /** What was sent in the session that lives, and how much of it came, by direction. */
  sent: string[];
  replied: string[];
  came: number;
  arrived: string[];
  returned: number;
}

export function newHub(epoch = "1"): HubSessions<Route> {
  return new HubSessions<Route>(
    { link: "requests", id: "hub", epoch, heartbeatMs: HEARTBEAT_MS, leaseMs: LEASE_MS, maxSessions: 4 },
    0,
  );
}

export class Net {
  hub: HubSessions<Route> = newHub();
  now = 0;
  /** Nothing passes, and nothing breaks. */
  isBlocked = false;
  /** Whether writing to a connected client seems to work. */
  isReachable = true;
  readonly clients: SimClient[] = [];
  /** By session. */
  readonly opened = new Map<string, { readonly session: string; readonly client: SimClient }>();
  losses: LossReason[] = [];
  garbage: string[] = [];
  hubClosed: boolean | undefined;
  #routes = 0;
  #epoch = 1;
  #counter = 0;

  hubGot(client: SimClient): string[] {
    return client.arrived;
  }

  undelivered(client: SimClient): number {
    return client.sent.length - client.came + client.replied.length - client.returned;
  }

  clientSends(client: SimClient, what = `c${++this.#counter}`): void {
    if (client.isStopped) return;
    if (client.session.send(text(what), this.now)) client.sent.push(what);
    this.#carryOutClient(client);
  }

  hubSends(client: SimClient, what = `h${++this.#counter}`): void {
    const one = [...this.opened.values()].find((record) => record.client === client);
    if (one === undefined) return;
    client.replied.push(what);
    this.hub.send(one.session, text(what), this.now);
    this.#carryOutHub();
  }

  closeClient(client: SimClient): void {
    client.session.close(LEASE_MS / 2, this.now);
    this.#carryOutClient(client);
  }

  closeHub(): void {
    this.hub.close(LEASE_MS / 2, this.now);
    this.#carryOutHub();
  }

  /** What is under way is lost; the client is connected again at once, by a new route, unless it is told otherwise. */
  breakConnection(client: SimClient, staysApart = false): void {
    client.toHub = [];
    client.toClient = [];
    client.isConnected = false;
    if (!staysApart) this.restoreConnection(client);
  }

  restoreConnection(client: SimClient): void {
    client.routeKey = `route ${++this.#routes}`;
    client.isConnected = true;
  }

  restartHub(): void {
    this.hub = newHub(String(++this.#epoch));
    this.hub.tick(this.now);
    this.opened.clear();
    for (const client of this.clients) this.breakConnection(client);
  }

  /** Time goes by without anybody noticing. */
  skip(ms: number): void {
    this.now += ms;
  }

  run(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      this.settle();
      const next = Math.min(until, this.#nextWake());
      if (next >= until && this.now >= until) return;
      this.now = Math.max(this.now, next);
      if (this.now >= this.hub.wakeAt) this.hub.tick(this.now);
      for (const client of this.clients) {
        if (!client.isStopped && this.now >= client.session.wakeAt) client.session.tick(this.now);
      }
      this.settle();
      if (this.now >= until) return;
    }
  }

  /** Carries messages until there are none. */
  settle(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      this.#carryOutHub();
      for (const client of this.clients) {
        if (!client.isStopped) this.#carryOutClient(client);
        if (this.isBlocked || !client.isConnected) continue;
        for (const bytes of client.toHub.splice(0)) {
          isMoving = true;
          this.hub.receive({ key: client.routeKey }, bytes, this.now);
          this.#carryOutHub();
        }
        if (client.isStopped) continue;
        for (const bytes of client.toClient.splice(0)) {
          isMoving = true;
          client.session.receive(bytes, this.now);
          this.#carryOutClient(client);
        }
      }
    }
  }

  #nextWake(): number {
    const wakes = this.clients.filter(({ isStopped }) => !isStopped).map(({ session }) => session.wakeAt);
    return Math.max(this.now, Math.min(this.hub.wakeAt, ...wakes));
  }

  #carryOutHub(): void {
    for (const action of this.hub.take()) {
      switch (action.type) {
        case "write": {
          const client = this.clients.find(({ routeKey }) => routeKey === action.route.key);
          if (client !== undefined && client.isConnected && this.isReachable) client.toClient.push(action.frame);
          else this.hub.unreachable(action.session);
          break;
        }
        case "opened": {
          assert.ok(!this.opened.has(action.session), "a session is opened once");
          const client = this.clients.find(({ session }) => session === this.#clientOf(String(action.hello["id"])));
          assert.ok(client !== undefined);
          client.sent = [];
          client.replied = [];
          client.came = 0;
          client.arrived = [];
          client.returned = 0;
          this.opened.set(action.session, { session: action.session, client });
          break;
        }
        case "delivered": {
          const one = this.opened.get(action.session);
          assert.ok(one !== undefined, "what is delivered is of a session that lives");
          const body = read(action.body);
          assert.equal(body, one.client.sent[one.client.came], "in the order of sending, and once");
          one.client.came += 1;
          one.client.arrived.push(body);
          break;
        }
        case "lost":
          assert.ok(this.opened.delete(action.session), "a session is lost once");
          this.losses.push(action.reason);
          break;
        case "garbage":
          this.garbage.push(action.error.message);
          break;
        case "closed":
          this.hubClosed = action.isComplete;
      }
    }
  }

  #clientOf(id: string): ClientSession | undefined {
    return this.clients[Number(id.slice(1))]?.session;
  }

  #carryOutClient(client: SimClient): void {
    for (const action of client.session.take()) {
      switch (action.type) {
        case "write":
          client.toHub.push(action.frame);
          break;
        case "opened":
          client.openings += 1;
          break;
        case "delivered":
          client.got.push(read(action.body));
          assert.equal(client.got.at(-1), client.replied[client.returned], "in the order of sending, and once");
          client.returned += 1;
          break;
        case "lost":
          client.losses += 1;
          break;
        case "renew":
          client.renewals += 1;
          this.breakConnection(client);
          client.session.connected(this.now);
          break;
        case "refused":
          client.refusal = action.error.message;
          break;
        case "garbage":
          this.garbage.push(action.error.message);
          break;
        case "closed":
          client.closed = action.isComplete;
      }
    }
  }
}

/** So many clients, connected. */
export function fleet(
  net: Net,
  count: number,
  hello: Record<string, unknown> = {},
  connects = true,
  givesUp = false,
): SimClient[] {
  return Array.from({ length: count }, () => {
    const at = net.clients.length;
    let sessions = 0;
    const session = new ClientSession(
      {
        hello: { link: "requests", id: `#${at}`, epoch: "e", ...hello },
        heartbeatMs: HEARTBEAT_MS,
        givesUp,
        newId: () => `${at}-${++sessions}`.padEnd(8, "."),
        random: () => 0.5,
      },
      net.now,
    );
    const client: SimClient = {
      session,
      got: [],
      routeKey: "",
      isConnected: false,
      isStopped: false,
      losses: 0,
      openings: 0,
      renewals: 0,
      closed: undefined,
      refusal: undefined,
      toHub: [],
      toClient: [],
      sent: [],
      replied: [],
      came: 0,
      arrived: [],
      returned: 0,
    };
    net.clients.push(client);
    net.restoreConnection(client);
    if (connects) session.connected(net.now);
    return client;
  });
}
