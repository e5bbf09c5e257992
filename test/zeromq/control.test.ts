// What a person can ask of hosts: through pools, or of hosts that have bound.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import {
  type ClusterControl,
  type HostLine,
  type ZeromqControlOptions,
  zeromqControl,
} from "../../src/backends/zeromq/index.ts";
import { ConfigError, PoolClosedError, ReceiveTimeoutError } from "../../src/index.ts";
import { it, rejectionOf, scratch, until } from "../../src/testing/stage.ts";
import { freeUrl, range } from "./cluster.ts";
import { boundPool, openPool, startHost, workersUp } from "./hosts.ts";

async function control(t: TestContext, options: ZeromqControlOptions): Promise<ClusterControl> {
  const made = await zeromqControl(options);
  t.after(() => made.close());
  return made;
}

describe("a control", () => {
  it("knows two hosts apart that have the same id", async (t) => {
    const { pool, url } = await boundPool(t);
    const hosts = [await startHost(t, { connect: url, id: "same" }), await startHost(t, { connect: url, id: "same" })];
    await workersUp(pool, 2);
    const reports = await (await control(t, { connect: url })).ping();
    assert.deepEqual(reports.map(({ pid }) => pid).toSorted(), hosts.map(({ pid }) => pid).toSorted());
  });

  it("hears from every host how it is, by id or by machine and process", async (t) => {
    const { pool, url } = await boundPool(t);
    const [one, two] = [
      await startHost(t, { connect: url, id: "one", hands: 2 }),
      await startHost(t, { connect: url, id: "two" }),
    ];
    await workersUp(pool, 3);
    await pool.map(
      "work",
      range(30).map((id) => ({ id, ms: 1 })),
      { chunkSize: 1 },
    );
    const all = await control(t, { connect: url });
    const startedAt = performance.now();
    const reports = (await all.ping()).toSorted((a, b) => a.id.localeCompare(b.id));
    assert.ok(performance.now() - startedAt < 4_000, "who has all answers waits no longer");
    assert.deepEqual(
      reports.map(({ id, host, pid, hands, pools, workers, state, running, failed }) => [
        id,
        host,
        pid,
        hands,
        pools,
        workers,
        state,
        running,
        failed,
      ]),
      [
        ["one", hostname(), one.pid, 2, 1, 2, "serving", 0, 0],
        ["two", hostname(), two.pid, 1, 1, 1, "serving", 0, 0],
      ],
    );
    const sum = (of: "done" | "runMs"): number => reports.reduce((total, report) => total + report[of], 0);
    assert.equal(sum("done"), 30);
    assert.ok(sum("runMs") >= 20);
    assert.ok(
      reports.every(({ memoryBytes, startedAt: at }) => memoryBytes > 1e7 && Math.abs(Date.now() - at) < 60_000),
    );
    const named = async (...ids: string[]): Promise<number[]> => (await all.ping({ ids })).map(({ pid }) => pid);
    assert.deepEqual(await named("two"), [two.pid]);
    assert.deepEqual(await named(`${hostname()}:${one.pid}`), [one.pid]);
    assert.deepEqual((await all.ping({ ids: ["three"], timeoutMs: 100 })).length, 0);
  });

  it("ends hosts gracefully, with the status that starts them again or not, and they answer meanwhile", async (t) => {
    const { pool, url } = await boundPool(t);
    const [one, two] = [
      await startHost(t, { connect: url, id: "one" }),
      await startHost(t, { connect: url, id: "two" }),
    ];
    await workersUp(pool, 2);
    const [gate, log] = ["gate", "log"].map((name) => join(scratch(t), name)) as [string, string];
    const tasks = [1, 2].map(() => pool.run("waitFor", { gate, log }));
    await until(() => pool.snapshot().running === 2, "both to run");
    const all = await control(t, { connect: url });
    assert.deepEqual(
      (await all.quit({ ids: ["one"] })).map(({ id }) => id),
      ["one"],
    );
    assert.deepEqual(
      (await all.restart({ ids: ["two"] })).map(({ id }) => id),
      ["two"],
    );
    assert.deepEqual(
      (await all.ping()).map(({ state, running }) => [state, running]),
      [
        ["leaving", 1],
        ["leaving", 1],
      ],
    );
    writeFileSync(gate, "");
    assert.deepEqual(
      (await Promise.all(tasks)).map(({ attempt }) => attempt),
      [1, 1],
    );
    assert.deepEqual(await Promise.all([one.ended, two.ended]), [0, 75]);
    assert.deepEqual(await all.ping(), []);
  });

  it("is told what tasks print, of hosts that come later too, until it has heard enough", async (t) => {
    const { pool, url } = await boundPool(t);
    pool.on("output", () => {});
    const first = await startHost(t, { connect: url, id: "first" });
    await workersUp(pool, 1);
    const all = await control(t, { connect: url });
    const lines: HostLine[] = [];
    const stop = new AbortController();
    const heard = all.logs((line) => void lines.push(line), { signal: stop.signal });
    await all.ping();
    await pool.run("say", { text: "one\ntwo", stream: "stdout" });
    await until(() => lines.length === 2, "two lines");
    assert.deepEqual(
      lines.map(({ id, stream, text }) => [id, stream, text]),
      [
        ["first", "stdout", "one"],
        ["first", "stdout", "two"],
      ],
    );
    first.kill("SIGKILL");
    await startHost(t, { connect: url, id: "later" });
    await workersUp(pool, 1);
    await pool.run("say", { text: "three", stream: "stderr" });
    await until(() => lines.length === 3, "another line");
    assert.deepEqual([lines[2]!.id, lines[2]!.stream, lines[2]!.text], ["later", "stderr", "three"]);
    stop.abort();
    await heard;
    await all.ping();
    await pool.run("say", { text: "four", stream: "stdout" });
    await all.ping();
    assert.equal(lines.length, 3);
  });

  it("reaches the hosts of several pools, each once, and hosts that have bound without any pool", async (t) => {
    const [one, other] = [await boundPool(t), await boundPool(t)];
    const place = await freeUrl();
    await startHost(t, { connect: [one.url, other.url], id: "shared" });
    await startHost(t, { connect: one.url, id: "one" });
    const alone = await startHost(t, { bind: place, id: "alone" });
    await Promise.all([workersUp(one.pool, 2), workersUp(other.pool, 1)]);
    const ids = async (all: ClusterControl): Promise<string[]> => (await all.ping()).map(({ id }) => id).toSorted();
    assert.deepEqual(await ids(await control(t, { connect: [one.url, other.url] })), ["one", "shared"]);
    const direct = await control(t, { hosts: place });
    assert.deepEqual(await direct.ping().then(([report]) => [report!.id, report!.pools]), ["alone", 0]);
    const pool = openPool(t, { connect: place });
    assert.equal(await pool.run("increment", 1), 2);
    assert.equal((await direct.ping())[0]!.pools, 1);
    assert.equal((await direct.quit({ ids: [`${hostname()}:${alone.pid}`] })).length, 1);
    assert.equal(await alone.ended, 0);
  });

  it("says that nobody is there, waits for who comes within its time, and goes on after a pool that comes back", async (t) => {
    const url = await freeUrl();
    const all = await control(t, { connect: url });
    await rejectionOf(ReceiveTimeoutError, all.ping({ timeoutMs: 50 }));
    const early = all.ping();
    const pool = openPool(t, { bind: url });
    await early;
    await startHost(t, { connect: url, id: "one" });
    await workersUp(pool, 1);
    assert.equal((await all.ping()).length, 1);
    await pool.close();
    const next = openPool(t, { bind: url });
    await workersUp(next, 1);
    assert.equal((await all.ping()).length, 1);
    await all.close();
    await rejectionOf(PoolClosedError, all.ping());
  });

  it("needs to know where", async () => {
    await rejectionOf(ConfigError, zeromqControl({}));
    await rejectionOf(ConfigError, zeromqControl({ connect: "tcp://a:1", hosts: "tcp://a:1" }));
    await rejectionOf(ConfigError, zeromqControl({ connect: "nowhere" }));
  });
});
