// The worker against real servers.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GearmanAdmin, GearmanError, type GearmanHandler, GearmanWorker } from "../../src/backends/gearman/index.ts";
import { encode, PacketType } from "../../src/backends/gearman/packet.ts";
import { PacketReader } from "../../src/backends/gearman/packet-reader.ts";
import { readServers } from "../../src/backends/gearman/servers.ts";
import { Slots } from "../../src/backends/gearman/slots.ts";
import { WorkerLink } from "../../src/backends/gearman/worker-link.ts";
import { ConfigError, PoolClosedError } from "../../src/protocol/errors.ts";
import { rejection, rejectionOf, until } from "../../src/testing/stage.ts";
import { startProxy } from "../support/chaos-proxy.ts";
import { echo, type FakeConnection, Held, openClient, openWorker, reverse, startFake } from "./parties.ts";
import { freePort, type Kind, startServer } from "./server.ts";

/** Not a promise, and yet one can wait for it. */
// oxlint-disable-next-line unicorn/no-thenable -- that is the point
const byAndBy: unknown = Object.defineProperty({}, "then", {
  value: (resolve: (value: string) => void) => resolve("by and by"),
});

for (const kind of ["gearmand", "perl"] as const satisfies Kind[]) {
  describe(`a worker of ${kind}`, { timeout: 120_000 }, () => {
    it("does as many jobs at once as it is told, and no more", async (t) => {
      const { address } = await startServer(t, { kind });
      let running = 0;
      let most = 0;
      const slow: GearmanHandler = async (payload) => {
        most = Math.max(most, ++running);
        await delay(1);
        running--;
        return payload;
      };
      await openWorker(t, address, { slow }, { concurrency: 5 });
      const client = openClient(t, address);

      await Promise.all(Array.from({ length: 300 }, (_, i) => client.submit("slow", `${i}`)));

      assert.equal(most, 5);
    });

    it("does one job at a time where nothing is said", async (t) => {
      const { address } = await startServer(t, { kind });
      const held = new Held();
      await openWorker(t, address, { held: held.handler });
      const client = openClient(t, address);
      const jobs = [client.submit("held", "a"), client.submit("held", "b")];
      await held.came("a");
      await client.echo();
      assert.deepEqual(held.waiting, ["a"]);
      held.release("a", "1");
      await held.came("b");
      held.release("b", "2");
      assert.deepEqual((await Promise.all(jobs)).map(String), ["1", "2"]);
    });

    it("takes another job while it has a long one", async (t) => {
      const { address } = await startServer(t, { kind });
      const held = new Held();
      await openWorker(t, address, { held: held.handler, reverse }, { concurrency: 2 });
      const client = openClient(t, address);
      const long = client.submit("held", "long");
      await held.came("long");
      for (const [text, back] of [
        ["ab", "ba"],
        ["cd", "dc"],
        ["ef", "fe"],
      ] as const) {
        assert.equal((await client.submit("reverse", text)).toString(), back);
      }
      held.release("long", "done");
      assert.equal((await long).toString(), "done");
    });

    it("finishes what it has, and takes nothing new, when it is closed", async (t) => {
      const { address } = await startServer(t, { kind });
      const held = new Held();
      const worker = await openWorker(t, address, { held: held.handler }, { concurrency: 3 });
      const client = openClient(t, address);
      const jobs = ["a", "b", "c"].map((name) => client.submit("held", name));
      for (const name of ["a", "b", "c"]) await held.came(name);

      let hasEnded = false;
      const closed = worker.close().then(() => {
        hasEnded = true;
      });
      const late = client.submit("held", "late");
      for (const name of ["c", "a"]) held.release(name, name.toUpperCase());
      assert.equal((await jobs[2]!).toString(), "C");
      assert.equal((await jobs[0]!).toString(), "A");
      assert.equal(hasEnded, false);
      held.release("b", "B");

      assert.equal((await jobs[1]!).toString(), "B");
      await closed;
      await worker.run();
      const other = new Held();
      await openWorker(t, address, { held: other.handler });
      await other.came("late");
      other.release("late", "by another");
      assert.equal((await late).toString(), "by another");
      assert.deepEqual(held.waiting, []);
    });

    it("leaves its jobs to the server when it is terminated", async (t) => {
      const { address } = await startServer(t, { kind });
      const held = new Held();
      const signals: AbortSignal[] = [];
      const worker = await openWorker(t, address, {
        held: (payload, job) => {
          signals.push(job.signal);
          return held.handler(payload, job);
        },
      });
      const client = openClient(t, address);
      const result = client.submit("held", "a").then(String, (error: GearmanError) => error.code);
      await held.came("a");

      await worker.terminate();

      assert.equal(signals[0]?.aborted, true);
      await openWorker(t, address, { held: () => "by another" });
      // The server in Perl gives up on a job with its worker.
      assert.equal(await result, kind === "perl" ? "WORK_FAIL" : "by another");
    });

    it("knows jobs and comes back when its server was killed and started again", async (t) => {
      const server = await startServer(t, { kind });
      const worker = await openWorker(t, server.address, { reverse });
      for (let i = 0; i < 3; i++) {
        await server.restart();
        const client = openClient(t, server.address);
        assert.equal((await client.submit("reverse", "ab")).toString(), "ba");
      }
      assert.equal(worker.servers()[0]?.isConnected, true);
    });
  });
}

