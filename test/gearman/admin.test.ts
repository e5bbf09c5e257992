// The administrator against real servers.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { GearmanAdmin, GearmanError } from "../../src/backends/gearman/index.ts";
import { ConfigError, ProtocolError, ReceiveTimeoutError } from "../../src/protocol/errors.ts";
import { rejectionOf, until } from "../../src/testing/stage.ts";
import { Held, openClient, openWorker } from "./parties.ts";
import { freePort, startServer } from "./server.ts";

describe("an administrator", { timeout: 60_000 }, () => {
  it("sees functions, workers and jobs", async (t) => {
    const server = await startServer(t);
    const admin = new GearmanAdmin(server.address);
    assert.deepEqual([await admin.status(), await admin.jobs(), await admin.uniqueJobs()], [[], [], []]);
    const held = new Held();
    await openWorker(t, server.address, { held: held.handler, other: () => "" }, { id: "w1" });
    const client = openClient(t, server.address);
    const first = client.submit("held", "a", { unique: "ua" });
    await held.came("a");
    const jobs = [
      first,
      client.submit("held", "b", { unique: "ub", priority: "high" }),
      client.submit("held", "c", { unique: "uc", priority: "low" }),
    ];
    await client.echo();

    assert.deepEqual(
      (await admin.status()).toSorted((a, b) => a.fn.localeCompare(b.fn)),
      [
        { fn: "held", total: 3, running: 1, workers: 1 },
        { fn: "other", total: 0, running: 0, workers: 1 },
      ],
    );
    const held1 = (await admin.prioritystatus()).find(({ fn }) => fn === "held");
    assert.deepEqual(held1, { fn: "held", high: 1, normal: 0, low: 1, workers: 1 });
    const workers = await admin.workers();
    const worker = workers.find(({ id }) => id === "w1");
    assert.deepEqual(worker?.functions.toSorted(), ["held", "other"]);
    assert.equal(worker?.address, "127.0.0.1");
    assert.ok(
      workers.some(({ id, functions }) => id === "-" && functions.length === 0),
      "the client",
    );
    const all = await admin.jobs();
    assert.equal(all.length, 3);
    assert.ok(all.every(({ handle, retries, isIgnored }) => handle.startsWith("H:") && retries === 0 && !isIgnored));
    assert.deepEqual((await admin.uniqueJobs()).toSorted(), ["ua", "ub", "uc"]);

    for (const name of ["a", "b", "c"]) {
      await held.came(name);
      held.release(name, "");
    }
    await Promise.all(jobs);
  });

  it("knows the server itself", async (t) => {
    const server = await startServer(t);
    const admin = new GearmanAdmin(server.address);
    assert.match(await admin.version(), /^\d+\.\d+/);
    assert.equal(await admin.pid(), server.pid);
    assert.match(await admin.verbose(), /^[A-Z]+$/);
  });

  it("limits queues, in all and by priority", async (t) => {
    const server = await startServer(t);
    const admin = new GearmanAdmin(server.address);
    const client = openClient(t, server.address);
    await admin.createFunction("f");
    await admin.maxQueue("f", { high: 1, normal: 2, low: 0 });
    const accepted = await Promise.allSettled(
      (["high", "high", "normal", "normal", "normal", "low", "low"] as const).map((priority) =>
        client.background("f", "x", { priority }),
      ),
    );
    assert.deepEqual(
      accepted.map(({ status }) => status === "fulfilled"),
      // Each limit is one for all that is queued.
      [true, false, true, false, false, true, true],
    );
    await admin.maxQueue("f", 0);
    await client.background("f", "x", { priority: "high" });
  });

  it("cancels what is queued, and says whether there was something", async (t) => {
    const server = await startServer(t);
    const admin = new GearmanAdmin(server.address);
    const client = openClient(t, server.address);
    const { handle } = await client.background("f", "x");
    const waiting = rejectionOf(GearmanError, client.submit("f", "x"));
    await until(() => client.servers()[0]!.isConnected, "the connection");
    await client.echo();
    const foreground = (await admin.jobs()).find((job) => job.handle !== handle);

    assert.equal(await admin.cancel(handle), true);
    assert.equal(await admin.cancel(foreground!.handle), true);

    assert.equal((await waiting).code, "WORK_FAIL");
    assert.ok((await admin.jobs()).every(({ isIgnored }) => isIgnored));
    assert.equal(await admin.cancel("H:never:1"), false);
  });

  it("makes functions by their whole name, and drops them only without jobs", async (t) => {
    const server = await startServer(t);
    const admin = new GearmanAdmin(server.address);
    await admin.createFunction("foo");
    assert.deepEqual(await admin.status(), [{ fn: "foo", total: 0, running: 0, workers: 0 }]);
    const client = openClient(t, server.address);
    const { handle } = await client.background("foo", "x");

    const error = await rejectionOf(GearmanError, admin.dropFunction("foo"));
    assert.equal(error.code, "FUNCTION_IN_USE");
    assert.equal(error.message, 'Cannot drop function "foo": it has 1 jobs');
    assert.equal((await client.status(handle)).isKnown, true);

    const other = await startServer(t);
    const another = new GearmanAdmin(other.address);
    await another.createFunction("foo");
    await another.dropFunction("foo");
    assert.deepEqual(await another.status(), []);
    assert.match((await rejectionOf(GearmanError, another.dropFunction("foo"))).message, /function not found/);
  });

  it("says what the server says, of commands that it does not know too", async (t) => {
    const { address } = await startServer(t, { kind: "perl" });
    const admin = new GearmanAdmin(address);
    assert.deepEqual(await admin.status(), []);
    assert.match(await admin.version(), /^v?1\./);
    for (const call of [admin.prioritystatus(), admin.jobs(), admin.uniqueJobs(), admin.pid(), admin.cancel("H:1")]) {
      const error = await rejectionOf(GearmanError, call);
      assert.equal(error.code, "unknown_command");
      assert.match(error.message, /^Cannot do ".*" on server "127.0.0.1:\d+": unknown_command$/);
    }
  });

  it("asks thousands of functions at once", async (t) => {
    const { address } = await startServer(t);
    const admin = new GearmanAdmin(address);
    const client = openClient(t, address);
    const names = Array.from({ length: 5_000 }, (_, i) => `function-with-a-long-name-${i}`);
    await Promise.all(names.map((name) => client.background(name, "x")));
    assert.deepEqual((await admin.status()).map(({ fn }) => fn).toSorted(), names.toSorted());
  });

  it("says why there is no answer", async (t) => {
    const nobody = new GearmanAdmin(`127.0.0.1:${await freePort()}`);
    const error = await rejectionOf(GearmanError, nobody.status());
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, /^Cannot ask server ".*" for "status": .*ECONNREFUSED/);

    const silent = new GearmanAdmin(await says(t, undefined), { timeoutMs: 50 });
    assert.match(
      (await rejectionOf(ReceiveTimeoutError, silent.workers())).message,
      /for "workers": no answer within 50 ms/,
    );
    const closes = new GearmanAdmin(await says(t, ""));
    assert.match((await rejectionOf(GearmanError, closes.version())).message, /the server closed the connection/);
  });

  const strange: readonly (readonly [what: string, answer: string, call: (admin: GearmanAdmin) => Promise<unknown>])[] =
    [
      ["too few columns", "f\t1\n.\n", (admin) => admin.status()],
      ["columns that are no numbers", "f\t1\tx\t1\n.\n", (admin) => admin.status()],
      ["a worker without a file descriptor", "x 127.0.0.1 - :\n.\n", (admin) => admin.workers()],
      ["a process that has no number", "OK none\r\n", (admin) => admin.pid()],
    ];
  for (const [what, answer, call] of strange) {
    it(`refuses an answer with ${what}`, async (t) => {
      const admin = new GearmanAdmin(await says(t, answer));
      assert.match((await rejectionOf(ProtocolError, call(admin))).message, /^Cannot read answer: "/);
    });
  }

  it("refuses an answer without end", async (t) => {
    const admin = new GearmanAdmin(await says(t, "f\t1\t1\t1\n".repeat(1_000)), { maxAnswerBytes: 1_000 });
    assert.match((await rejectionOf(ProtocolError, admin.status())).message, /the answer has more than 1000 bytes/);
  });

  it("takes names with tabs, and ends of lists in pieces", async (t) => {
    const admin = new GearmanAdmin(await says(t, "a\tb\t1\t2", "\t3\n", ".", "\r", "\n"));
    assert.deepEqual(await admin.status(), [{ fn: "a\tb", total: 1, running: 2, workers: 3 }]);
  });

  it("says at once what is wrong with what it is given", async () => {
    const admin = new GearmanAdmin("127.0.0.1:1");
    const wrong: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
      [() => admin.cancel("H:1\r\nshutdown"), /handle "H:1\r\nshutdown" in a command/],
      [() => admin.createFunction(""), /function ""/],
      [() => admin.dropFunction("two words"), /function "two words"/],
      [() => admin.maxQueue("f", -1), /limit -1 of "f"/],
      [() => admin.maxQueue("f", { high: 1, normal: 1.5, low: 1 }), /limit 1.5/],
    ];
    for (const [call, complaint] of wrong) assert.match((await rejectionOf(ConfigError, call())).message, complaint);
    assert.throws(() => new GearmanAdmin("a,b"), /an administrator asks one/);
    assert.throws(() => new GearmanAdmin("a", { timeoutMs: 0 }), ConfigError);
  });
});

/** A server that says these things, one after another, whatever it is asked; undefined says nothing, "" closes. */
async function says(t: TestContext, ...answers: readonly (string | undefined)[]): Promise<string> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.once("data", () => {
      if (answers[0] === "") socket.end();
      const next = (at: number): void => {
        if (answers[at] === undefined || socket.destroyed) return;
        socket.write(answers[at], () => setImmediate(() => next(at + 1)));
      };
      next(0);
    });
  }).listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await until(() => server.listening, "the server");
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}
