// Sessions over a simulated network that breaks, blocks and forgets: no sockets, no clocks. A failure prints its seed and path.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  BYE,
  DATA,
  HEARTBEAT,
  HELLO,
  NO_SESSION,
  RESET,
  readFrame,
  writeFrame,
} from "../../src/protocol/session/frame.ts";
import type { HubSessions } from "../../src/protocol/session/hub-sessions.ts";
import { readJson, writeJson } from "../../src/protocol/session/json-body.ts";
import { fleet, HEARTBEAT_MS, LEASE_MS, Net, newHub, text } from "./simulated-net.ts";

describe("a session", () => {
  it("begins with HELLO and WELCOME, and carries bodies both ways", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    net.clientSends(client!, "a");
    net.hubSends(client!, "b");
    net.run(1);
    assert.deepEqual(net.hubGot(client!), ["a"]);
    assert.deepEqual(client!.got, ["b"]);
  });

  it("lives through a connection that breaks, and loses and repeats nothing", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    net.clientSends(client!, "a");
    net.hubSends(client!, "b");
    net.breakConnection(client!);
    net.clientSends(client!, "c");
    net.run(5 * HEARTBEAT_MS);
    assert.deepEqual(net.hubGot(client!), ["a", "c"]);
    assert.deepEqual(client!.got, ["b"]);
    assert.deepEqual(client!.losses, 0);
    assert.deepEqual(net.losses, []);
  });

  it("of a client that is silent is lost after its lease, and not before", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    client!.isStopped = true;
    net.isReachable = false;
    net.run(LEASE_MS - HEARTBEAT_MS);
    assert.deepEqual(net.losses, []);
    net.run(3 * HEARTBEAT_MS);
    assert.deepEqual(net.losses, ["silent"]);
  });

  it("is given up by a client that wants it so when its hub is silent for two leases, and begins anew with the next hub", () => {
    const net = new Net();
    const [patient] = fleet(net, 1);
    const [other] = fleet(net, 1, {}, true, true);
    net.run(1);
    net.isBlocked = true;
    net.run(2 * LEASE_MS - 2 * HEARTBEAT_MS);
    assert.equal(other!.losses, 0);
    net.run(4 * HEARTBEAT_MS);
    assert.equal(other!.losses, 1);
    net.run(10 * LEASE_MS);
    assert.deepEqual([patient!.losses, other!.losses], [0, 1]);
    net.isBlocked = false;
    net.restartHub();
    // Connections are asked for more and more rarely.
    net.run(12_000);
    assert.deepEqual([patient!.openings, other!.openings], [2, 2]);
    net.clientSends(other!, "a");
    net.run(1);
    assert.deepEqual(net.hubGot(other!), ["a"]);
  });

  it("is not given up by a client that was stopped itself", () => {
    const net = new Net();
    const [client] = fleet(net, 1, {}, true, true);
    net.run(1);
    client!.isStopped = true;
    net.skip(100 * LEASE_MS);
    client!.isStopped = false;
    net.run(LEASE_MS);
    assert.equal(client!.losses, 0);
  });

  it("of a client whose thread is busy lives for as long as it said that this may take", () => {
    const net = new Net();
    const [client] = fleet(net, 1, { blockMs: 10 * LEASE_MS });
    net.run(1);
    client!.isStopped = true;
    net.run(5 * LEASE_MS);
    assert.deepEqual(net.losses, []);
    net.run(7 * LEASE_MS);
    assert.deepEqual(net.losses, ["silent"]);
  });

  it("is not lost because this side was away itself", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    net.skip(100 * LEASE_MS);
    net.run(2 * LEASE_MS);
    assert.deepEqual(net.losses, []);
    assert.equal(client!.losses, 0);
    assert.equal(client!.renewals, 0);
  });

  it("that the hub does not know any more is begun anew, at once", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    net.clientSends(client!, "a");
    net.run(1);
    net.restartHub();
    net.clientSends(client!, "b");
    net.run(1);
    assert.equal(client!.losses, 1);
    assert.equal(client!.openings, 2);
    net.clientSends(client!, "c");
    net.run(1);
    assert.deepEqual(net.hubGot(client!), ["c"]);
  });

  it("with a hub that never answers asks for new connections, more and more rarely", () => {
    const net = new Net();
    net.isBlocked = true;
    const [client] = fleet(net, 1);
    net.run(60 * LEASE_MS);
    assert.ok(client!.renewals > 5 && client!.renewals <= 60, `${client!.renewals} renewals`);
  });

  for (const side of ["client", "hub"] as const) {
    it(`ends when the ${side} closes it, with everything delivered, though the connection broke before`, () => {
      const net = new Net();
      const [client] = fleet(net, 1);
      net.run(1);
      net.clientSends(client!, "a");
      net.hubSends(client!, "b");
      net.breakConnection(client!, true);
      if (side === "client") net.closeClient(client!);
      else net.closeHub();
      net.restoreConnection(client!);
      net.run(3 * HEARTBEAT_MS);
      if (side === "client") {
        assert.equal(client!.closed, true);
        assert.deepEqual(net.hubGot(client!), ["a"]);
        assert.deepEqual(net.losses, ["left"]);
      } else {
        assert.equal(net.hubClosed, true);
        assert.deepEqual(client!.got, ["b"]);
        assert.equal(client!.losses, 1);
      }
    });
  }

  it("that cannot be closed in good order ends after its grace", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    net.isBlocked = true;
    net.closeClient(client!);
    net.closeHub();
    net.run(LEASE_MS);
    assert.equal(client!.closed, false);
    assert.equal(net.hubClosed, false);
  });

  it("is refused on the wrong link, without an id, past the most, and by a hub of another version", () => {
    const net = new Net();
    const [wrong] = fleet(net, 1, { link: "results" });
    net.run(1);
    assert.match(wrong!.refusal ?? "", /this is the link "requests", not "results"/);
    assert.match(net.garbage.join(), /this is the link "requests"/);
    const [nameless] = fleet(net, 1, { id: "" });
    net.run(1);
    assert.match(nameless!.refusal ?? "", /its "id" is no text/);
    const several = fleet(net, 5);
    net.run(1);
    assert.equal(several.filter(({ refusal }) => refusal?.includes("there are 4 clients")).length, 1);
    const newer = Object.assign(writeFrame(HEARTBEAT, NO_SESSION, 0, 0), { 2: 9 });
    const [late] = fleet(net, 1, {}, false);
    late!.session.connected(0);
    late!.session.receive(newer, 0);
    assert.match(
      JSON.stringify(late!.session.take().map((action) => (action.type === "refused" ? action.error.message : 0))),
      /version 9/,
    );
  });
});

