// The client against real servers.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GearmanAdmin, GearmanClient, GearmanError } from "../../src/backends/gearman/index.ts";
import {
  BackendUnavailableError,
  ConfigError,
  PoolClosedError,
  ProtocolError,
  TaskTimeoutError,
} from "../../src/protocol/errors.ts";
import { rejection, rejectionOf, until } from "../../src/testing/stage.ts";
import { startProxy } from "../support/chaos-proxy.ts";
import { echo, Held, openClient, openWorker, reverse, startFake } from "./parties.ts";
import { freePort, type Kind, startServer } from "./server.ts";

for (const kind of ["gearmand", "perl"] as const satisfies Kind[]) {
  describe(`a client of ${kind}`, { timeout: 120_000 }, () => {
    it("gets each job its own result", async (t) => {
      const { address } = await startServer(t, { kind });
      await openWorker(t, address, { reverse }, { concurrency: 8 });
      const client = openClient(t, address);

      const texts = Array.from({ length: 3_000 }, (_, i) => `job ${i}`);
      const results = await Promise.all(texts.map((text) => client.submit("reverse", text)));

      assert.deepEqual(
        results.map((result) => Buffer.from(result.toReversed()).toString()),
        texts,
      );
    });

    it("gets any bytes back: none, NULs, and a megabyte", async (t) => {
      const { address } = await startServer(t, { kind });
      await openWorker(t, address, { echo });
      const client = openClient(t, address);

      for (const bytes of [
        Buffer.alloc(0),
        Buffer.alloc(3),
        Buffer.from("\0a\0\xff\n\r\0", "latin1"),
        Buffer.alloc(2 ** 20, "\0x"),
      ]) {
        assert.deepEqual(await client.submit("echo", bytes), bytes);
      }
    });

    it("gets what a worker throws as an error with its text", async (t) => {
      const { address } = await startServer(t, { kind });
      const fails = (): never => {
        throw new RangeError("too wide: 4000 €");
      };
      await openWorker(t, address, { fails, echo });
      const client = openClient(t, address);

      const error = await rejectionOf(GearmanError, client.submit("fails", "x"));

      assert.equal(error.message, "too wide: 4000 €");
      assert.equal(error.code, "WORK_EXCEPTION");
      assert.equal(error.server, address);
      assert.match(error.handle ?? "", /^H:/);
      assert.deepEqual(error.data, Uint8Array.from(Buffer.from("too wide: 4000 €")));
      assert.equal((await client.submit("echo", "on it goes")).toString(), "on it goes");
    });

    it("hears how far a job is", async (t) => {
      const { address } = await startServer(t, { kind });
      await openWorker(t, address, {
        steps: (_, job) => {
          for (let i = 1; i <= 3; i++) job.status(i, 3);
        },
      });
      const client = openClient(t, address);
      const seen: unknown[] = [];

      await client.submit("steps", "", { onStatus: (numerator, denominator) => seen.push([numerator, denominator]) });

      assert.deepEqual(seen, [
        [1, 3],
        [2, 3],
        [3, 3],
      ]);
    });

    it("gives up on a job when it is told to, and on no other", async (t) => {
      const { address } = await startServer(t, { kind });
      const held = new Held();
      await openWorker(t, address, { held: held.handler });
      const client = openClient(t, address);
      const abort = new AbortController();
      const running = client.submit("held", "a", { signal: abort.signal });
      const queued = client.submit("held", "b", { signal: abort.signal });
      const other = client.submit("held", "c");
      await held.came("a");

      const reason = new Error("enough");
      abort.abort(reason);

      assert.equal(await rejection(running), reason);
      assert.equal(await rejection(queued), reason);
      held.release("a", "too late");
      // A server that can cancels what is queued, unless the worker is faster.
      await until(() => {
        if (held.waiting.includes("b")) held.release("b", "too late too");
        return held.waiting.includes("c");
      }, "the next job");
      held.release("c", "c's own");
      assert.equal((await other).toString(), "c's own");
    });

    it("gives up on a job in its time", async (t) => {
      const { address } = await startServer(t, { kind });
      const client = openClient(t, address);

      const error = await rejectionOf(TaskTimeoutError, client.submit("nobody can", "x", { timeoutMs: 50 }));

      assert.equal(error.timeoutMs, 50);
      assert.match(error.message, /^Cannot finish job "[^"]+" of "nobody can": it was not done within 50 ms$/);
    });

    it("leaves jobs in the background, and sees what becomes of them (C9)", async (t) => {
      const { address } = await startServer(t, { kind });
      const client = openClient(t, address);
      const job = await client.background("held", "x");
      assert.equal(job.server, address);
      const queued = await client.status(job);
      assert.deepEqual([queued.isKnown, queued.isRunning], [true, false]);

      const held = new Held();
      await openWorker(t, address, {
        held: (payload, running) => {
          running.status(1, 4);
          return held.handler(payload, running);
        },
      });
      await held.came("x");
      let running = await client.status(job);
      // What the worker says comes by a way of its own.
      while (running.numerator === 0) running = await client.status(job);
      assert.deepEqual(
        [running.isKnown, running.isRunning, running.numerator, running.denominator],
        [true, true, 1, 4],
      );
      held.release("x", "nobody hears this");

      for (let isKnown = true; isKnown; ) ({ isKnown } = await client.status(job.handle));
      assert.equal((await client.status("H:never:1")).isKnown, false);
    });

    it("refuses to be asked for anything when it is closed, and settles what it has", async (t) => {
      const { address } = await startServer(t, { kind });
      const held = new Held();
      await openWorker(t, address, { held: held.handler });
      const client = openClient(t, address);
      const job = client.submit("held", "a");
      await held.came("a");
      const closed = client.close();
      for (const refused of [
        client.submit("held", "b"),
        client.background("held", "b"),
        client.echo(),
        client.status("H:1"),
      ]) {
        await rejectionOf(PoolClosedError, refused);
      }

      held.release("a", "done");

      assert.equal((await job).toString(), "done");
      await closed;
      await client.close();
    });
  });
}

