// Pools over job servers, statement by statement, with real servers and hosts in processes of their own.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gearmanControl } from "../../src/backends/gearman/index.ts";
import { BackendUnavailableError, WorkerLostError } from "../../src/index.ts";
import { closedGate, isAlive, rejection, scratch, until, witness } from "../../src/testing/stage.ts";
import { FAST, inReverse, openPool, startHost, workersUp } from "./cluster.ts";
import { freePort, type Kind, startServer } from "./server.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("a pool over Gearman", { timeout: 120_000 }, () => {
  for (const kind of ["gearmand", "perl"] as const satisfies Kind[]) {
    it(`maps over several hosts through ${kind}, with results in order (C1)`, async (test) => {
      const t = inReverse(test);
      const { address } = await startServer(t, { kind });
      const hosts = await Promise.all([startHost(t, [address]), startHost(t, [address])]);
      const pool = openPool(t, [address]);
      await workersUp(pool, 4);

      assert.deepEqual(
        await pool.map("double", range(2_000)),
        range(2_000).map((n) => n * 2),
      );

      assert.deepEqual(
        new Set(pool.workers().map(({ done, pid }) => (done > 0 ? pid : 0))),
        new Set(hosts.map(({ pid }) => pid)),
      );
      assert.deepEqual(pool.workers()[0]?.series, ["gearman", "remote"]);
    });
  }

  it("lets a failing item fail alone, with its own error and the stack of the worker (C1, F1)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address]);
    const pool = openPool(t, [address]);

    const outcomes = await pool.map("failIfOdd", range(100), { onError: "collect" });

    const failed = outcomes.filter((one) => !one.ok);
    assert.deepEqual(
      failed.map(({ index }) => index),
      range(50).map((n) => n * 2 + 1),
    );
    const { error } = failed[0]!;
    assert.ok(error instanceof RangeError && error.message === "1 is odd");
    assert.match(error.stack ?? "", /failIfOdd.*tasks\.ts/);
  });

  it("waits for hosts, gives one that joins late its share, and lets several pools have the same", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const [one, other] = [openPool(t, [address]), openPool(t, [address])];
    const early = one.run("double", 21);

    await startHost(t, [address], { hands: 1 });
    assert.equal(await early, 42);
    assert.equal(await other.run("double", 4), 8);

    const late = await startHost(t, [address], { hands: 3 });
    await Promise.all([workersUp(one, 4), workersUp(other, 4)]);
    assert.equal(one.workers().filter(({ pid }) => pid === late.pid).length, 3);
  });

  it("reaches with a broadcast the workers of hosts that join later too, and has an answer of each (F4)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { hands: 1 });
    const pool = openPool(t, [address]);
    await workersUp(pool, 1);
    assert.equal((await pool.broadcast("remember", "a word")).length, 1);

    await startHost(t, [address], { hands: 2 });
    await workersUp(pool, 3);

    const words = await pool.broadcast("recall", undefined, { ephemeral: true });
    assert.deepEqual(
      words.map((word) => word.ok && word.value),
      ["a word", "a word", "a word"],
    );
  });

  it("keeps clusters of other namespaces apart", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { namespace: "one", hands: 1 });
    await startHost(t, [address], { namespace: "other", hands: 2 });

    const pool = openPool(t, [address], { namespace: "one" });

    await workersUp(pool, 1);
    assert.equal(await pool.run("double", 1), 2);
    assert.equal(pool.workers().length, 1);
  });

  it("brings large values through, in both directions", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { hands: 1 });
    // To copy so much may keep a thread busy for longer than the lease of these tests.
    const pool = openPool(t, [address], { leaseMs: 20_000 });

    for (const bytes of [512 * 1024, 64 * 2 ** 20]) assert.equal((await pool.run("bytes", bytes)).length, bytes);

    const large = await pool.broadcast("remember", new Uint8Array(2 ** 24).fill(3));
    assert.deepEqual(
      large.map(({ ok }) => ok),
      [true],
    );
    const [back] = await pool.broadcast("recall", undefined);
    assert.ok(back?.ok);
    assert.deepEqual(back.value, new Uint8Array(2 ** 24).fill(3));
  });
});

