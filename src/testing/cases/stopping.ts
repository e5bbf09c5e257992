// Law 10: a timeout, a cancel and a terminate end work, also work that does not yield where the backend can kill.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { NoSuchTaskError, TaskCancelledError, TaskTimeoutError } from "../../index.ts";
import { allUp, closedGate, it, openPool, range, rejection, rejectionOf, scratch, started, witness } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function stopping(subject: Subject): void {
  const { traits } = subject;

  describe("law 10: timeouts, cancels and signals end work", () => {
    it("a timeout aborts the task's own signal and rejects with TaskTimeoutError", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const pool = openPool(t, subject);

      const hold = { gate: closedGate(directory).gate, file: seen.file };

      // On a busy machine the time may be up before the worker gets to the task, which then never runs.
      let hasBegun = false;
      for (let timeoutMs = 20; !hasBegun; timeoutMs *= 5) {
        const task = pool.run("obey", hold, { timeoutMs });
        void task.onProgress(() => {
          hasBegun = true;
        });
        const error = await rejectionOf(TaskTimeoutError, task);
        assert.equal(error.code, "ERR_TASK_TIMEOUT");
      }

      await seen.until(1);
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("a timeout counts from the start of the task, not from its queueing", async (t) => {
      const directory = scratch(t);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1 });
      await pool.run("echo", "up");
      const held = pool.run("hold", gate);
      await started(held);

      const quick = pool.run("echo", "quick", { timeoutMs: 600 });
      setTimeout(() => gate.open(), 700);

      assert.equal(await quick, "quick");
    });

    it("a deadline covers the time in the queue", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1 });
      const held = pool.run("hold", gate);
      await started(held);

      await rejectionOf(TaskTimeoutError, pool.run("record", { file: seen.file, line: "ran" }, { deadlineMs: 20 }));
      gate.open();
      await held;
      await pool.idle();

      assert.deepEqual(seen.lines(), []);
    });

    it("a cancelled task that is queued never runs, and gives its reason", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1 });
      const held = pool.run("hold", gate);
      await started(held);
      const queued = pool.run("record", { file: seen.file, line: "ran" });
      const reason = { because: "no need" };

      queued.cancel(reason);

      const error = await rejectionOf(TaskCancelledError, queued);
      assert.equal(error.cause, reason);
      assert.equal(queued.state, "cancelled");
      gate.open();
      await held;
      await pool.idle();
      assert.deepEqual(seen.lines(), []);
      assert.equal(pool.snapshot().cancelled, 1);
    });

    it("a cancelled task that runs sees its signal aborted", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const pool = openPool(t, subject);
      const running = pool.run("obey", { gate: closedGate(directory).gate, file: seen.file }, { id: "running" });
      await started(running);

      running.cancel("no need");

      assert.equal((await rejectionOf(TaskCancelledError, running)).cause, "no need");
      await seen.until(1);
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("a cancel after the end changes nothing; of an unknown id it says so", async (t) => {
      const pool = openPool(t, subject);
      const task = pool.run("echo", 1, { id: "done" });
      assert.equal(await task, 1);

      task.cancel("too late");

      assert.equal(await task, 1);
      assert.equal(task.state, "completed");
      assert.throws(() => pool.cancel("done"), NoSuchTaskError);
      assert.throws(() => pool.cancel("nobody"), NoSuchTaskError);
    });

    it("a task that is cancelled twice keeps its first reason", async (t) => {
      const pool = openPool(t, subject);
      pool.pause();
      const task = pool.run("echo", 1);

      task.cancel("first");
      task.cancel("second");

      assert.equal((await rejectionOf(TaskCancelledError, task)).cause, "first");
    });

    it("a signal that is aborted already rejects with its reason, and nothing runs", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject);
      const reason = new RangeError("was never to be");

      assert.equal(
        await rejection(pool.run("record", { file: seen.file, line: "ran" }, { signal: AbortSignal.abort(reason) })),
        reason,
      );

      await pool.idle();
      assert.deepEqual(seen.lines(), []);
    });

    it("a signal that aborts rejects with its very reason: queued and running", async (t) => {
      const directory = scratch(t);
      const pool = openPool(t, subject, { size: 1 });
      const controller = new AbortController();
      const running = pool.run("obey", closedGate(directory), { signal: controller.signal });
      await started(running);
      const queued = pool.run("echo", 1, { signal: controller.signal });
      const reason = { any: "thing" };

      const reasons = Promise.all([rejection(running), rejection(queued)]);
      controller.abort(reason);

      assert.deepEqual(
        (await reasons).map((got) => got === reason),
        [true, true],
      );
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("AbortSignal.timeout and AbortSignal.any work as signals", async (t) => {
      const directory = scratch(t);
      const pool = openPool(t, subject, { size: 1 });
      const timeout = AbortSignal.timeout(15);

      const error = await rejection(
        pool.run("obey", closedGate(directory), { signal: AbortSignal.any([timeout, new AbortController().signal]) }),
      );

      assert.equal(error, timeout.reason);
      assert.equal((error as Error).name, "TimeoutError");
    });

    it("ten thousand queued tasks of one signal are cancelled together", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const held = pool.run("hold", gate);
      await started(held);
      const controller = new AbortController();
      const tasks = range(10_000).map((n) => rejection(pool.run("echo", n, { signal: controller.signal })));
      const reason = new Error("all of you");

      controller.abort(reason);

      assert.ok((await Promise.all(tasks)).every((got) => got === reason));
      gate.open();
      await held;
    });

    if (traits.canKill) {
      it("a timeout ends a busy loop, and the worker is replaced", async (t) => {
        const pool = openPool(t, subject, { size: 1, pool: { abortGraceMs: 20 } });
        await allUp(pool);

        await rejectionOf(TaskTimeoutError, pool.run("spin", undefined, { timeoutMs: 50 }));

        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a cancel ends a busy loop, and what is queued behind it runs", async (t) => {
        const pool = openPool(t, subject, { size: 1, pool: { abortGraceMs: 20 } });
        const spinning = pool.run("spin", undefined);
        await started(spinning);
        const behind = range(5).map((n) => pool.run("echo", n));

        spinning.cancel("enough");

        await rejectionOf(TaskCancelledError, spinning);
        assert.deepEqual(await Promise.all(behind), range(5));
        for (const task of behind) assert.equal(task.state, "completed");
      });

      it("an abort ends a busy loop with the signal's reason", async (t) => {
        const pool = openPool(t, subject, { size: 1, pool: { abortGraceMs: 20 } });
        const controller = new AbortController();
        const spinning = pool.run("spin", undefined, { signal: controller.signal });
        await started(spinning);
        const reason = new Error("enough");

        controller.abort(reason);

        assert.equal(await rejection(spinning), reason);
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a task that hears its signal but goes on is killed after the grace", async (t) => {
        const directory = scratch(t);
        const seen = witness(directory);
        const pool = openPool(t, subject, { size: 1, pool: { abortGraceMs: 50 } });
        const deaf = pool.run("hear", { gate: closedGate(directory).gate, file: seen.file });
        await started(deaf);

        deaf.cancel();

        await rejectionOf(TaskCancelledError, deaf);
        assert.equal(await pool.run("echo", "next"), "next");
        assert.deepEqual(seen.lines(), ["heard"]);
      });

      it("a new task never lands on the worker that is about to be killed", async (t) => {
        const pool = openPool(t, subject, { size: 2, pool: { abortGraceMs: 30 } });
        const spinning = pool.run("spin", undefined);
        await started(spinning);
        spinning.cancel();

        const tasks = range(200).map((n) => pool.run("echo", n));

        await rejectionOf(TaskCancelledError, spinning);
        assert.deepEqual(await Promise.all(tasks), range(200));
        assert.deepEqual(new Set(tasks.map(({ attempt }) => attempt)), new Set([1]));
      });
    } else {
      it("a busy loop's timeout rejects when the loop comes free, with its signal aborted: this backend cannot kill", async (t) => {
        const pool = openPool(t, subject, { size: 1, pool: { abortGraceMs: 1_000 } });

        const error = await rejectionOf(TaskTimeoutError, pool.run("spinThenLook", 60, { timeoutMs: 10 }));

        assert.equal(error.code, "ERR_TASK_TIMEOUT");
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }
  });
}
