// What pools promise for tasks, kept over job servers, with hosts in processes of their own. The titles name statements C1 to C10 and F1
// to F6 of what a cluster over Gearman has to be.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backend } from "../../src/backends/backend.ts";
import { GearmanAdmin, GearmanClient, type GearmanHost, runGearmanWorker } from "../../src/backends/gearman/index.ts";
import { threads } from "../../src/backends/threads/index.ts";
import { ConfigError, type Pool, TaskCancelledError, TaskTimeoutError, WorkerLostError } from "../../src/index.ts";
import { type FrameType, HELLO, writeFrame } from "../../src/protocol/session/frame.ts";
import { type Random, random, seed } from "../../src/testing/random.ts";
import { closedGate, isAlive, rejection, scratch, until, witness } from "../../src/testing/stage.ts";
import { startProxy } from "../support/chaos-proxy.ts";
import { FAST, inReverse, openPool, startHost, type Tasks, workersUp } from "./cluster.ts";
import { type Ending, startServer } from "./server.ts";

const chosen = seed();
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("timeouts and cancels over Gearman", { timeout: 60_000 }, () => {
  it("reach the task, whose late result is ignored (C3)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { hands: 1 });
    const pool = openPool(t, [address]);
    const seen = witness(scratch(t));

    const slow = await rejection(pool.run("untilAborted", { file: seen.file }, { timeoutMs: 100 }));
    assert.ok(slow instanceof TaskTimeoutError, String(slow));
    assert.deepEqual(await seen.until(2), ["begun", "told"]);

    const cancelled = pool.run("untilAborted", { file: seen.file });
    await seen.until(3);
    cancelled.cancel("enough");
    const error = await rejection(cancelled);
    assert.ok(error instanceof TaskCancelledError && error.cause === "enough");
    assert.deepEqual((await seen.until(4)).slice(2), ["begun", "told"]);

    assert.deepEqual(
      await pool.map("double", range(100)),
      range(100).map((n) => n * 2),
    );
    const { done, failed, cancelled: gone } = pool.snapshot();
    assert.deepEqual({ done, failed, gone }, { done: 100, failed: 1, gone: 1 });
  });

  it("end what does not listen, and the host goes on with another worker (C3)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const host = await startHost(t, [address], { hands: 1, isForking: true });
    const pool = openPool(t, [address]);
    const seen = witness(scratch(t));

    const error = await rejection(pool.run("spin", { file: seen.file }, { timeoutMs: 300 }));

    assert.ok(error instanceof TaskTimeoutError, String(error));
    const pid = Number((await seen.until(1))[0]);
    await until(() => !isAlive(pid), "the busy worker to end");
    assert.equal(await pool.run("double", 1), 2);
    assert.equal(host.hasEnded, false);
  });
});

describe("order and words over Gearman", { timeout: 60_000 }, () => {
  it("priorities hold across all tasks of a pool, whatever they are called (C4)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { hands: 1 });
    const pool = openPool(t, [address]);
    const seen = witness(scratch(t));
    const gate = closedGate(scratch(t));
    const first = pool.run("hold", { file: seen.file, gate: gate.gate, line: "first" });
    await seen.until(1);

    const tasks = [5, 0, 9, -3, 5, 0].map((priority, n) =>
      pool.run(n % 2 === 0 ? "record" : "recordToo", { file: seen.file, line: `${priority} ${n}` }, { priority }),
    );
    gate.open();
    await Promise.all([first, ...tasks]);

    assert.deepEqual(seen.lines(), ["first", "-3 3", "0 1", "0 5", "5 0", "5 4", "9 2"]);
  });

  it("progress and log lines come in order, before the result (C4)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { hands: 1 });
    const pool = openPool(t, [address]);
    const told: unknown[] = [];
    pool.on("log", ({ args }) => told.push(args));

    const task = pool.run("chatter", 3);
    void task.onProgress((value) => told.push(value));
    told.push(await task);

    assert.deepEqual(told, [0, ["line", 0], 1, ["line", 1], 2, ["line", 2], "done"]);
  });

  it("streamed values come once and in order while the server is killed and started again (C4, C2)", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    await startHost(t, [server.address], { hands: 1 });
    const pool = openPool(t, [server.address], { leaseMs: 10_000 });
    const values: number[] = [];

    for await (const value of pool.stream("countTo", { last: 200, ms: 1 })) {
      values.push(value);
      if (value === 20 || value === 100) await server.restart();
    }

    assert.deepEqual(
      values,
      range(200).map((n) => n + 1),
    );
  });
});