describe("hosts that go", { timeout: 120_000 }, () => {
  it("with SIGKILL: what ran there is done elsewhere as a repeat, and nothing of it goes on running (C2, F6)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const seen = witness(scratch(t));
    const doomed = await startHost(t, [address], { hands: 1, isForking: true });
    const pool = openPool(t, [address]);
    const spinning = pool.run("spin", { file: seen.file }, { retries: 0 });
    const pid = Number((await seen.until(1))[0]);
    const others = range(50).map((id) => pool.run("sign", id));
    await startHost(t, [address], { hands: 1 });

    await doomed.kill();

    const lost = await rejection(spinning);
    assert.ok(lost instanceof WorkerLostError);
    assert.match(String(lost.cause), /is gone: it has not been heard of for too long/);
    assert.deepEqual(
      (await Promise.all(others)).map(({ id }) => id),
      range(50),
    );
    await until(() => !isAlive(pid), "the orphan to end");
  });

  it("silent, as with SIGSTOP: noticed within the lease, and its late answers are ignored (C6, C3)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const stopped = await startHost(t, [address], { hands: 1 });
    const pool = openPool(t, [address]);
    const tasks = range(10).map((id) => pool.run("signLater", { id, ms: 50 }));
    await workersUp(pool, 1);
    stopped.signal("SIGSTOP");
    t.after(() => stopped.signal("SIGCONT"));
    await startHost(t, [address], { hands: 1 });

    const results = await Promise.all(tasks);

    assert.deepEqual(
      results.map((result) => (result as { id: number }).id),
      range(10),
    );
    stopped.signal("SIGCONT");
    // It is greeted as a new one.
    await workersUp(pool, 2);
  });

  it("by quit: they finish what they have, and nothing runs twice (C7)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const seen = witness(scratch(t));
    const gate = closedGate(scratch(t));
    const [leaving, staying] = [await startHost(t, [address], { id: "leaving" }), await startHost(t, [address])];
    const pool = openPool(t, [address]);
    await workersUp(pool, 4);
    const tasks = range(4).map((n) => pool.run("hold", { file: seen.file, gate: gate.gate, line: `${n}` }));
    await seen.until(4);
    const control = gearmanControl([address]);
    t.after(() => control.close());

    const told = await control.quit({ ids: ["leaving"] });

    assert.deepEqual(
      told.map(({ id, state, running }) => [id, state, running]),
      [["leaving", "leaving", 2]],
    );
    // Answered while it drains.
    assert.deepEqual((await control.ping()).map(({ state }) => state).toSorted(), ["leaving", "serving"]);
    gate.open();
    assert.deepEqual(await Promise.all(tasks), ["0", "1", "2", "3"]);
    assert.equal(await leaving.ended(), 0);
    assert.equal(staying.hasEnded, false);
    assert.deepEqual(seen.lines().toSorted(), ["0", "1", "2", "3"]);
    await workersUp(pool, 2);
  });
});

describe("hosts that are restarted one by one", { timeout: 120_000 }, () => {
  it("under load: each finishes what it has, nothing is lost and nothing runs twice (C7)", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const ids = ["a", "b", "c"];
    const hosts = await Promise.all(ids.map((id) => startHost(t, [address], { id })));
    const pool = openPool(t, [address]);
    await workersUp(pool, 6);
    const control = gearmanControl([address]);
    t.after(() => control.close());
    const seen = witness(scratch(t));
    let [done, next, isOver] = [0, 0, false];
    const load = Array.from({ length: 40 }, async () => {
      for (; !isOver; done++) {
        const id = next++;
        assert.deepEqual(await pool.run("note", { id, ms: 3, file: seen.file }), { id, attempt: 1 });
      }
    });

    for (const [at, id] of ids.entries()) {
      const before = done;
      assert.deepEqual(
        (await control.restart({ ids: [id] })).map((report) => report.id),
        [id],
      );
      assert.equal(await hosts[at]!.ended(), 75);
      await startHost(t, [address], { id });
      await workersUp(pool, 6);
      await until(() => done > before + 100, "the load to go on");
    }

    isOver = true;
    await Promise.all(load);
    assert.deepEqual(new Set(seen.lines()).size, next);
    assert.equal(seen.lines().length, next);
  });
});

describe("servers that go", { timeout: 120_000 }, () => {
  it("killed and started again: neither a task nor a repeat is lost by it (C2)", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    await startHost(t, [server.address]);
    const pool = openPool(t, [server.address], { leaseMs: 10_000 });
    await workersUp(pool, 2);
    const tasks = range(300).map((id) => pool.run("signLater", { id, ms: 10 }));

    for (let restarts = 0; restarts < 3; restarts++) {
      await tasks[restarts * 50];
      await server.restart();
    }

    assert.deepEqual(
      await Promise.all(tasks),
      range(300).map((id) => ({ id, attempt: 1 })),
    );
  });

  it("one of two: the rest goes on by the other, and by it again when it is back (C5)", async (test) => {
    const t = inReverse(test);
    const [first, second] = [await startServer(t), await startServer(t)];
    const addresses = [first.address, second.address];
    await startHost(t, addresses);
    const pool = openPool(t, addresses, { leaseMs: 10_000 });
    await workersUp(pool, 2);
    const runs = async (): Promise<void> => {
      const tasks = range(100).map((id) => pool.run("signLater", { id, ms: 2 }));
      assert.deepEqual(
        await Promise.all(tasks),
        range(100).map((id) => ({ id, attempt: 1 })),
      );
    };

    for (const server of [first, second]) {
      const running = runs();
      await server.kill();
      await running;
      await runs();
      await server.start();
      await runs();
    }
  });

  it("all of them: tasks reject after connectTimeoutMs, and run again when one is back (C5)", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    await startHost(t, [server.address], { hands: 1 });
    const pool = openPool(t, [server.address], { connectTimeoutMs: 1_000 });
    assert.equal(await pool.run("double", 2), 4);
    await server.kill();

    const error = await rejection(pool.run("double", 3));

    assert.ok(error instanceof BackendUnavailableError, String(error));
    assert.match(
      error.message,
      new RegExp(`Cannot reach Gearman server "${server.address}": none was there within 1000 ms`),
    );
    assert.ok(error.cause instanceof Error);
    await server.start();
    for (let result: unknown; result !== 6; ) {
      result = await pool.run("double", 3).catch((cause: unknown) => {
        assert.ok(cause instanceof BackendUnavailableError);
        // Rejected at once, again and again, it would never let the event loop go on.
        return new Promise((resolve) => setTimeout(resolve, 10));
      });
    }
  });

  it("that were never there: the same (C5)", async (test) => {
    const t = inReverse(test);
    const pool = openPool(t, [`127.0.0.1:${await freePort()}`], { connectTimeoutMs: 100 });

    assert.ok((await rejection(pool.run("double", 3))) instanceof BackendUnavailableError);
  });

  it("that hang: noticed, and the other is taken (C5)", async (test) => {
    const t = inReverse(test);
    const [first, second] = [await startServer(t), await startServer(t)];
    const addresses = [first.address, second.address];
    await startHost(t, addresses, { hands: 1 });
    const pool = openPool(t, addresses, { leaseMs: 10_000 });
    await workersUp(pool, 1);
    for (const server of [first, second]) {
      server.freeze();
      t.after(() => server.thaw());
      assert.deepEqual(await pool.run("sign", 1), { id: 1, attempt: 1 });
      server.thaw();
    }
  });
});