describe("a hub", () => {
  const route = { key: "r" };

  it("tells who speaks of an unknown session to begin anew", () => {
    const hub = newHub();
    for (const type of [DATA, HEARTBEAT] as const) hub.receive(route, writeFrame(type, "12345678", 3, 0), 0);
    hub.receive(route, writeFrame(HELLO, "12345678", 3, 0, writeJson({ link: "requests", id: "a", epoch: "e" })), 0);
    assert.deepEqual(typesOf(hub), [RESET, RESET, RESET]);
    hub.receive(route, writeFrame(BYE, "12345678", 3, 0), 0);
    assert.deepEqual(typesOf(hub), []);
  });

  it("tells a client of another version that it cannot join, in its own words", () => {
    const hub = newHub();
    hub.receive(route, Object.assign(writeFrame(HELLO, NO_SESSION, 0, 0), { 2: 7 }), 0);
    const actions = hub.take();
    const written = actions.find((action) => action.type === "write");
    assert.ok(written?.type === "write");
    assert.match(String(readJson(readFrame(written.frame).body, "REFUSE")["why"]), /version 7/);
    assert.ok(actions.some((action) => action.type === "garbage"));
  });

  it("takes any bytes at all: it complains, and its sessions live on", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), mangledFrame), { maxLength: 30 }), (messages) => {
        const net = new Net();
        const [client] = fleet(net, 1);
        net.run(1);
        for (const message of messages) net.hub.receive({ key: "stranger" }, message, net.now);
        net.settle();
        net.clientSends(client!, "a");
        net.run(1);
        assert.deepEqual(net.hubGot(client!), ["a"]);
      }),
    );
  });

  it("takes a new session of a client as the end of its old one", () => {
    const hub = newHub();
    const hello = writeJson({ link: "requests", id: "a", epoch: "e" });
    hub.receive(route, writeFrame(HELLO, "session1", 0, 0, hello), 0);
    hub.receive(route, writeFrame(HELLO, "session2", 0, 0, hello), 0);
    const told = hub.take().flatMap((action) => (action.type === "lost" ? [[action.session, action.reason]] : []));
    assert.deepEqual(told, [["session1", "replaced"]]);
    assert.equal(hub.size, 1);
  });

  it("ends the session of a client that acknowledges what was not sent", () => {
    const net = new Net();
    const [client] = fleet(net, 1);
    net.run(1);
    const { session } = [...net.opened.values()][0]!;
    net.hub.receive({ key: client!.routeKey }, writeFrame(HEARTBEAT, session, 0, 9), net.now);
    net.settle();
    assert.deepEqual(net.losses, ["refused"]);
    assert.match(net.garbage.join(), /acknowledges what was not sent/);
  });
});

