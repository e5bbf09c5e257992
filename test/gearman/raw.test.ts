// Functions of other people's workers as tasks of a pool.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";
import { GearmanAdmin, type GearmanOptions, gearman, type RawFunctions } from "../../src/backends/gearman/index.ts";
import { ConfigError, Pool, type PoolOptions, TaskTimeoutError, UnknownTaskError } from "../../src/index.ts";
import { rejection, until } from "../../src/testing/stage.ts";
import { inReverse } from "./cluster.ts";
import { Held, openWorker } from "./parties.ts";
import { type Ending, freePort, startServer, type TestServer } from "./server.ts";

function openRaw(
  t: Ending,
  servers: string | readonly string[],
  raw: RawFunctions,
  options: GearmanOptions = {},
  poolOptions: PoolOptions = {},
): Pool {
  const pool = new Pool(gearman(servers, { raw, ...options }), poolOptions);
  t.after(() => pool.terminate());
  return pool;
}

/** The gearman command as a worker: a program is run for each job. */
async function startTool(t: Ending, server: TestServer, fn: string, program: readonly string[]): Promise<void> {
  const args = ["-h", "127.0.0.1", "-p", `${server.port}`, "-w", "-f", fn, "--", ...program];
  const tool = spawn("gearman", args, { stdio: "ignore" });
  t.after(async () => {
    tool.kill("SIGKILL");
    await until(() => tool.exitCode !== null || tool.signalCode !== null, "the tool to end");
  });
  const admin = new GearmanAdmin(server.address);
  const isThere = async (): Promise<boolean> => (await admin.status()).some((one) => one.fn === fn && one.workers > 0);
  while (!(await isThere()));
}

async function jobsAt(server: TestServer, fn: string): Promise<number> {
  return (await new GearmanAdmin(server.address).status()).find((one) => one.fn === fn)?.total ?? 0;
}

