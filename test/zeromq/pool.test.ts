// Pools over ZeroMQ with hosts as programs: who joins, who shares, who goes, who is killed, who is refused.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import fc from "fast-check";
import { Dealer } from "zeromq";
import { threads } from "../../src/backends/threads/index.ts";
import { makeKeyPair, runZeromqWorker, zeromq } from "../../src/backends/zeromq/index.ts";
import { BackendUnavailableError, ConfigError, type ProtocolError, WorkerLostError } from "../../src/index.ts";
import { DATA, HELLO, REFUSE, readFrame, writeFrame } from "../../src/protocol/session/frame.ts";
import { readJson, writeJson } from "../../src/protocol/session/json-body.ts";
import { isAlive, it, rejectionOf, scratch, until } from "../../src/testing/stage.ts";
import { freeUrl, launch, quick, range } from "./cluster.ts";
import { boundPool, openPool, startHost, workersUp } from "./hosts.ts";

describe("zeromq()", () => {
  it("wants one of bind and connect, and CURVE where others can reach the port", () => {
    assert.throws(() => zeromq({}), ConfigError);
    assert.throws(() => zeromq({ bind: "tcp://127.0.0.1:1", connect: "tcp://127.0.0.1:1" }), ConfigError);
    assert.throws(() => zeromq({ bind: "tcp://*:5555" }), /without CURVE/);
    assert.throws(() => zeromq({ bind: "tcp://127.0.0.1:1", leaseMs: 10 }), /no longer than a heartbeat/);
    zeromq({ bind: { url: "tcp://*:5555", insecure: true } });
    zeromq({ bind: "tcp://*:5555", insecure: true });
    assert.deepEqual(zeromq({ bind: "tcp://127.0.0.1:1", series: "s" }).plan.series, ["zeromq", "remote", "s"]);
  });

  it("tells tasks why they cannot run where its port is taken", async (t) => {
    const { url, pool } = await boundPool(t);
    const host = await startHost(t, { connect: url });
    await workersUp(pool, 1);
    const other = openPool(t, { bind: url });
    const { message } = await rejectionOf(BackendUnavailableError, other.run("increment", 1));
    assert.match(message, /Cannot bind "tcp:/);
    host.kill("SIGTERM");
    assert.equal(await host.ended, 0);
  });
});

describe("hosts", () => {
  it("may come before the pool, and find the next one when it is gone", async (t) => {
    const url = await freeUrl();
    const host = await startHost(t, { connect: url, hands: 2 });
    for (const round of [1, 2, 3]) {
      const pool = openPool(t, { bind: url });
      assert.deepEqual(
        (await pool.map("work", [{ id: round, ms: 0 }])).map(({ id, pid }) => [id, pid]),
        [[round, host.pid]],
      );
      await (round === 2 ? pool.terminate() : pool.close());
    }
    assert.deepEqual(host.lines, ["up"]);
  });

  it("may bind, and be found by several pools over tcp and ipc", async (t) => {
    const places = [await freeUrl(), `ipc://${join(scratch(t), "host")}`];
    const pools = places.map((connect) => openPool(t, { connect }));
    const host = await startHost(t, { bind: places });
    const ran = await Promise.all(pools.map((pool, id) => pool.run("work", { id, ms: 0 })));
    assert.deepEqual(
      ran.map(({ id, pid }) => [id, pid]),
      [
        [0, host.pid],
        [1, host.pid],
      ],
    );
  });

  it("work for several pools with workers of their own, and results never mix", async (t) => {
    const [one, other] = [await boundPool(t), await boundPool(t)];
    for (const hands of [1, 2]) await startHost(t, { connect: [one.url, other.url], hands });
    await Promise.all([workersUp(one.pool, 3), workersUp(other.pool, 3)]);
    await Promise.all([one.pool.broadcast("greet", "one"), other.pool.broadcast("greet", "other")]);
    const ids = range(3_000);
    const [evens, odds] = await Promise.all([
      one.pool.map(
        "increment",
        ids.map((n) => 2 * n),
      ),
      other.pool.map(
        "increment",
        ids.map((n) => 2 * n + 1),
      ),
    ]);
    assert.deepEqual(
      evens,
      ids.map((n) => 2 * n + 1),
    );
    assert.deepEqual(
      odds,
      ids.map((n) => 2 * n + 2),
    );
    const greetings = async ({ pool }: typeof one): Promise<unknown[]> =>
      (await pool.broadcast("greeted", undefined as never)).map((each) => (each.ok ? each.value : each.error));
    assert.deepEqual(await greetings(one), ["one", "one", "one"]);
    assert.deepEqual(await greetings(other), ["other", "other", "other"]);
  });

  it("that come late get their share, and what was broadcast before they came", async (t) => {
    const { pool, url } = await boundPool(t);
    const first = await startHost(t, { connect: url });
    await workersUp(pool, 1);
    await pool.broadcast("greet", "hello");
    const file = join(scratch(t), "log");
    const jobs = pool.runAll(
      "work",
      range(300).map((id) => ({ id, ms: 5, log: file })),
    );
    await until(() => existsSync(file), "the first task to run");
    const late = await startHost(t, { connect: url });
    const done = await Promise.all(jobs);
    const ofLate = done.filter(({ pid }) => pid === late.pid).length;
    assert.ok(ofLate > 50, `the late one did ${ofLate} of 300`);
    assert.ok(done.some(({ pid }) => pid === first.pid));
    assert.ok(done.every(({ attempt, id }, at) => attempt === 1 && id === at));
    assert.deepEqual(
      (await pool.broadcast("greeted", undefined as never)).map((each) => each.ok && each.value),
      ["hello", "hello"],
    );
  });

  it("that are free get the work: 400 tasks beside a slow worker take well under a second", async (t) => {
    const { pool, url } = await boundPool(t);
    await startHost(t, { connect: url, hands: 2 });
    await workersUp(pool, 2);
    await pool.map("increment", range(1_000));
    const held = pool.run("sleep", 50);
    const startedAt = performance.now();
    await Promise.all([
      held,
      ...pool.runAll(
        "work",
        range(400).map((id) => ({ id, ms: 0 })),
      ),
    ]);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
  });

  it("finish what they have when they are told to go, and nothing runs twice", async (t) => {
    const { pool, url } = await boundPool(t);
    const [going, staying] = [
      await startHost(t, { connect: url, hands: 2 }),
      await startHost(t, { connect: url, hands: 2 }),
    ];
    await workersUp(pool, 4);
    const file = join(scratch(t), "log");
    const jobs = pool.runAll(
      "work",
      range(400).map((id) => ({ id, ms: 5, log: file })),
    );
    await until(() => existsSync(file) && new Set(pids(file)).size === 2, "both to run something");
    going.kill("SIGTERM");
    assert.equal(await going.ended, 0);
    await Promise.all(jobs);
    assert.equal(pids(file).length, 400, "each ran once");
    await workersUp(pool, 2);
    assert.deepEqual([...new Set(pool.workers().map(({ pid }) => pid))], [staying.pid]);
  });

  for (const backend of ["threads", "processes"] as const) {
    it(`that are killed leave no worker running (${backend}); what they ran is tried again elsewhere`, async (t) => {
      const { pool, url } = await boundPool(t);
      const directory = scratch(t);
      const [log, gate, beats] = ["log", "gate", "beats"].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      const doomed = await startHost(t, { connect: url, hands: 2, backend });
      await workersUp(pool, 2);
      const lost = rejectionOf(WorkerLostError, pool.run("beat", beats, { retries: 0 }));
      const saved = pool.run("waitFor", { gate, log });
      await until(() => existsSync(log) && existsSync(beats), "both to run");
      const workers = [...new Set([...pids(beats), ...pids(log)])].filter((pid) => pid !== doomed.pid);
      assert.equal(workers.length, backend === "processes" ? 2 : 0);
      await startHost(t, { connect: url });
      doomed.kill("SIGKILL");
      const { message, cause } = await lost;
      assert.match(`${message} ${String(cause)}`, new RegExp(`host .* \\(pid ${doomed.pid}\\) is gone`));
      await until(() => !workers.some(isAlive), "its workers to be gone");
      writeFileSync(gate, "");
      assert.equal((await saved).attempt, 2);
    });
  }

  it("end a pool's workers when that is killed, and serve the next one", async (t) => {
    const url = await freeUrl();
    const file = join(scratch(t), "beats");
    const program = new URL("fixtures/pool.ts", import.meta.url).pathname;
    const pool = launch(t, [process.execPath, program, JSON.stringify({ bind: url, ...quick }), file]);
    const host = await startHost(t, { connect: url, backend: "processes" });
    await until(() => existsSync(file), "the task to run");
    const [worker] = pids(file);
    pool.kill("SIGKILL");
    await until(() => !isAlive(worker!), "the worker to be ended");
    const next = openPool(t, { bind: url });
    assert.equal(await next.run("increment", 1), 2);
    assert.deepEqual(host.lines, ["up"]);
  });

  it("are told apart from those who say what no host says, which are refused and harm nobody", async (t) => {
    const warnings: string[] = [];
    const { pool, url } = await boundPool(t, { onWarning: ({ message }) => void warnings.push(message) });
    await startHost(t, { connect: url });
    await workersUp(pool, 1);
    const good = { link: "hands", role: "host", host: "h", pid: 1, hands: 1, protocol: 1 };
    for (const [hello, body, complaint] of [
      [{ ...good, protocol: 99 }, undefined, /it speaks version 99, and this pool 1/],
      [{ ...good, hands: -1 }, undefined, /Cannot greet a host/],
      [{ link: "hands" }, undefined, /Cannot greet host undefined/],
      [{ ...good, link: "requests" }, undefined, /this is the link "hands"/],
      [good, "\x01\x02", /Cannot read entry at byte 0 of 2/],
      [good, "\xff{", /Cannot read what is asked of a host/],
      [{ link: "hands", role: "control" }, "\xff{}", /Cannot read a question/],
      [{ link: "hands", role: "control" }, "?{}", /Cannot read/],
    ] as const) {
      assert.match(await refusal(url, hello, body), complaint);
    }
    const stranger = new Dealer({ linger: 0 });
    t.after(() => stranger.close());
    stranger.connect(url);
    for (const sample of fc.sample(fc.uint8Array({ maxLength: 60 }), { numRuns: 50, seed: 1 }))
      await stranger.send(Buffer.from(sample));
    await until(() => warnings.some((one) => /not of this protocol/.test(one)), "complaints of garbage");
    assert.deepEqual(await pool.map("increment", range(100)), range(101).slice(1));
    await workersUp(pool, 1);
  });

  it("with a listed key get in; another key and a plain client do not", async (t) => {
    const [server, client, stranger] = await Promise.all([makeKeyPair(), makeKeyPair(), makeKeyPair()]);
    const warnings: string[] = [];
    const url = await freeUrl();
    const pool = openPool(t, {
      bind: url,
      curve: { ...server, allow: [client.publicKey] },
      onWarning: ({ message }: ProtocolError) => void warnings.push(message),
    });
    const serverKey = server.publicKey;
    await startHost(t, { connect: url, curve: { ...stranger, serverKey } });
    await startHost(t, { connect: url });
    const good = await startHost(t, { connect: { url, curve: { ...client, serverKey } } });
    assert.equal((await pool.run("work", { id: 1, ms: 0 })).pid, good.pid);
    await until(() => warnings.some((one) => /its key is not listed/.test(one)), "the stranger to be refused");
    await until(() => warnings.some((one) => /Cannot shake hands/.test(one)), "the plain one to be refused");
    assert.equal(pool.workers().length, 1);
  });
});

describe("runZeromqWorker()", () => {
  it("ends with why when a pool does not want it, and ends at once when it is told to", async (t) => {
    const backend = (): ReturnType<typeof threads> =>
      threads(new URL("fixtures/hosted-tasks.ts", import.meta.url), { size: 0 });
    await assert.rejects(runZeromqWorker({ backend } as never), /give one of "bind" and "connect"/);
    await assert.rejects(runZeromqWorker({ connect: "tcp://127.0.0.1:1" } as never), /"backend" is missing/);
    const { pool, url } = await boundPool(t);
    const host = await runZeromqWorker({ connect: url, hands: 1, backend });
    await workersUp(pool, 1);
    const task = rejectionOf(WorkerLostError, pool.run("sleep", 60_000, { retries: 0 }));
    await until(() => pool.snapshot().running === 1, "it to run");
    await host.terminate();
    assert.equal(await host.done, "quit");
    await task;
  });
});

function pids(file: string): number[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => Number(line.split(" ").at(-1)));
}

/** What a pool says to one who greets it so, and then sends such a body. */
async function refusal(url: string, hello: object, body: string | undefined): Promise<string> {
  const socket = new Dealer({ linger: 0 });
  socket.connect(url);
  const session = `${Math.random()}`.padEnd(10, "0").slice(2, 10);
  await socket.send(Buffer.from(writeFrame(HELLO, session, 0, 0, writeJson({ id: "bad", epoch: session, ...hello }))));
  if (body !== undefined) await socket.send(Buffer.from(writeFrame(DATA, session, 1, 0, Buffer.from(body, "latin1"))));
  try {
    for (;;) {
      const [bytes] = await socket.receive();
      const frame = readFrame(bytes!);
      if (frame.type === REFUSE) return String(readJson(frame.body, "REFUSE")["why"]);
    }
  } finally {
    socket.close();
  }
}
