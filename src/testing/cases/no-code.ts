// Law 8: no code travels. A worker runs the functions of its module and nothing else.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { BackendUnavailableError, NotSerializableError, UnknownTaskError } from "../../index.ts";
import { beside, it, openPool, rejectionOf, scratch, sharedPool, witness } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function noCode(subject: Subject): void {
  describe("law 8: a worker runs only the functions its module exports", () => {
    const shared = sharedPool(subject);

    it("rejects a name that is not exported, and names it", async () => {
      const pool = shared();

      const error = await rejectionOf(UnknownTaskError, pool.run("dobule" as never, 1 as never));

      assert.equal(error.code, "ERR_UNKNOWN_TASK");
      assert.match(error.message, /"dobule"/);
      assert.equal(await pool.run("double", 2), 4);
    });

    it("does not charge an unknown name as a failure to be retried", async (t) => {
      const pool = openPool(t, subject, { pool: { retries: 5, retryDelayMs: 60_000 } });

      await rejectionOf(UnknownTaskError, pool.run("dobule" as never, 1 as never));
    });

    for (const name of [
      "constructor",
      "toString",
      "hasOwnProperty",
      "__proto__",
      "valueOf",
      "notATask",
      "",
      "process.exit",
    ]) {
      it(`does not take "${name}" for a task`, async () => {
        const pool = shared();

        await rejectionOf(UnknownTaskError, pool.run(name as never, 0 as never));
      });
    }

    it("runs the default export as the task default", async () => {
      const pool = shared();

      assert.deepEqual(await pool.run("default", 5), { default: 5 });
    });

    it("hands code in a string on as the string it is", async () => {
      const pool = shared();

      for (const text of ["process.exit(1)", "() => 1", "import('node:fs')", '{"__proto__":{"polluted":1}}']) {
        assert.equal(await pool.run("echo", text), text);
      }
    });

    it("refuses a function as an input", async () => {
      const pool = shared();

      await rejectionOf(
        NotSerializableError,
        pool.run("echo", () => "travelled"),
      );
    });

    // The rest needs modules that tests bring along.
    if (subject.traits.runsJavaScript === false) return;

    it("does not take setup and teardown for tasks", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { module: beside("hooks"), data: { file: seen.file } });

      await rejectionOf(UnknownTaskError, pool.run("setup" as never, 0 as never));
      await rejectionOf(UnknownTaskError, pool.run("teardown" as never, 0 as never));

      await pool.close();
      assert.deepEqual(seen.lines(), ["setup", "teardown", "torn down"]);
    });

    it("never loads a module named by an input", async (t) => {
      const pool = openPool(t, subject, { module: new URL("./nowhere.mjs", import.meta.url) });

      await rejectionOf(BackendUnavailableError, pool.run("echo", "data:text/javascript,export const echo = 1"));
    });
  });
}
