// Programs that are bad workers, each in its own way: what they lose is their own attempt.
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type CommandOptions, command } from "../../src/backends/command/index.ts";
import { Pool, ProtocolError, WorkerLostError } from "../../src/index.ts";
import { isAlive, scratch, until } from "../../src/testing/stage.ts";

const program = fileURLToPath(new URL("fixtures/bad-worker.mjs", import.meta.url));

/** Workers that behave badly in the given way until the file `mended` is there. */
function open(
  t: TestContext,
  way: string,
  options: CommandOptions = {},
): { readonly pool: Pool; readonly mended: string } {
  const mended = join(scratch(t), "mended");
  const pool = new Pool(command([process.execPath, program, way, mended], { size: 1, ...options }));
  t.after(() => pool.terminate());
  return { pool, mended };
}

/** The ways that cost a worker its life, and what the pool says of it. */
const deadly: Readonly<Record<string, RegExp>> = {
  "is killed": /was ended by SIGKILL/,
  "closes its output": /closed its output/,
  "prints garbage": /it begins with "GARBAGE/,
  "prints bytes that are no text": /Cannot read message/,
  "prints half a message": /it is no JSON and begins with "\{"type":"res/,
  "prints 100 MB on one line": /it begins with "xxxx/,
  "prints a list": /it is a list and begins with/,
  "exits with 0": /exited with code 0/,
};

describe("a worker that", { concurrency: 2 }, () => {
  for (const [way, how] of Object.entries(deadly)) {
    it(`${way} loses its attempt, and the task is tried again`, { timeout: 30_000 }, async (t) => {
      const { pool, mended } = open(t, way);
      const errors: unknown[] = [];
      pool.on("taskRetried", ({ error }) => {
        errors.push(error);
        writeFileSync(mended, "");
      });

      const task = pool.run("echo", "again");

      assert.equal(await task, "again");
      assert.equal(task.attempt, 2);
      assert.equal(errors.length, 1);
      const [error] = errors as [WorkerLostError];
      assert.ok(error instanceof WorkerLostError);
      const said = `${error.message} ${error.cause instanceof ProtocolError ? error.cause.message : ""}`;
      assert.match(said, how);
    });
  }

  it("answers twice, late, of tasks that are none, and in unknown words, changes nothing", async (t) => {
    const { pool } = open(t, "says too much");

    assert.deepEqual(await Promise.all([1, 2, 3].map((n) => pool.run("echo", n))), [1, 2, 3]);
  });

  it("is stopped by SIGSTOP is found out and replaced, where it promised to answer at once", async (t) => {
    const { pool, mended } = open(t, "is stopped", { heartbeatMs: 100 });
    pool.on("taskRetried", () => writeFileSync(mended, ""));

    assert.equal(await pool.run("echo", "again"), "again");
  });

  it("ignores its input is ended with its task's time", async (t) => {
    const { pool, mended } = open(t, "ignores its input");
    const task = pool.run("echo", "again", { timeoutMs: 1_000, retries: 1 });
    pool.on("taskRetried", () => writeFileSync(mended, ""));

    assert.equal(await task, "again");
  });

  it("writes to stderr without end is heard, and does its tasks", async (t) => {
    const { pool } = open(t, "complains without end");
    let bytes = 0;
    pool.on("output", ({ text }) => {
      bytes += text.length;
    });
    const before = process.memoryUsage().rss;

    for (let n = 0; n < 20; n++) {
      assert.equal(await pool.run("echo", n), n);
      await delay(20);
    }

    assert.ok(bytes > 1_000_000, `${bytes} bytes of complaint`);
    assert.ok(process.memoryUsage().rss - before < 300 * 2 ** 20);
  });

  it("sends __proto__ as a key pollutes nobody", async (t) => {
    const { pool } = open(t, "sends __proto__");

    const back = (await pool.run("echo", 1)) as object;

    assert.ok(Object.hasOwn(back, "__proto__"));
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it("has children leaves none behind", async (t) => {
    const { pool, mended } = open(t, "has children");
    const pids = (await pool.run("echo", 0)) as number[];
    assert.ok(pids.every(isAlive));
    assert.ok(!existsSync(mended));

    await pool.terminate();

    await until(() => !pids.some(isAlive), "its children to be gone");
  });
});
