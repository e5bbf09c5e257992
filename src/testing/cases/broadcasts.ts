// One task for every worker, those that are here and those that come later.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { allUp, closedGate, it, openPool, range, scratch, started, witness } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function broadcasts(subject: Subject): void {
  const { traits } = subject;

  describe("broadcast", () => {
    it("reaches every present worker and gives one result each", async (t) => {
      const pool = openPool(t, subject, { size: 3 });
      await allUp(pool);

      const results = await pool.broadcast("whoami", undefined);

      const ids = pool.workers().map(({ id }) => id);
      assert.deepEqual(results.map(({ workerId }) => workerId).toSorted(), ids.toSorted());
      for (const result of results) assert.ok(result.ok && result.value.workerId === result.workerId);
    });

    it("gives the error of the worker where it failed", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      await allUp(pool);

      const results = await pool.broadcast("failIfOdd", 1);

      assert.equal(results.length, 2);
      for (const result of results) assert.ok(!result.ok && (result.error as Error).message === "1 is odd");
    });

    it("waits until a worker is between tasks", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1 });
      const held = pool.run("hold", gate);
      await started(held);

      const cast = pool.broadcast("record", { file: seen.file, line: "cast" });
      await new Promise(setImmediate);
      assert.deepEqual(seen.lines(), []);
      gate.open();

      await held;
      assert.equal((await cast).length, 1);
      assert.deepEqual(seen.lines(), ["cast"]);
    });

    if (traits.startsWorkers) {
      it("reaches a worker that joins later before its first task", async (t) => {
        const seen = witness(scratch(t));
        const pool = openPool(t, subject, { size: 1 });
        await allUp(pool);
        await pool.broadcast("recordWorker", { file: seen.file, line: "cast" });

        await pool.resize(3);
        await Promise.all(range(60).map(() => pool.run("recordWorker", { file: seen.file, line: "task" })));
        await seen.until(63);

        const lines = seen.lines();
        for (const { id } of pool.workers()) {
          assert.equal(lines.find((line) => line.endsWith(` ${id}`)) ?? `cast ${id}`, `cast ${id}`);
        }
        assert.equal(lines.filter((line) => line.startsWith("cast")).length, 3);
      });

      it("reaches nobody later when it is ephemeral", async (t) => {
        const seen = witness(scratch(t));
        const pool = openPool(t, subject, { size: 1 });
        await allUp(pool);
        await pool.broadcast("recordWorker", { file: seen.file, line: "cast" }, { ephemeral: true });

        await pool.resize(3);
        await allUp(pool);
        await Promise.all(range(30).map((n) => pool.run("echo", n)));

        assert.equal(seen.lines().length, 1);
      });
    }

    if (traits.losesWorkers) {
      it("gives the error of a worker that dies of it, and the pool goes on", async (t) => {
        const pool = openPool(t, subject, { size: 2 });
        await allUp(pool);

        const results = await pool.broadcast("exit", 3, { ephemeral: true });

        assert.equal(results.length, 2);
        for (const result of results)
          assert.ok(!result.ok && (result.error as { code?: string }).code === "ERR_WORKER_LOST");
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }
  });
}