describe("a client", { timeout: 120_000 }, () => {
  it("carries 64 MiB there and back", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, { echo });
    const client = openClient(t, address, { heartbeatMs: 500 });
    const large = Buffer.alloc(64 * 2 ** 20, "0123456789abc");

    const [back, small] = await Promise.all([client.submit("echo", large), client.submit("echo", "beside it")]);

    assert.ok(back.equals(large));
    assert.equal(small.toString(), "beside it");
  });

  it("gets data and warnings before the result", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, {
      tells: (_, job) => {
        job.data("one");
        job.warning("careful");
        job.data("two");
        return "three";
      },
    });
    const client = openClient(t, address);
    const seen: string[] = [];

    const result = await client.submit("tells", "", {
      onData: (data) => seen.push(`data ${data.toString()}`),
      onWarning: (data) => seen.push(`warning ${data.toString()}`),
    });

    assert.deepEqual([...seen, result.toString()], ["data one", "warning careful", "data two", "three"]);
  });

  it("rejects the job whose callback throws, and no other", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, {
      tells: (_, job) => {
        job.data("x");
        return "result";
      },
    });
    const client = openClient(t, address);
    const error = new Error("of the callback");

    const bad = client.submit("tells", "", {
      onData: () => {
        throw error;
      },
    });
    const good = client.submit("tells", "");

    assert.equal(await rejection(bad), error);
    assert.equal((await good).toString(), "result");
  });

  it("runs urgent jobs first", async (t) => {
    const { address } = await startServer(t);
    const client = openClient(t, address);
    const order: string[] = [];
    const jobs = (["low", "normal", "high"] as const).map((priority) => client.submit("note", priority, { priority }));
    await until(() => client.servers()[0]?.isConnected === true, "the connection");
    await client.echo();

    await openWorker(t, address, { note: (payload) => void order.push(payload.toString()) });
    await Promise.all(jobs);

    assert.deepEqual(order, ["high", "normal", "low"]);
  });

  it("runs jobs of one unique once, and gives each its result, data and status", async (t) => {
    const { address } = await startServer(t);
    const client = openClient(t, address);
    const seen: string[] = [];
    const jobs = ["a", "b", "c"].map((name) =>
      client.submit("once", "payload", { unique: "same", onData: (data) => seen.push(`${name} ${data.toString()}`) }),
    );
    await client.echo();
    assert.equal((await client.status({ unique: "same" })).clients, 3);
    let runs = 0;
    await openWorker(t, address, {
      once: (_, job) => {
        job.data("1");
        job.data("2");
        return `run ${++runs}`;
      },
    });

    assert.deepEqual((await Promise.all(jobs)).map(String), ["run 1", "run 1", "run 1"]);
    assert.deepEqual(seen.toSorted(), ["a 1", "a 2", "b 1", "b 2", "c 1", "c 2"]);
  });

  it("takes uniques of 63 bytes, and refuses those of 64", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, { unique: (_, job) => job.unique });
    const client = openClient(t, address);
    const longest = `${"ü".repeat(31)}x`;

    assert.equal((await client.submit("unique", "", { unique: longest })).toString(), longest);
    assert.match(
      (await rejectionOf(ConfigError, client.submit("unique", "", { unique: `${longest}y` }))).message,
      /it has 64 bytes and may have 63/,
    );
  });

  it("gives jobs that have none uniques of their own", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, { unique: (_, job) => job.unique });
    const clients = [openClient(t, address), openClient(t, address)];

    const uniques = await Promise.all(clients.flatMap((one) => [1, 2, 3].map(() => one.submit("unique", ""))));

    assert.equal(new Set(uniques.map(String)).size, 6);
  });

  it("tells the worker who reduces", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, { sum: (payload, job) => `${job.reducer} of ${payload.toString()} as ${job.unique}` });
    const client = openClient(t, address);

    assert.equal((await client.reduce("sum", "add", "1 2", { unique: "u" })).toString(), "add of 1 2 as u");
  });

  it("is told by the server that a queue is full, in the middle of a burst, of the right jobs", async (t) => {
    const { address } = await startServer(t);
    const client = openClient(t, address);
    await new GearmanAdmin(address).createFunction("narrow");
    await new GearmanAdmin(address).maxQueue("narrow", 3);
    const burst = Array.from({ length: 10 }, (_, i) => client.submit(i % 2 === 0 ? "narrow" : "wide", `${i}`));
    const settled = Promise.allSettled(burst);
    await client.echo();

    await openWorker(t, address, { narrow: echo, wide: echo });

    assert.deepEqual(
      (await settled).map((one) =>
        one.status === "fulfilled" ? one.value.toString() : (one.reason as GearmanError).code,
      ),
      ["0", "1", "2", "3", "4", "5", "QUEUE_ERROR", "7", "QUEUE_ERROR", "9"],
    );
    const error = await rejectionOf(GearmanError, burst[8]!);
    assert.match(error.message, /^Cannot finish job "[^"]+" of "narrow": Job queue is full$/);
  });

  it("gets a failure without a reason as WORK_FAIL", async (t) => {
    // With so few attempts the server gives up on a job whose worker dies.
    const { address } = await startServer(t, { args: ["-j", "1"] });
    const held = new Held();
    const worker = await openWorker(t, address, { held: held.handler });
    const client = openClient(t, address);
    const error = rejectionOf(GearmanError, client.submit("held", "a"));
    await held.came("a");

    await worker.terminate();

    assert.equal((await error).code, "WORK_FAIL");
  });

  it("takes a job that is given up out of the queue", async (t) => {
    const { address } = await startServer(t);
    const admin = new GearmanAdmin(address);
    const client = openClient(t, address);
    const abort = new AbortController();
    const jobs = Array.from({ length: 100 }, () => client.submit("f", "x", { signal: abort.signal }));
    const settled = Promise.allSettled(jobs);
    await client.echo();
    assert.equal((await admin.uniqueJobs()).length, 100);

    abort.abort();

    await settled;
    for (let left = 100; left > 0; ) left = (await admin.jobs()).filter(({ isIgnored }) => !isIgnored).length;
  });

  it("leaves a job that others may wait for in the queue", async (t) => {
    const { address } = await startServer(t);
    const [one, other] = [openClient(t, address), openClient(t, address)];
    const abort = new AbortController();
    const given = one.submit("reverse", "ab", { unique: "u", signal: abort.signal });
    await one.echo();
    const kept = other.submit("reverse", "ab", { unique: "u" });
    await other.echo();

    abort.abort();

    await rejection(given);
    await openWorker(t, address, { reverse });
    assert.equal((await kept).toString(), "ba");
  });

  it("gives up on a job before there is a server", async (t) => {
    const client = openClient(t, `127.0.0.1:${await freePort()}`);
    const abort = new AbortController();
    const job = client.submit("f", "", { signal: abort.signal });
    abort.abort();
    assert.equal(await rejection(job), abort.signal.reason);
    await rejection(client.submit("f", "", { signal: abort.signal }));
    await rejectionOf(TaskTimeoutError, client.submit("f", "", { timeoutMs: 20 }));
  });

  it("hangs 20,000 jobs on one signal, and none when they are done", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, { echo }, { concurrency: 64 });
    const client = openClient(t, address);
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    t.mock.method(signal, "addEventListener", (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    });
    t.mock.method(signal, "removeEventListener", (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    });

    const jobs = Array.from({ length: 20_000 }, () => client.submit("echo", "", { signal }));
    assert.equal(listeners, 1);
    await Promise.all(jobs);
    await until(() => listeners === 0, "no listener");
  });

  it("runs a background job not before its time", async (t) => {
    const { address } = await startServer(t);
    const seen: number[] = [];
    await openWorker(t, address, { later: () => void seen.push(Date.now() / 1_000) });
    const client = openClient(t, address);
    const at = Math.ceil(Date.now() / 1_000) + 1;

    const { unique } = await client.background("later", "x", { at: new Date(at * 1_000), unique: "mine" });

    assert.equal(unique, "mine");
    await until(() => seen.length > 0, "the job");
    assert.ok(seen[0]! >= at, `${seen[0]} is before ${at}`);
  });

  it("refuses background jobs that servers lose", async (t) => {
    const client = openClient(t, "127.0.0.1:1");
    assert.match((await rejectionOf(ConfigError, client.background("f", ""))).message, /its payload is empty/);
    await rejectionOf(ConfigError, client.background("f", new Uint8Array(0)));
    await rejectionOf(ConfigError, client.background("f", "x", { at: new Date(), priority: "high" }));
  });

  it("gives background jobs uniques, so that a durable queue keeps all of them (C9)", async (t) => {
    const { address } = await startServer(t);
    const client = openClient(t, address);
    const jobs = await Promise.all([
      client.background("f", "1"),
      client.background("f", "2", { unique: "" }),
      client.background("f", "3", { unique: "mine" }),
    ]);
    assert.deepEqual(
      (await new GearmanAdmin(address).uniqueJobs()).toSorted(),
      jobs.map(({ unique }) => unique).toSorted(),
    );
    assert.ok(jobs.every(({ unique }) => unique !== ""));
  });

  it("says at once what is wrong with what it is given", async (t) => {
    const client = openClient(t, "127.0.0.1:1");
    const wrong: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
      [() => client.submit("", "x"), /function "": it is empty/],
      [() => client.submit("a\0b", "x"), /it has a NUL/],
      [() => client.submit("f".repeat(513), "x"), /513 bytes and may have 512/],
      [() => client.submit(7 as unknown as string, "x"), /function 7/],
      [() => client.submit("f", 7 as unknown as string), /data of a job: expected text or bytes, got 7/],
      [() => client.submit("f", "x", { unique: "a\0b" }), /unique "a\\u0000b"/],
      [() => client.submit("f", "x", { priority: "urgent" as "high" }), /"priority".*"high" or "normal" or "low"/],
      [() => client.submit("f", "x", { timeoutMs: 0 }), /"timeoutMs"/],
      [() => client.submit("f", "x", { retrys: 1 } as object), /"retrys"/],
      [() => client.submit("f", "x", { onData: 1 } as unknown as object), /"onData"/],
      [() => client.reduce("f", "", "x"), /reducer "": it is empty/],
      [() => client.background("f", "x", { at: Number.NaN }), /"at"/],
      [() => client.background("f", "x", { at: new Date("never") }), /"at"/],
      [() => client.status({} as { unique: string }), /status of an object/],
      [() => client.status({ unique: "" }), /status/],
      [() => client.status("a\0b"), /status/],
    ];
    for (const [call, complaint] of wrong) assert.match((await rejectionOf(ConfigError, call())).message, complaint);
    assert.throws(() => new GearmanClient("a", { tls: 5 as unknown as true }), /"tls"/);
    assert.throws(() => new GearmanClient("a", { retries: -1 }), /"retries"/);
    assert.throws(() => new GearmanClient([]), ConfigError);
  });

  it("says that there is no server, after as long as it may take", async (t) => {
    const ports = [await freePort(), await freePort()];
    const client = openClient(
      t,
      ports.map((port) => `127.0.0.1:${port}`),
      { connectTimeoutMs: 150 },
    );
    const since = performance.now();

    const errors = await Promise.all([
      rejectionOf(BackendUnavailableError, client.submit("f", "x")),
      rejectionOf(BackendUnavailableError, client.background("f", "x")),
      rejectionOf(BackendUnavailableError, client.status("H:1")),
      rejectionOf(BackendUnavailableError, client.echo()),
    ]);

    assert.ok(performance.now() - since >= 140, "it waits for a server");
    for (const error of errors) {
      assert.match(
        error.message,
        /Cannot reach Gearman server "127.0.0.1:\d+", "127.0.0.1:\d+": none was there within 150 ms \(.*ECONNREFUSED/,
      );
      assert.ok(error.cause instanceof AggregateError);
    }
    assert.ok(client.servers().every(({ isConnected, lastError }) => !isConnected && lastError !== undefined));
  });

  it("takes up jobs as soon as a server is there", async (t) => {
    const server = await startServer(t);
    await server.kill();
    const client = openClient(t, server.address, { connectTimeoutMs: 20_000 });
    const job = client.submit("reverse", "ab");
    await until(() => client.servers()[0]?.lastError !== undefined, "an attempt in vain");

    await server.start();
    await openWorker(t, server.address, { reverse });

    assert.equal((await job).toString(), "ba");
  });

  it("never hangs on a server that takes jobs and says nothing", async (t) => {
    const fake = await startFake(t, () => {});
    const client = openClient(t, fake.address, { heartbeatMs: 50, retries: 1 });

    const error = await rejectionOf(BackendUnavailableError, client.submit("f", "x"));

    assert.match(error.message, /its connection was lost 2 times \(Cannot go on with server .*has not answered/);
    assert.equal(fake.got.filter((name) => name === "SUBMIT_JOB").length, 2);
  });

  it("submits again what a lost connection left, under another unique each time, and no more often than it may", async (t) => {
    const uniques: string[] = [];
    const fake = await startFake(t, (name, connection, body) => {
      if (name !== "SUBMIT_JOB") return;
      uniques.push(body.toString().split("\0")[1]!);
      connection.send("JOB_CREATED", "H:1");
      connection.socket.destroySoon();
    });
    const client = openClient(t, fake.address);

    await rejectionOf(BackendUnavailableError, client.submit("f", "x", { unique: "mine" }));
    await rejectionOf(BackendUnavailableError, client.submit("f", "x", { unique: "-" }));
    await rejectionOf(BackendUnavailableError, client.submit("f", "x", { unique: "u".repeat(63) }));

    assert.equal(uniques.length, 9);
    assert.equal(new Set(uniques).size, 9);
    assert.deepEqual(uniques.slice(0, 3), ["mine", "mine.2", "mine.3"]);
    assert.ok(uniques.every((unique) => unique.length <= 63));
    assert.equal(await client.close(), undefined);
  });

  it("submits again no more often than it is told: never", async (t) => {
    const fake = await startFake(t, (name, connection) => {
      if (name === "SUBMIT_JOB") connection.socket.destroy();
    });
    const client = openClient(t, fake.address, { retries: 0 });
    assert.match((await rejectionOf(BackendUnavailableError, client.submit("f", "x"))).message, /was lost once/);
    assert.equal(fake.got.filter((name) => name === "SUBMIT_JOB").length, 1);
  });

  it("settles every job when the server is killed and started again in the middle", async (t) => {
    const server = await startServer(t);
    let runs = 0;
    await openWorker(
      t,
      server.address,
      {
        slow: async (payload) => {
          runs++;
          await delay(1);
          return payload;
        },
      },
      { concurrency: 4 },
    );
    const client = openClient(t, server.address, { retries: 10 });
    const texts = Array.from({ length: 2_000 }, (_, i) => `${i}`);
    const jobs = texts.map((text) => client.submit("slow", text));
    await until(() => runs > 200, "some jobs");

    await server.restart();

    assert.deepEqual((await Promise.all(jobs)).map(String), texts);
  });

  it("settles a background submit whose answer was cut off", async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server, 1);
    const client = openClient(t, proxy.address, { heartbeatMs: 50 });
    await client.echo();
    proxy.treat({ kind: "swallow" });
    const job = client.background("f", "x", { unique: "u" });
    await until(() => client.servers()[0]?.lastError !== undefined, "the loss");
    proxy.treat({ kind: "pass" });

    const { handle } = await job;

    assert.equal((await client.status(handle)).isKnown, true);
    assert.deepEqual(await new GearmanAdmin(server.address).uniqueJobs(), ["u"]);
  });

  it("rejects everything at once when it is terminated", async (t) => {
    const { address } = await startServer(t);
    const client = openClient(t, address);
    const other = openClient(t, `127.0.0.1:${await freePort()}`);
    const jobs = [client.submit("f", "x"), other.submit("f", "x"), other.background("f", "x"), other.echo()];
    const settled = Promise.allSettled(jobs);
    await client.echo();

    await Promise.all([client.terminate(), other.terminate()]);

    for (const one of await settled) {
      assert.equal(one.status, "rejected");
      assert.ok(one.reason instanceof PoolClosedError, String(one.reason));
    }
  });

  it("survives answers that make no sense", async (t) => {
    const nonsense = ["WORK_STATUS", "STATUS_RES"] as const;
    let times = 0;
    const fake = await startFake(t, (name, connection) => {
      if (name !== "SUBMIT_JOB") return;
      connection.send("JOB_CREATED", "H:1");
      if (nonsense[times] === "WORK_STATUS") connection.send("WORK_STATUS", "H:1", "half", "2");
      else if (nonsense[times] === "STATUS_RES") connection.send("STATUS_RES", "H:1", "1", "1", "1", "1");
      else connection.send("WORK_COMPLETE", "H:1", "at last");
      times++;
    });
    const client = openClient(t, fake.address);
    assert.equal((await client.submit("f", "x")).toString(), "at last");
    assert.equal(times, 3);
  });

  it("settles everything that is answered with something else", async (t) => {
    const fake = await startFake(t, (name, connection) => {
      if (name === "GET_STATUS") connection.send("STATUS_RES", "H:1", "1", "1", "some", "more");
      else if (name === "ECHO_REQ") connection.send("ERROR", "BAD", "MOOD");
      else connection.send("NO_JOB");
    });
    const client = openClient(t, fake.address, { retries: 1 });

    assert.match((await rejectionOf(BackendUnavailableError, client.submit("f", "x"))).message, /NO_JOB.*SUBMIT_JOB/);
    assert.match((await rejectionOf(GearmanError, client.background("f", "x"))).message, /NO_JOB: it is no answer/);
    assert.match((await rejectionOf(GearmanError, client.status("H:1"))).message, /Cannot read number "some"/);
    assert.equal((await rejectionOf(GearmanError, client.echo())).code, "BAD");
    await client.close();
  });

  it("drops what a server says of jobs that it never had, and says twice", async (t) => {
    const fake = await startFake(t, (name, connection, body) => {
      if (name !== "SUBMIT_JOB") return;
      const payload = body.toString().split("\0")[2]!;
      connection.send("JOB_CREATED", `H:${payload}`);
      connection.send("WORK_COMPLETE", "H:other", "of another");
      connection.send("WORK_DATA", "H:other", "of another");
      connection.send("WORK_FAIL", "H:other\0");
      connection.send("NOOP");
      connection.send("ERROR", "JOB_NOT_FOUND", "for a worker");
      connection.send("WORK_COMPLETE", `H:${payload}`, payload);
      connection.send("WORK_COMPLETE", `H:${payload}`, "again");
    });
    const client = openClient(t, fake.address);
    for (const text of ["1", "2", "3"]) assert.equal((await client.submit("f", text)).toString(), text);
  });

  it("understands the failure of a job whose handle has a NUL behind it", async (t) => {
    const fake = await startFake(t, (name, connection) => {
      if (name !== "SUBMIT_JOB") return;
      connection.send("JOB_CREATED", "H:1");
      connection.send("WORK_FAIL", "H:1\0");
    });
    const client = openClient(t, fake.address);
    assert.equal((await rejectionOf(GearmanError, client.submit("f", "x"))).code, "WORK_FAIL");
  });

  it("says what a server sent that is no Gearman server", async (t) => {
    const fake = await startFake(
      t,
      (_, connection) => void connection.socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
      {
        greets: false,
      },
    );
    const client = openClient(t, fake.address, { connectTimeoutMs: 1_000 });
    const error = await rejectionOf(BackendUnavailableError, client.submit("f", "x"));
    assert.match(error.message, /begin with 48 54 54 50/);
    assert.ok(error.cause instanceof GearmanError && error.cause.cause instanceof ProtocolError);
  });
});