type Fault =
  | { readonly type: "break" | "block" | "stop" | "go"; readonly who: number }
  | { readonly type: "restartHub" | "unblock" }
  | { readonly type: "send" | "reply"; readonly who: number; readonly count: number }
  | { readonly type: "wait"; readonly ms: number };

const CLIENTS = 3;
const who = fc.nat({ max: CLIENTS - 1 });
const fault: fc.Arbitrary<Fault> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom("break" as const, "block" as const, "stop" as const, "go" as const),
      who,
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("restartHub" as const, "unblock" as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom("send" as const, "reply" as const),
      who,
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 2 * LEASE_MS }) }),
  },
);

describe("sessions under faults", () => {
  it("deliver in order and once while they live, say once that they are lost, and come back", () => {
    fc.assert(
      fc.property(fc.array(fault, { maxLength: 60, size: "max" }), (faults) => {
        const net = new Net();
        const clients = fleet(net, CLIENTS);
        net.run(1);
        for (const one of faults) inflict(net, clients, one);
        // The net checks order and uniqueness at each delivery. Without faults everything comes back.
        net.isBlocked = false;
        for (const client of clients) {
          client.isStopped = false;
          if (!client.isConnected) net.restoreConnection(client);
        }
        net.run(20 * LEASE_MS);
        for (const [at, client] of clients.entries()) {
          assert.ok(client.session.isOpen, `client ${at} has a session again`);
          net.clientSends(client, "last");
          net.hubSends(client, "last");
        }
        net.run(5 * HEARTBEAT_MS);
        for (const client of clients) {
          assert.equal(net.hubGot(client).at(-1), "last");
          assert.equal(client.got.at(-1), "last");
          assert.equal(net.undelivered(client), 0);
        }
        assert.equal(net.opened.size, CLIENTS);
      }),
      {
        numRuns: 300,
        // A session that the hub has lost must not be taken up again under its old name.
        examples: [
          [
            [
              { type: "block", who: 0 },
              { type: "wait", ms: LEASE_MS + 37 },
              { type: "send", who: 0, count: 1 },
            ],
          ],
        ],
      },
    );
  });
});

function inflict(net: Net, clients: ReturnType<typeof fleet>, one: Fault): void {
  switch (one.type) {
    case "break":
      net.breakConnection(clients[one.who]!);
      break;
    case "block":
      net.isBlocked = true;
      break;
    case "unblock":
      net.isBlocked = false;
      break;
    case "stop":
      clients[one.who]!.isStopped = true;
      break;
    case "go":
      clients[one.who]!.isStopped = false;
      break;
    case "restartHub":
      net.restartHub();
      break;
    case "send":
      for (let n = 0; n < one.count; n++) net.clientSends(clients[one.who]!);
      break;
    case "reply":
      for (let n = 0; n < one.count; n++) net.hubSends(clients[one.who]!);
      break;
    case "wait":
      net.run(one.ms);
  }
}

function typesOf(hub: HubSessions<{ readonly key: string }>): number[] {
  return hub.take().flatMap((action) => (action.type === "write" ? [readFrame(action.frame).type] : []));
}

const mangledFrame = fc
  .record({
    type: fc.integer({ min: 0, max: 12 }),
    seq: fc.nat(),
    ack: fc.nat(),
    body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.json().map(text)),
  })
  .map(({ type, seq, ack, body }) => writeFrame(type as never, "strangers".slice(0, 8), seq, ack, body));
