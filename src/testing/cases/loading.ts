// A module that is missing, broken or slow: told at once, never a crash loop, never a task left hanging.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import { BackendUnavailableError, UnknownTaskError } from "../../index.ts";
import {
  allUp,
  beside,
  it,
  nextEvent,
  openPool,
  range,
  rejectionOf,
  scratch,
  subdirectory,
  until,
  witness,
  writeModule,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function loading(subject: Subject): void {
  const { traits } = subject;
  // What another language loads, and how, is its client's business.
  if (traits.runsJavaScript === false) return;

  /** Its first task rejects, every later one too, and the pool closes. */
  async function assertUnavailable(pool: ReturnType<typeof openPool>, file: RegExp, cause: RegExp): Promise<void> {
    const first = await rejectionOf(BackendUnavailableError, pool.run("echo", 1));
    assert.equal(first.code, "ERR_BACKEND_UNAVAILABLE");
    assert.match(first.message, file);
    assert.match(String(first.cause), cause);
    const later = await Promise.all(range(5).map((n) => rejectionOf(BackendUnavailableError, pool.run("echo", n))));
    for (const { message } of later) assert.match(message, file);
    await pool.close();
    assert.deepEqual(pool.workers(), []);
  }

  describe("a task module that does not load", () => {
    it("is missing: its tasks reject and name it, and the pool closes", async (t) => {
      const module = pathToFileURL(`${scratch(t)}/missing.mjs`);
      const pool = openPool(t, subject, { module, size: 2 });

      await assertUnavailable(pool, /missing\.mjs/, /missing\.mjs/);
    });

    it("has a syntax error", async (t) => {
      const module = writeModule(scratch(t), "broken.mjs", "export function echo( {");

      await assertUnavailable(openPool(t, subject, { module }), /broken\.mjs/, /SyntaxError/);
    });

    it("throws while it loads, with the cause kept, and is not loaded for ever", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const module = writeModule(
        directory,
        "throws.mjs",
        `import { appendFileSync } from "node:fs";
         appendFileSync(${JSON.stringify(seen.file)}, "loaded\\n");
         throw Object.assign(new RangeError("no such device"), { code: "E_DEVICE" });`,
      );

      await assertUnavailable(openPool(t, subject, { module, size: 2 }), /throws\.mjs/, /RangeError: no such device/);

      assert.ok(seen.lines().length <= 12, `loaded ${seen.lines().length} times`);
    });

    it("never ends loading: after startTimeoutMs", async (t) => {
      const module = writeModule(
        scratch(t),
        "waits.mjs",
        "setInterval(() => {}, 1e9).unref(); await new Promise(() => {}); export const echo = (x) => x;",
      );
      const pool = openPool(t, subject, { module, startTimeoutMs: 300 });

      const error = await rejectionOf(BackendUnavailableError, pool.run("echo", 1));

      assert.match(error.message, /waits\.mjs/);
      await pool.close();
    });

    if (traits.losesWorkers) {
      it("exits while it loads", async (t) => {
        const module = writeModule(scratch(t), "exits.mjs", "process.exit(3); export const echo = (x) => x;");

        const error = await rejectionOf(BackendUnavailableError, openPool(t, subject, { module }).run("echo", 1));

        assert.match(error.message, /exits\.mjs/);
      });
    }

    it("says so as an event too", async (t) => {
      const module = pathToFileURL(`${scratch(t)}/missing.mjs`);
      const pool = openPool(t, subject, { module });
      const failed = nextEvent(pool, "backendFailed");
      const lost = rejectionOf(BackendUnavailableError, pool.run("echo", 1));

      assert.ok((await failed).error instanceof Error);
      await lost;
    });

    it("terminates while it is still loading", async (t) => {
      const module = writeModule(
        scratch(t),
        "waits.mjs",
        "await new Promise((ready) => setTimeout(ready, 300)); export const echo = (x) => x;",
      );
      const pool = openPool(t, subject, { module });
      const task = pool.run("echo", 1).then(
        () => "resolved",
        ({ code }) => code,
      );

      await pool.terminate();

      assert.equal(await task, "ERR_POOL_CLOSED");
      assert.deepEqual(pool.workers(), []);
    });
  });

  describe("a task module that loads", () => {
    it("is evaluated once in a worker", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const module = writeModule(
        directory,
        "once.mjs",
        `import { appendFileSync } from "node:fs";
         appendFileSync(${JSON.stringify(seen.file)}, "loaded\\n");
         export const echo = (x) => x;`,
      );
      const pool = openPool(t, subject, { module, size: 1 });

      await Promise.all(range(20).map((n) => pool.run("echo", n)));

      assert.deepEqual(seen.lines(), ["loaded"]);
    });

    it("may await before its exports are there", async (t) => {
      const module = writeModule(
        scratch(t),
        "awaits.mjs",
        "await new Promise((ready) => setTimeout(ready, 20)); export const echo = (x) => x;",
      );

      assert.equal(await openPool(t, subject, { module }).run("echo", 7), 7);
    });

    it("may be CommonJS: the functions it exports are its tasks, and its default is itself where it is one", async (t) => {
      const directory = scratch(t);
      const module = writeModule(
        directory,
        "common.cjs",
        "exports.echo = (x) => x; exports.double = async (n) => n * 2;",
      );
      const pool = openPool(t, subject, { module });

      assert.equal(await pool.run("echo", 7), 7);
      assert.equal(await pool.run("double", 7), 14);
      const single = writeModule(directory, "single.cjs", "module.exports = (x) => ({ default: x });");
      assert.deepEqual(await openPool(t, subject, { module: single }).run("default", 7), { default: 7 });
    });

    it("may lie in a directory with spaces, signs and letters of all kinds", async (t) => {
      const directory = subdirectory(scratch(t), "a b #c %41 ?d ü 日本");
      const module = writeModule(
        directory,
        "tasks with space.mjs",
        "export const echo = (x) => x; export const double = () => import.meta.url;",
      );
      const pool = openPool(t, subject, { module });

      assert.equal(await pool.run("echo", 7), 7);
      assert.match(String(await pool.run("double", 1)), /tasks%20with%20space\.mjs$/);
    });

    it("rejects an export that is not a function, and one that is not there", async (t) => {
      const pool = openPool(t, subject);

      for (const name of ["notATask", "missing"]) {
        const error = await rejectionOf(UnknownTaskError, pool.run(name as never, 1 as never));
        assert.ok(error.message.includes(`"${name}"`));
      }
    });
  });

  describe("setup and teardown", () => {
    const hooks = beside("hooks");

    it("run once in a worker: before its first task, with data, and when it leaves", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { module: hooks, size: 1, data: { file: seen.file, setupMs: 10 } });

      assert.deepEqual(await Promise.all(["a", "b"].map((line) => pool.run("work" as never, line as never))), [
        true,
        true,
      ]);
      await pool.close();

      assert.deepEqual(seen.lines(), ["setup", "a", "b", "teardown", "torn down"]);
    });

    it("close waits for a teardown", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { module: hooks, size: 1, data: { file: seen.file, teardownMs: 50 } });
      await allUp(pool);

      await pool.close();

      assert.deepEqual(seen.lines(), ["setup", "teardown", "torn down"]);
    });

    it("a setup that fails makes the backend unavailable, with the cause", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { module: hooks, size: 1, data: { file: seen.file, failSetup: true } });

      const error = await rejectionOf(BackendUnavailableError, pool.run("work" as never, "a" as never));

      assert.match(String(error.cause), /cannot set up/);
      assert.ok(!seen.lines().includes("a"));
      await pool.close();
    });

    it("a teardown that fails keeps the pool from nothing", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { module: hooks, size: 1, data: { file: seen.file, failTeardown: true } });
      pool.on("stray", () => {});
      await allUp(pool);

      await pool.close();

      assert.deepEqual(seen.lines(), ["setup", "teardown"]);
    });

    if (traits.canKill) {
      it("a teardown that does not end is killed after graceMs", async (t) => {
        const seen = witness(scratch(t));
        const pool = openPool(t, subject, {
          module: hooks,
          size: 1,
          data: { file: seen.file, teardownMs: 60_000 },
          pool: { graceMs: 400 },
        });
        await allUp(pool);

        await pool.close();

        assert.deepEqual(seen.lines(), ["setup", "teardown"]);
      });
    }

    if (traits.startsWorkers) {
      it("run in each worker that comes and goes", async (t) => {
        const seen = witness(scratch(t));
        const pool = openPool(t, subject, { module: hooks, size: 2, data: { file: seen.file } });
        await allUp(pool);

        await pool.resize(1);
        await until(() => seen.lines().includes("torn down"), "one worker to be torn down");
        await pool.close();

        assert.deepEqual(
          ["setup", "teardown", "torn down"].map((line) => seen.lines().filter((one) => one === line).length),
          [2, 2, 2],
        );
      });
    }
  });
}
