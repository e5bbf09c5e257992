// Decisions of pools and hosts over Gearman that need no server.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostSession } from "../../src/backends/gearman/cluster/host-session.ts";
import { functionOf, homeOf } from "../../src/backends/gearman/cluster/party.ts";
import { Sweep } from "../../src/backends/gearman/cluster/sweep.ts";

const gone = { fn: "gone", isManned: false, jobs: 0 };

describe("what is swept from a server's list", () => {
  it("is what has had neither a worker nor a job for long enough", () => {
    const sweep = new Sweep(100);
    assert.deepEqual(sweep.of([gone], 0), []);
    assert.deepEqual(sweep.of([gone], 99), []);
    assert.deepEqual(sweep.of([gone], 100), ["gone"]);
  });

  it("is nothing that is there again, or spoken to, in between", () => {
    for (const sighting of [
      { ...gone, isManned: true },
      { ...gone, jobs: 1 },
    ]) {
      const sweep = new Sweep(100);
      sweep.of([gone], 0);
      sweep.of([sighting], 90);
      assert.deepEqual(sweep.of([gone], 150), []);
      assert.deepEqual(sweep.of([sighting], 300), []);
      assert.deepEqual(sweep.of([gone], 310), []);
      assert.deepEqual(sweep.of([gone], 410), ["gone"]);
    }
  });

  it("is forgotten when it is not listed any more", () => {
    const sweep = new Sweep(100);
    sweep.of([gone], 0);
    sweep.of([], 50);
    assert.deepEqual(sweep.of([gone], 120), []);
  });
});

describe("the home of a host and a pool", () => {
  it("is always the same, and spread over all servers", () => {
    const counts = [0, 0, 0];
    for (let n = 0; n < 300; n++) {
      const [host, pool] = [functionOf("ns", "host", `${n}`), functionOf("ns", "pool", `${n * 7}`)];
      const home = homeOf(host, pool, 3);
      assert.equal(homeOf(host, pool, 3), home);
      counts[home]! += 1;
    }
    assert.ok(
      counts.every((count) => count > 60),
      String(counts),
    );
  });
});

describe("a host's session with a pool", () => {
  const begin = (now: number): HostSession =>
    new HostSession({ fn: "ns.pool.a", hello: {}, heartbeatMs: 100, home: 1 }, 0, now);

  it("tells that the pool has come to a server once, until it was away", () => {
    const session = begin(0);
    assert.deepEqual(
      [true, true, false, true].map((isThere) => session.listed(1, isThere)),
      [true, false, false, true],
    );
  });

  it("is over after one lease of silence where no server lists the pool, and after ten where one does", () => {
    const session = begin(0);
    assert.equal(session.isOver(500), false);
    assert.equal(session.isOver(501), true);
    session.listed(2, true);
    assert.equal(session.isOver(5_000), false);
    assert.equal(session.isOver(5_001), true);
  });

  it("follows a pool that speaks by another server, but not what was on its way when it went there itself", () => {
    const session = begin(0);
    session.receive(1, new Uint8Array(0), 20);
    assert.equal(session.server, 0);
    session.receive(1, new Uint8Array(0), 60);
    assert.equal(session.server, 1);
    session.routeBy(2, 100);
    session.receive(1, new Uint8Array(0), 120);
    assert.equal(session.server, 2);
  });
});