describe("several servers under a pool", { timeout: 60_000 }, () => {
  it("share the hosts, and one that is back is used again (C5)", async (test) => {
    const t = inReverse(test);
    const servers = [await startServer(t), await startServer(t)];
    const addresses = servers.map(({ address }) => address);
    const pool = openPool(t, addresses, { leaseMs: 10_000 });
    // Of so many at least one is at home at each of them, but for one case in 2,048.
    for (let host = 0; host < 12; host++) lend(t, addresses);
    await workersUp(pool, 12);
    const carrying = (address: string): Promise<void> => carries(address, pool);

    await Promise.all(addresses.map(carrying));
    for (const server of servers) {
      await server.kill();
      assert.deepEqual(
        await pool.map("double", range(200), { chunkSize: 1 }),
        range(200).map((n) => n * 2),
      );
      await server.start();
      await carrying(server.address);
    }
  });
});

describe("a host that is cut off", { timeout: 60_000 }, () => {
  it("though its connections stand: noticed in its lease, and its tasks run elsewhere as repeats (C6)", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    const proxy = await startProxy(t, server, chosen);
    const seen = witness(scratch(t));
    await startHost(t, [proxy.address], { hands: 1 });
    const pool = openPool(t, [server.address]);
    const task = pool.run("note", { id: 1, ms: 600_000, file: seen.file }, { timeoutMs: 700_000 });
    const gate = closedGate(scratch(t));
    const held = pool.run("hold", { file: seen.file, gate: gate.gate, line: "held" });
    await seen.until(1);

    proxy.treat({ kind: "swallow" });
    await startHost(t, [server.address], { hands: 2 });

    await seen.until(3);
    gate.open();
    assert.equal(await held, "held");
    assert.deepEqual(seen.lines().toSorted(), ["1 1", "1 2", "held"]);
    task.cancel();
    await rejection(task);
  });
});

describe("a large map over Gearman", { timeout: 60_000 }, () => {
  it("has no more under way than its window, at the server neither (C10)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address]);
    const pool = openPool(t, [address]);
    await workersUp(pool, 2);
    const admin = new GearmanAdmin(address);
    let [read, taken, mostJobs] = [0, 0, 0];
    function* inputs(): Generator<number> {
      while (read < 20_000) yield read++;
    }

    for await (const value of pool.imap("double", inputs(), { window: 64 })) {
      assert.equal(value, taken * 2);
      taken++;
      assert.ok(read <= taken + 64);
      if (taken % 500 !== 0) continue;
      const jobs = (await admin.status()).reduce((sum, { total }) => sum + total, 0);
      mostJobs = Math.max(mostJobs, jobs);
    }

    assert.equal(taken, 20_000);
    assert.ok(mostJobs < 500, `${mostJobs} jobs at the server`);
  });
});