describe("control", { timeout: 120_000 }, () => {
  it("needs no pool, counts each answer and addresses each host", async (test) => {
    const t = inReverse(test);
    const [first, second] = [await startServer(t), await startServer(t)];
    const both = [first.address, second.address];
    const [a, b] = [await startHost(t, both, { id: "a" }), await startHost(t, [second.address], { id: "b", hands: 3 })];
    const control = gearmanControl(both);
    t.after(() => control.close());

    let reports = await control.ping();
    while (reports.length < 2) reports = await control.ping();

    const sorted = reports.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    assert.deepEqual(
      sorted.map(({ id, pid, hands, pools, running, state }) => ({ id, pid, hands, pools, running, state })),
      [
        { id: "a", pid: a.pid, hands: 2, pools: 0, running: 0, state: "serving" },
        { id: "b", pid: b.pid, hands: 3, pools: 0, running: 0, state: "serving" },
      ],
    );
    assert.deepEqual(
      (await control.ping({ ids: ["b", "nobody"] })).map(({ id }) => id),
      ["b"],
    );
    await control.restart({ ids: ["a"] });
    assert.equal(await a.ended(), 75);
    assert.deepEqual(
      (await control.quit()).map(({ id }) => id),
      ["b"],
    );
    assert.equal(await b.ended(), 0);
    assert.deepEqual(await control.ping(), []);
  });

  it("hears what tasks print, on hosts that come later too, until it is told to stop", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await startHost(t, [address], { id: "early", hands: 1 });
    const pool = openPool(t, [address]);
    await workersUp(pool, 1);
    const control = gearmanControl([address]);
    t.after(() => control.close());
    const heard: string[] = [];
    const stop = new AbortController();
    const listening = control.logs(({ id, stream, text }) => heard.push(`${id} ${stream} ${text}`), {
      signal: stop.signal,
    });

    while (heard.length === 0) await pool.run("say", "one");
    assert.equal(heard[0], "early stdout one");
    await startHost(t, [address], { id: "late", hands: 1 });
    while (!heard.includes("late stdout two")) await pool.map("say", ["two", "two", "two", "two"], { chunkSize: 1 });

    stop.abort();
    await listening;
  });

  it("says that no server is there", async (test) => {
    const t = inReverse(test);
    const control = gearmanControl([`127.0.0.1:${await freePort()}`], { connectTimeoutMs: 200 });
    t.after(() => control.close());
    assert.ok((await rejection(control.ping())) instanceof BackendUnavailableError);
  });
});

describe("a host that is told to end", { timeout: 120_000 }, () => {
  it("ends without a server, and without a pool", async (test) => {
    const t = inReverse(test);
    const { runGearmanWorker } = await import("../../src/backends/gearman/index.ts");
    const { threads } = await import("../../src/backends/threads/index.ts");
    const backend = (): ReturnType<typeof threads> =>
      threads(new URL("./fixtures/tasks.ts", import.meta.url), { size: 0 });
    const alone = runGearmanWorker(`127.0.0.1:${await freePort()}`, { backend, ...FAST });
    alone.quit();
    assert.equal(await alone.done, "quit");

    const { address } = await startServer(t);
    const stop = new AbortController();
    const host = runGearmanWorker(address, { backend, ...FAST, signal: stop.signal });
    const pool = openPool(t, [address]);
    assert.equal(await pool.run("double", 1), 2);
    stop.abort();
    assert.equal(await host.done, "quit");
    assert.equal(host.report.done, 1);
    const last = runGearmanWorker(address, { backend, ...FAST });
    assert.equal(await pool.run("double", 2), 4);
    last.restart();
    await last.terminate();
    assert.equal(await last.done, "restart");
  });
});
