// What a task tells while it works, and what the pool tells of it.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe } from "node:test";
import { TaskCancelledError } from "../../index.ts";
import {
  allUp,
  closedGate,
  eventsOf,
  it,
  nextEvent,
  openPool,
  range,
  rejection,
  rejectionOf,
  scratch,
  started,
  until,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function telling(subject: Subject): void {
  const { traits } = subject;

  describe("what a task tells", () => {
    it("progress comes in order, and before the result", async (t) => {
      const pool = openPool(t, subject);
      const seen: unknown[] = [];
      const task = pool.run("report", range(50));
      void task.onProgress((value) => void seen.push(value));

      await task.then((value) => seen.push(value));

      assert.deepEqual(seen, [...range(50), "reported"]);
    });

    it("progress of every item of a map reaches the pool's listeners", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      const events = eventsOf(pool, "progress");

      await pool.map("report", [[1], [2], [3]]);

      assert.deepEqual(new Set(events.map(({ value }) => value)), new Set([1, 2, 3]));
      assert.deepEqual(new Set(events.map(({ name }) => name)), new Set(["report"]));
    });

    it("progress that cannot be cloned is left out, and all else arrives", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const { workerId } = await pool.run("whoami", undefined);

      for (const specimen of ["a function", "a symbol"]) {
        const seen: unknown[] = [];
        const task = pool.run("reportSpecimen", specimen).onProgress((value) => void seen.push(value));
        assert.equal(await task, "reported");
        assert.deepEqual(seen, ["before", "after"]);
      }

      assert.equal((await pool.run("whoami", undefined)).workerId, workerId);
    });

    it("a label is seen in workers() while the task runs, and gone after it", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject);
      const task = pool.run("labelled", { gate: gate.gate, label: "page 7" });
      await started(task);

      assert.equal(pool.workers()[0]?.label, "page 7");
      gate.open();
      await task;

      assert.equal(pool.workers()[0]?.label, undefined);
    });

    it("log arrives as an event with its task and worker", async (t) => {
      const pool = openPool(t, subject);
      const told = nextEvent(pool, "log");

      assert.equal(await pool.run("logAll", ["reading", 7], { id: "logging" }), "logged");

      const { taskId, args, workerId } = await told;
      assert.deepEqual({ taskId, args }, { taskId: "logging", args: ["reading", 7] });
      assert.equal(workerId, pool.workers()[0]?.id);
    });

    if (traits.capturesOutput) {
      for (const stream of ["stdout", "stderr"] as const) {
        it(`what it prints on ${stream} arrives as output of its worker`, async (t) => {
          const pool = openPool(t, subject);
          let text = "";
          let workerId: string | undefined;
          pool.on("output", (event) => {
            if (event.stream !== stream) return;
            text += event.text;
            workerId = event.workerId;
          });

          await pool.run("print", { text: "printed by a task\n", stream });
          await until(() => text.includes("\n"), "the line to arrive");

          assert.equal(text, "printed by a task\n");
          assert.equal(workerId, pool.workers()[0]?.id);
        });
      }

      it("more than a pipe holds arrives whole", async (t) => {
        const pool = openPool(t, subject);
        let length = 0;
        pool.on("output", ({ text }) => {
          length += text.length;
        });

        await pool.run("printTimes", { text: `${"x".repeat(999)}\n`, times: 500 });

        await until(() => length >= 500_000, "all output");
        assert.equal(length, 500_000);
      });

      it("what is printed last arrives before the pool is closed", async (t) => {
        const pool = openPool(t, subject);
        let text = "";
        pool.on("output", (event) => {
          text += event.text;
        });
        await pool.run("print", { text: "the last words", stream: "stdout" });

        await pool.close();

        assert.equal(text, "the last words");
      });
    }

    it("a task's context tells who it is", async (t) => {
      const pool = openPool(t, subject);

      const told = await pool.run("whoami", undefined, { id: "me", priority: -2 });

      assert.deepEqual(
        { taskId: told.taskId, attempt: told.attempt, priority: told.priority, workerId: told.workerId },
        { taskId: "me", attempt: 1, priority: -2, workerId: pool.workers()[0]?.id },
      );
    });
  });

  describe("what the pool tells", () => {
    it("the state of a task: queued, running, completed", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject);
      const task = pool.run("hold", gate);
      const queued = task.state;
      await started(task);
      const running = task.state;
      gate.open();
      await task;

      assert.deepEqual([queued, running, task.state], ["queued", "running", "completed"]);
      const failing = pool.run("failIfOdd", 1);
      await rejection(failing);
      assert.equal(failing.state, "failed");
    });

    it("that a task started and settled, with its numbers", async (t) => {
      const pool = openPool(t, subject);
      const begun = eventsOf(pool, "taskStarted");
      const settled = eventsOf(pool, "taskSettled");

      await pool.run("echo", 1, { id: "good" });
      await rejection(pool.run("failIfOdd", 1, { id: "bad" }));
      pool.pause();
      const cancelled = pool.run("echo", 1, { id: "cancelled" });
      cancelled.cancel();
      await rejectionOf(TaskCancelledError, cancelled);

      assert.deepEqual(
        begun.map(({ id, name, attempt }) => ({ id, name, attempt })),
        [
          { id: "good", name: "echo", attempt: 1 },
          { id: "bad", name: "failIfOdd", attempt: 1 },
        ],
      );
      assert.deepEqual(
        settled.map(({ id, outcome }) => ({ id, outcome })),
        [
          { id: "good", outcome: "completed" },
          { id: "bad", outcome: "failed" },
          { id: "cancelled", outcome: "cancelled" },
        ],
      );
      const bad = settled[1];
      assert.ok(bad);
      assert.equal((bad.error as Error).message, "1 is odd");
      for (const { queuedMs } of settled) assert.ok(queuedMs >= 0);
    });

    it("no more to a listener that was removed", async (t) => {
      const pool = openPool(t, subject);
      let heard = 0;
      const count = (): void => {
        heard += 1;
      };
      const remove = pool.on("taskSettled", count);
      await pool.run("echo", 1);
      remove();
      pool.on("taskSettled", count);
      pool.off("taskSettled", count);

      await pool.run("echo", 2);

      assert.equal(heard, 1);
    });

    it("that its workers are up and down, as expected", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      const downs = eventsOf(pool, "workerDown");
      await allUp(pool);
      const ids = pool.workers().map(({ id }) => id);

      await pool.close();

      assert.equal(downs.length, 2);
      assert.deepEqual(new Set(downs.map(({ workerId }) => workerId)), new Set(ids));
      assert.deepEqual(new Set(downs.map(({ expected }) => expected)), new Set([true]));
    });

    it("the caller's AsyncLocalStorage in what is awaited and in a task's callbacks", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const storage = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];

      await Promise.all(
        ["a", "b", "c"].map((name) =>
          storage.run(name, async () => {
            const task = pool.run("report", [1]);
            void task.onProgress(() => void seen.push(storage.getStore()));
            await task;
            assert.equal(storage.getStore(), name);
            for await (const _ of pool.imap("echo", [1, 2], { onProgress: () => {} }))
              assert.equal(storage.getStore(), name);
          }),
        ),
      );

      assert.equal(seen.length, 3);
      assert.deepEqual(new Set(seen), new Set(["a", "b", "c"]));
    });

    it("how much is queued, running and done", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 1, pool: { name: "counting" } });
      const held = pool.run("hold", gate);
      const queued = range(3).map((n) => pool.run("echo", n));
      await started(held);

      const { name, state, queued: waiting, running, done, failed, cancelled, workers } = pool.snapshot();
      assert.deepEqual(
        { name, state, waiting, running, done, failed, cancelled, workers },
        { name: "counting", state: "open", waiting: 3, running: 1, done: 0, failed: 0, cancelled: 0, workers: 1 },
      );
      gate.open();
      await Promise.all([held, ...queued]);
      assert.deepEqual([pool.snapshot().done, pool.snapshot().queued, pool.snapshot().running], [4, 0, 0]);
    });
  });
}