describe("what clusters over Gearman used to get wrong", { timeout: 60_000 }, () => {
  it("a deadline is one task's own, and neither its end nor an error takes good results along (F1)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { hands: 2 });
    const pool = openPool(t, [address]);
    const waits = [1, 60_000, 2, 60_000, 3];

    const outcomes = await pool.map(
      "signLater",
      waits.map((ms, id) => ({ id, ms })),
      { onError: "collect", timeoutMs: 1_000, chunkSize: 1 },
    );

    assert.deepEqual(
      outcomes.map((one) => (one.ok ? one.value : (one.error as Error).name)),
      [{ id: 0, attempt: 1 }, "TaskTimeoutError", { id: 2, attempt: 1 }, "TaskTimeoutError", { id: 4, attempt: 1 }],
    );
  });

  it("an item that kills its worker condemns itself, and no other of its chunk (F2)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const host = await startHost(t, [address], { hands: 2, isForking: true });
    const pool = openPool(t, [address]);

    const outcomes = await pool.map("poisonIf13", range(100), { onError: "collect", chunkSize: 25 });

    const failed = outcomes.filter((one) => !one.ok);
    assert.deepEqual(
      failed.map(({ index }) => index),
      [13],
    );
    const { error } = failed[0]!;
    assert.ok(error instanceof WorkerLostError && error.signal === "SIGKILL", String(error));
    assert.equal(host.hasEnded, false);
  });

  it("nothing to do is no error, and a chunk of nothing is one (F3)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const pool = openPool(t, [address]);

    assert.deepEqual(await pool.map("double", []), []);
    for await (const value of pool.imap("double", [])) assert.fail(`${value} came`);
    assert.throws(() => pool.map("double", [1], { chunkSize: 0 }), ConfigError);
  });

  it(`whatever strangers send to its functions runs nothing and disturbs nobody (F5; seed ${chosen})`, async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const host = await startHost(t, [address], { hands: 1 });
    const pool = openPool(t, [address]);
    await workersUp(pool, 1);
    const functions = (await new GearmanAdmin(address).status()).map(({ fn }) => fn);
    assert.equal(functions.length, 2);
    const stranger = new GearmanClient(address);
    t.after(() => stranger.terminate());
    const dice = random(chosen);

    for (let round = 0; round < 20; round++) {
      const letters = range(50).map(() => {
        const [to, from] = [functions[dice.below(2)]!, functions[dice.below(2)]!];
        // What hangs nowhere is answered by nothing, what cannot be read by an exception.
        return stranger
          .submit(to, forged(dice.below(6), from, dice.below(300), dice), { timeoutMs: 20_000 })
          .catch(String);
      });
      assert.equal(await pool.run("double", round), round * 2);
      for (const answer of await Promise.all(letters)) assert.ok(String(answer).length < 200, String(answer));
    }

    assert.equal(host.hasEnded, false);
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  });
});

describe("a cluster that lives long", { timeout: 60_000 }, () => {
  it("leaves no functions of pools and hosts that have gone in the server's list", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const admin = new GearmanAdmin(address);
    const listed = async (): Promise<number> => (await admin.status()).length;
    for (let life = 0; life < 3; life++) {
      const host = await startHost(t, [address], { hands: 1 });
      const pool = openPool(t, [address]);
      assert.equal(await pool.run("double", life), life * 2);
      await pool.close();
      await host.kill();
    }
    assert.equal(await listed(), 6);

    const host = lend(t, [address], { heartbeatMs: 20 });

    while ((await listed()) > 1);
    const pool = openPool(t, [address]);
    assert.equal(await pool.run("double", 4), 8);
    assert.equal(host.report.pools, 1);
  });
});

/** A host with one hand in this process. */
function lend(t: Ending, servers: readonly string[], { heartbeatMs } = FAST): GearmanHost {
  const backend = (): Backend => threads(new URL("./fixtures/tasks.ts", import.meta.url), { size: 0 });
  const host = runGearmanWorker(servers, { backend, hands: 1, heartbeatMs });
  t.after(() => host.terminate());
  return host;
}

/** Resolves when what the pool sends and hears goes by that server too: it counts its jobs in their handles. */
async function carries(address: string, pool: Pool<Tasks>): Promise<void> {
  const client = new GearmanClient(address);
  let own = 0;
  const countOthers = async (): Promise<number> => {
    const { handle } = await client.background("counted by nobody", "1");
    return Number(handle.slice(handle.lastIndexOf(":") + 1)) - ++own;
  };
  const before = await countOthers();
  while ((await countOthers()) < before + 200) await pool.map("double", range(24), { chunkSize: 1 });
  await client.close();
}

/** Something that nobody of the cluster says. */
function forged(kind: number, from: string, length: number, dice: Random): Buffer {
  const noise = Buffer.from(range(length).map(() => dice.below(256)));
  const letter = (frame: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([1, from.length]), Buffer.from(from), frame]);
  const session = noise.toString("latin1").padEnd(8).slice(0, 8);
  const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  switch (kind) {
    case 0:
      return Buffer.concat([Buffer.from([dice.below(255)]), noise]);
    case 1:
      return letter(noise);
    case 2:
      return letter(writeFrame((1 + dice.below(9)) as FrameType, session, dice.below(9), dice.below(9), noise));
    case 3:
      return letter(
        writeFrame(
          HELLO,
          session,
          0,
          0,
          text({ link: "hands", id: "x", epoch: "y", hands: -length, host: [], fn: {} }),
        ),
      );
    case 4:
      return Buffer.concat([Buffer.from([0xff]), noise]);
    default:
      return Buffer.from(`\xff{"ask":"ping","number":${length},"ids":["x"],"__proto__":{"polluted":1}}`, "latin1");
  }
}