describe("a worker", { timeout: 120_000 }, () => {
  // The mandatory one: docs/reference/gearman.md and the README of the backend promise it.
  it("never gives the result of an old job to a new one with the same handle", async (t) => {
    const server = await startServer(t);
    const held = new Held();
    const handles = new Map<string, string>();
    await openWorker(
      t,
      server.address,
      {
        held: (payload, job) => {
          handles.set(payload.toString(), job.handle);
          return held.handler(payload, job);
        },
      },
      { concurrency: 2 },
    );
    const lost = rejection(openClient(t, server.address, { retries: 0 }).submit("held", "old"));
    await held.came("old");
    await server.restart();
    await lost;
    const job = openClient(t, server.address).submit("held", "new");
    await held.came("new");
    assert.equal(handles.get("new"), handles.get("old"), "the server has used the handle again");

    held.release("old", "the old job's");
    const admin = new GearmanAdmin(server.address);
    for (let i = 0; i < 5; i++) assert.equal((await admin.status())[0]?.running, 1);
    held.release("new", "its own");

    assert.equal((await job).toString(), "its own");
  });

  it("has to see to that by itself: the server takes an old result for a new job", async (t) => {
    const server = await startServer(t);
    const raw = await rawWorker(t, server.port, "f");
    const job = openClient(t, server.address).submit("f", "new");
    await until(() => raw.handle !== undefined, "a job");
    raw.write(encode("REQ", "WORK_COMPLETE", raw.handle!, "of some other job"));
    assert.equal((await job).toString(), "of some other job");
  });

  it("asks an idle server rarely, and goes to sleep", async (t) => {
    const { got } = await idle(t, (name, connection) => {
      if (name.startsWith("GRAB_JOB")) connection.send("NO_JOB");
    });
    await until(() => got.filter((name) => name === "PRE_SLEEP").length === 2, "the second sleep");
    assert.deepEqual(got, [
      "OPTION_REQ",
      "SET_CLIENT_ID",
      "CAN_DO",
      "GRAB_JOB_ALL",
      "PRE_SLEEP",
      // Two seconds later, in case that nobody woke it.
      "GRAB_JOB_ALL",
      "PRE_SLEEP",
    ]);
  });

  it("does not let itself be driven by a flood of wakings", async (t) => {
    let floods = 0;
    const { got } = await idle(t, (name, connection) => {
      if (name.startsWith("GRAB_JOB")) connection.send("NO_JOB");
      if (name !== "PRE_SLEEP" || ++floods > 200) return;
      for (let i = 0; i < 50; i++) connection.send("NOOP");
    });
    const since = performance.now();
    await until(() => floods >= 60, "sixty sleeps");
    const grabs = got.filter((name) => name === "GRAB_JOB_ALL").length;
    // Each sleep was followed by fifty wakings, and each waking in vain by a sleep or a pause.
    assert.ok(grabs <= floods * 1.5 + 1, `${grabs} questions for ${floods} sleeps`);
    assert.ok(performance.now() - since > 150, "it takes its time");
  });

  it("asks for more as long as there is something, and has no more than it may", async (t) => {
    let outstanding = 0;
    let most = 0;
    let left = 500;
    let completed = 0;
    const fake = await startFake(t, (name, connection) => {
      if (name === "WORK_COMPLETE") completed++;
      if (!name.startsWith("GRAB_JOB")) return;
      most = Math.max(most, ++outstanding);
      setImmediate(() => {
        outstanding--;
        if (left > 0) connection.send("JOB_ASSIGN_UNIQ", `H:${left--}`, "f", "u", "payload");
        else connection.send("NO_JOB");
      });
    });
    await openWorker(t, fake.address, { f: echo }, { concurrency: 16 });
    await until(() => fake.got.includes("PRE_SLEEP"), "the end");
    assert.equal(completed, 500);
    assert.ok(most > 4 && most <= 16, `${most} at once`);
    const grabs = fake.got.filter((name) => name === "GRAB_JOB_ALL").length;
    assert.ok(grabs <= 500 + 16, `${grabs} questions for 500 jobs`);
  });

  it("answers a job and asks for the next in one write", async (t) => {
    let given = 0;
    const fake = await startFake(t, (name, connection) => {
      if (name.startsWith("GRAB_JOB") && given < 3) connection.send("JOB_ASSIGN_UNIQ", `H:${++given}`, "f", "u", "x");
    });
    await openWorker(t, fake.address, { f: echo });
    await until(() => fake.got.filter((name) => name === "WORK_COMPLETE").length === 3, "three jobs");
    const pairs = fake.pieces.filter((piece) => piece.includes("WORK_COMPLETE"));
    assert.deepEqual(
      pairs,
      Array.from({ length: 3 }, () => ["WORK_COMPLETE", "GRAB_JOB_ALL"]),
    );
  });

  it("comes back, with all its slots, from a server that gives it what is no job", async (t) => {
    const wrong = ["ECHO_RES", "JOB_CREATED"] as const;
    let given = 0;
    const results: string[] = [];
    const fake = await startFake(t, (name, connection, body) => {
      if (name === "WORK_COMPLETE") results.push(body.toString());
      if (name !== "GRAB_JOB_ALL" || given > wrong.length) return;
      const packet = wrong[given++];
      if (packet === undefined) connection.send("JOB_ASSIGN_UNIQ", "H:1", "f", "u", "good");
      else connection.send(packet, "H:1");
    });
    await openWorker(t, fake.address, { f: echo });
    await until(() => results.length > 0, "the result");
    assert.deepEqual(results, ["H:1\0good"]);
    assert.equal(fake.connections.length, 3);
  });

  it("does a job that comes after it was told to close", async (t) => {
    let asker: FakeConnection | undefined;
    const results: string[] = [];
    const fake = await startFake(t, (name, connection, body) => {
      if (name === "GRAB_JOB_ALL") asker = connection;
      if (name === "WORK_COMPLETE") results.push(body.toString());
      if (name === "ECHO_REQ") connection.send("ECHO_RES", body);
    });
    const worker = await openWorker(t, fake.address, { reverse });
    await until(() => asker !== undefined, "the question");

    const closed = worker.close();
    asker!.send("JOB_ASSIGN_UNIQ", "H:1", "reverse", "", "ab");
    await closed;

    assert.deepEqual(results, ["H:1\0ba"]);
    assert.equal(fake.got.filter((name) => name === "GRAB_JOB_ALL").length, 1);
    assert.ok(!fake.got.includes("CANT_DO") && !fake.got.includes("RESET_ABILITIES"));
  });

  it("sends one end for each job, and nothing behind it", async (t) => {
    const { address } = await startServer(t);
    const proxy = await startProxy(t, { port: readServers(address)[0]!.port }, 1);
    const sent: number[] = [];
    const answers: unknown[] = [];
    const bad: GearmanHandler = (_, job) => {
      setImmediate(() => {
        job.data("after the end");
        job.warning("after the end");
        job.status(1, 1);
      });
      throw new Error("bad");
    };
    // A packet more, and the server says that it does not know the job.
    const link = new WorkerLink(
      readServers(proxy.address)[0]!,
      {
        ready: () => {},
        job: (job) => {
          sent.push(job.payload.length);
          job.complete("1");
          job.complete("2");
          job.exception("3");
          job.fail();
          job.data("4");
        },
        drained: () => answers.push("drained"),
        lost: (cause) => answers.push(cause),
      },
      { functions: new Set(["often"]), id: "test", slots: new Slots(1) },
    );
    t.after(() => link.destroy());
    const original = link.packet.bind(link);
    link.packet = (type: number) => {
      if (type === PacketType.ERROR) answers.push("ERROR");
      original(type);
    };
    await openWorker(t, address, { bad });
    const client = openClient(t, address);
    const data: string[] = [];

    const results = await Promise.all([1, 2, 3].map(() => client.submit("often", "x")));
    const error = await rejectionOf(
      GearmanError,
      client.submit("bad", "", { onData: (one) => data.push(String(one)) }),
    );
    await client.echo();

    assert.deepEqual(results.map(String), ["1", "1", "1"]);
    assert.equal(error.message, "bad");
    assert.deepEqual([data, answers], [[], []]);
    link.drain();
    await until(() => answers.length > 0, "the end");
    assert.deepEqual(answers, ["drained"]);
  });

  it("says what is wrong with a result", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, {
      number: () => 5 as unknown as string,
      rejects: () => Promise.reject(new Error("later")),
      text: () => {
        throw "just a text";
      },
      nothing: () => {
        throw undefined;
      },
      silent: () => {
        throw new Error("");
      },
      thenable: () => byAndBy as string,
      empty: () => undefined,
    });
    const client = openClient(t, address);
    const said = async (fn: string): Promise<string> =>
      (await rejectionOf(GearmanError, client.submit(fn, ""))).message;
    assert.equal(await said("number"), 'Cannot send the result of "number": expected text or bytes, got 5');
    assert.equal(await said("rejects"), "later");
    assert.equal(await said("text"), "just a text");
    assert.equal(await said("nothing"), "undefined");
    assert.equal(await said("silent"), "Error");
    assert.equal((await client.submit("thenable", "")).toString(), "by and by");
    assert.equal((await client.submit("empty", "")).length, 0);
  });

  it("ends a job that takes too long, and drops what it gives later", async (t) => {
    const { address } = await startServer(t);
    const held = new Held();
    const worker = new GearmanWorker(address);
    t.after(() => worker.terminate());
    let signal: AbortSignal | undefined;
    worker.register(
      "held",
      (payload, job) => {
        signal = job.signal;
        return held.handler(payload, job);
      },
      { timeoutMs: 50 },
    );
    worker.register("reverse", reverse);
    await worker.ready();
    const client = openClient(t, address);

    const error = await rejectionOf(GearmanError, client.submit("held", "a"));

    assert.match(error.message, /^Cannot finish job "H:.*" of "held": it took more than 50 ms$/);
    assert.equal(signal?.aborted, true);
    held.release("a", "too late");
    assert.equal((await client.submit("reverse", "ab")).toString(), "ba");
  });

  it("shares what it does at once between its servers, in turn", async (t) => {
    const servers = await Promise.all([startServer(t), startServer(t)]);
    const addresses = servers.map(({ address }) => address);
    const from: string[] = [];
    let running = 0;
    let most = 0;
    const jobs = addresses.flatMap((address) => {
      const client = openClient(t, address);
      return Array.from({ length: 20 }, () => client.submit("f", "x"));
    });
    const settled = Promise.all(jobs);
    await openWorker(t, addresses, {
      f: async (_, job) => {
        most = Math.max(most, ++running);
        from.push(job.server);
        await delay(1);
        running--;
      },
    });

    await settled;

    assert.equal(most, 1);
    // None waits for the other to be through.
    for (const address of addresses) assert.ok(from.slice(0, 10).includes(address), from.join(", "));
  });

  it("can be told to do more while it runs, and does not count twice", async (t) => {
    const { address } = await startServer(t);
    const worker = await openWorker(t, address, { one: () => "1" });
    const client = openClient(t, address);
    assert.equal((await client.submit("one", "")).toString(), "1");

    worker.register("two", () => "2");
    worker.register("one", () => "another 1");

    assert.equal((await client.submit("two", "")).toString(), "2");
    assert.equal((await client.submit("one", "")).toString(), "another 1");
    const status = await new GearmanAdmin(address).status();
    assert.deepEqual(status.map(({ fn, workers }) => [fn, workers]).toSorted(), [
      ["one", 1],
      ["two", 1],
    ]);
  });

  it("is listed under its name", async (t) => {
    const { address } = await startServer(t);
    await openWorker(t, address, { f: echo }, { id: "render-3" });
    await openWorker(t, address, { f: echo });
    const admin = new GearmanAdmin(address);
    const ids = (await admin.workers()).filter(({ functions }) => functions.includes("f")).map(({ id }) => id);
    assert.equal(ids.length, 2);
    assert.ok(ids.includes("render-3"));
    assert.ok(ids.some((id) => id.endsWith(`:${process.pid}`)));
  });

  it("does jobs beside one whose time has not come, for which the server wakes it again and again", async (t) => {
    const { address } = await startServer(t);
    const client = openClient(t, address);
    await client.background("f", "much later", { at: Date.now() / 1_000 + 3_600 });
    const seen: string[] = [];
    await openWorker(t, address, { f: (payload) => void seen.push(payload.toString()) });
    for (const text of ["1", "2", "3"]) await client.submit("f", text);
    assert.deepEqual(seen, ["1", "2", "3"]);
  });

  it("closes at once when it never ran, or when there is no server", async () => {
    const never = new GearmanWorker("127.0.0.1:1");
    await never.close();
    await rejectionOf(PoolClosedError, never.run());
    const inVain = new GearmanWorker(`127.0.0.1:${await freePort()}`);
    const running = inVain.run();
    const ready = inVain.ready();
    await until(() => inVain.servers()[0]?.lastError !== undefined, "an attempt");
    await inVain.close();
    await Promise.all([running, ready, inVain.close(), inVain.terminate()]);
  });

  it("is gone from its server when it has closed", async (t) => {
    const { address } = await startServer(t);
    const admin = new GearmanAdmin(address);
    const worker = await openWorker(t, address, { f: echo });
    await openClient(t, address).submit("f", "");
    await worker.close();
    assert.ok((await admin.workers()).every(({ functions }) => functions.length === 0));
  });

  it("says at once what is wrong with what it is given", () => {
    const worker = new GearmanWorker("localhost");
    const wrong: readonly (readonly [() => unknown, RegExp])[] = [
      [() => new GearmanWorker("localhost", { id: "two words" }), /id "two words": it is empty or has spaces/],
      [() => new GearmanWorker("localhost", { id: "x".repeat(128) }), /128 bytes and may have 127/],
      [() => new GearmanWorker("localhost", { concurrency: 0 }), /"concurrency"/],
      [() => new GearmanWorker("localhost", { concurrancy: 1 } as object), /did you mean "concurrency"/],
      [() => worker.register("", echo), /function "": it is empty/],
      [() => worker.register("f", "echo" as unknown as GearmanHandler), /Cannot register "f": expected a function/],
      [() => worker.register("f", echo, { timeoutMs: -1 }), /"timeoutMs"/],
    ];
    for (const [call, complaint] of wrong) {
      assert.throws(call, (error) => error instanceof ConfigError && complaint.test(error.message));
    }
  });
});

/** A worker that speaks to a fake server, which it knows. */
async function idle(
  t: TestContext,
  answer: Parameters<typeof startFake>[1],
): Promise<Awaited<ReturnType<typeof startFake>>> {
  const fake = await startFake(t, answer);
  await openWorker(t, fake.address, { f: echo }, { concurrency: 4 });
  return fake;
}

/** A worker that writes what it is told, and takes the first job. */
async function rawWorker(
  t: TestContext,
  port: number,
  fn: string,
): Promise<{ handle: string | undefined; write(bytes: Buffer): void }> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const raw = { handle: undefined as string | undefined, write: (bytes: Buffer) => void socket.write(bytes) };
  const reader = new PacketReader("RES", (type, body) => {
    if (type === PacketType.JOB_ASSIGN) raw.handle = body.toString("latin1", 0, body.indexOf(0));
    if (type === PacketType.NOOP) socket.write(encode("REQ", "GRAB_JOB"));
  });
  socket.on("data", (bytes: Buffer) => reader.push(bytes));
  socket.write(Buffer.concat([encode("REQ", "CAN_DO", fn), encode("REQ", "PRE_SLEEP")]));
  return raw;
}