describe("raw functions", { timeout: 60_000 }, () => {
  it("run in the gearman command, with results in order", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    await startTool(t, server, "upper", ["tr", "a-z", "A-Z"]);
    const pool = openRaw(t, server.address, { shout: "upper" });

    assert.equal(await pool.run("shout", "straße"), "STRAßE");
    const words = Array.from({ length: 50 }, (_, n) => `word ${n}`);
    assert.deepEqual(
      await pool.map("shout", words),
      words.map((word) => word.toUpperCase()),
    );
    assert.deepEqual(pool.workers()[0]?.tasks, ["shout"]);
    const unknown = await rejection(pool.run("upper", "x"));
    assert.ok(unknown instanceof UnknownTaskError, String(unknown));
  });

  it("take and give bytes, JSON, or what their codec makes", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    await openWorker(t, address, { reverse: (bytes) => bytes.toReversed(), echo: (bytes) => bytes });
    const hex = {
      encode: (input: unknown) => Buffer.from(String(input), "hex"),
      decode: (result: Buffer) => result.toString("hex"),
    };
    const pool = openRaw(t, address, {
      reverse: { fn: "reverse", codec: "bytes" },
      json: { fn: "echo", codec: "json" },
      hex: { fn: "reverse", codec: hex },
    });

    assert.deepEqual(await pool.run("reverse", Uint8Array.of(1, 0, 255)), Uint8Array.of(255, 0, 1));
    assert.deepEqual(await pool.run("json", { __proto__: null, a: [1, "ü"] }), { a: [1, "ü"] });
    assert.equal(await pool.run("hex", "00ff"), "ff00");
    const wrong = await rejection(pool.run("reverse", 5));
    assert.match(String(wrong), /Cannot use input of a job: expected text or bytes, got 5/);
  });

  it("tell of progress, warnings and failures, and are retried", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    let calls = 0;
    await openWorker(t, address, {
      talk: (_, job) => {
        job.status(1, 2);
        job.warning("careful");
        job.data("a ");
        return "b";
      },
      flaky: () => {
        if (++calls < 3) throw new Error(`call ${calls}`);
        return `call ${calls}`;
      },
    });
    const pool = openRaw(t, address, { talk: "talk", flaky: "flaky" });
    const heard: unknown[] = [];
    pool.on("log", ({ args }) => heard.push(...args));

    const task = pool.run("talk", "");
    void task.onProgress((value) => heard.push(value));
    assert.equal(await task, "a b");
    assert.deepEqual(heard, [{ numerator: 1, denominator: 2 }, "careful"]);

    const error = (await rejection(pool.run("flaky", ""))) as Error & { code: string };
    assert.deepEqual([error.name, error.code, error.message], ["GearmanError", "WORK_EXCEPTION", "call 1"]);
    assert.equal(await pool.run("flaky", "", { retries: 2, retryDelayMs: 1 }), "call 3");
  });

  it("stream what their worker sends before its result", async (test) => {
    const t = inReverse(test);
    const { address } = await startServer(t);
    const held = new Held();
    let isLeft = false;
    await openWorker(
      t,
      address,
      {
        lines: async (payload, job) => {
          for (const line of payload.toString().split(" ")) job.data(line);
          return "end";
        },
        endless: (payload, job) => {
          job.data("first");
          job.signal.addEventListener("abort", () => {
            isLeft = true;
          });
          return held.handler(payload, job);
        },
        fails: (_, job) => {
          job.data("one");
          throw new Error("no more");
        },
      },
      { concurrency: 2 },
    );
    const stream = (fn: string): { fn: string; stream: true } => ({ fn, stream: true });
    const pool = openRaw(t, address, { lines: stream("lines"), endless: stream("endless"), fails: stream("fails") });

    const lines: unknown[] = [];
    for await (const line of pool.stream("lines", "a b c")) lines.push(line);
    assert.deepEqual(lines, ["a", "b", "c", "end"]);
    assert.deepEqual(await pool.run("lines", "a b"), ["a", "b", "end"]);
    for await (const line of pool.stream("endless", "x")) {
      assert.equal(line, "first");
      break;
    }
    await pool.idle();
    assert.equal(isLeft, false, "Gearman has no way to tell a worker");
    const got: unknown[] = [];
    const failure = await rejection(
      (async () => {
        for await (const piece of pool.stream("fails", "")) got.push(piece);
      })(),
    );
    assert.deepEqual([got, String(failure)], [["one"], "GearmanError: no more"]);
    held.release("x", "");
  });

  it("take jobs out of the server's queue when they are cancelled or take too long", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    // Known, and done by nobody.
    await new GearmanAdmin(server.address).createFunction("nobody");
    const pool = openRaw(t, server.address, { nobody: "nobody" });

    const cancelled = pool.run("nobody", "1");
    while ((await jobsAt(server, "nobody")) < 1);
    cancelled.cancel("changed my mind");
    await rejection(cancelled);
    assert.ok((await rejection(pool.run("nobody", "2", { timeoutMs: 300 }))) instanceof TaskTimeoutError);
    // The server hears of it on another connection, after the task has settled.
    while ((await new GearmanAdmin(server.address).jobs()).some(({ isIgnored }) => !isIgnored));
    // A cancelled job is counted until a worker asks, and is not run.
    const seen: string[] = [];
    await openWorker(t, server.address, { nobody: (payload) => void seen.push(payload.toString()) });
    await pool.run("nobody", "3");
    assert.deepEqual(seen, ["3"]);
  });

  it("have no more than `concurrency` jobs at the server, in the pool's order", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    const held = new Held();
    const pool = openRaw(t, server.address, { held: "held" }, { concurrency: 2 });
    await openWorker(t, server.address, { held: held.handler }, { concurrency: 10 });
    const tasks = [9, 1, 5, 0].map((priority) => pool.run("held", `${priority}`, { priority }));

    const order: string[] = [];
    for (let done = 0; done < 4; done++) {
      await until(() => held.waiting.length === Math.min(2, 4 - done), "what may run to be there");
      assert.equal(await jobsAt(server, "held"), Math.min(2, 4 - done));
      const [first = ""] = held.waiting;
      order.push(first);
      held.release(first, first);
      await tasks[[9, 1, 5, 0].indexOf(Number(first))];
    }
    assert.deepEqual(order, ["0", "1", "5", "9"]);
  });

  it("are submitted again when a server dies, and reject where none is", async (test) => {
    const t = inReverse(test);
    const server = await startServer(t);
    const held = new Held();
    await openWorker(t, server.address, { held: held.handler }, { concurrency: 10, heartbeatMs: 100 });
    const pool = openRaw(t, server.address, { held: "held" }, { heartbeatMs: 100, connectTimeoutMs: 5_000 });
    const task = pool.run("held", "a");
    await held.came("a");
    await server.restart();
    held.release("a", "too late");
    await held.came("a");
    held.release("a", "again");
    assert.equal(await task, "again");

    const alone = openRaw(t, `127.0.0.1:${await freePort()}`, { f: "f" }, { connectTimeoutMs: 100 });
    assert.equal(((await rejection(alone.run("f", ""))) as Error).name, "BackendUnavailableError");
  });

  it("are refused with a sentence where they are wrong", () => {
    const wrong = (raw: unknown, more: object = {}): string => {
      try {
        gearman("localhost", { raw, ...more } as GearmanOptions);
        return "";
      } catch (error) {
        assert.ok(error instanceof ConfigError);
        return error.message;
      }
    };
    assert.match(wrong({}), /option "raw" of gearman\(\): expected an object such as/);
    assert.match(wrong({ wc: "" }), /Cannot use function "": it is empty/);
    assert.match(wrong({ wc: { codec: "text" } }), /Cannot use function "wc" of option "raw".*"fn" is undefined/);
    assert.match(wrong({ wc: { fn: "wc", codec: "xml" } }), /option "codec" of function "wc".*"json"/);
    assert.match(wrong({ wc: { fn: "wc", code: "xml" } }), /option "code" of function "wc"/);
    assert.match(wrong({ wc: "wc" }, { namespace: "a" }), /"namespace" of gearman\(\) beside "raw": it is for hosts/);
  });
});
