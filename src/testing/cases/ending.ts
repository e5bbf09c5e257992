// Law 9, as far as one process sees it: close, terminate, idle, pause; and a queue with a limit.

import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { type Pool, PoolClosedError, QueueFullError } from "../../index.ts";
import {
  allUp,
  closedGate,
  it,
  openPool,
  range,
  rejection,
  rejectionOf,
  scratch,
  started,
  type Tasks,
  until,
  witness,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function ending(subject: Subject): void {
  const { traits } = subject;

  /** A closing pool waits no longer than `graceMs` for the first worker of somebody else's. */
  async function openServed(t: TestContext): Promise<Pool<Tasks>> {
    const pool = openPool(t, subject);
    if (!traits.startsWorkers) await allUp(pool);
    return pool;
  }

  describe("close finishes, terminate ends", () => {
    it("close waits for every running task, not for the first", async (t) => {
      const directory = scratch(t);
      const pool = openPool(t, subject, { size: 3 });
      const gates = range(3).map(() => closedGate(directory));
      const tasks = gates.map((gate, n) => pool.run("hold", { gate: gate.gate, value: n }));
      await Promise.all(tasks.map(started));
      let isClosed = false;
      const closed = pool.close().then(() => {
        isClosed = true;
      });

      gates[0]?.open();
      await tasks[0];
      gates[1]?.open();
      await tasks[1];
      assert.equal(isClosed, false);
      assert.equal(pool.snapshot().state, "closing");
      gates[2]?.open();

      assert.equal(await tasks[2], 2);
      await closed;
      assert.equal(pool.snapshot().state, "closed");
      assert.deepEqual(pool.workers(), []);
    });

    it("close may be called twice, and together with terminate", async (t) => {
      const pool = openPool(t, subject);
      await pool.run("echo", 1);

      await Promise.all([pool.close(), pool.close()]);
      await pool.close();
      await pool.terminate();
    });

    it("close of a pool that never had work ends at once", async (t) => {
      const pool = openPool(t, subject, { size: 2 });

      await pool.close();

      assert.deepEqual(pool.workers(), []);
    });

    it("terminate overtakes a close that waits", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject);
      const held = pool.run("hold", gate);
      await started(held);
      const closed = pool.close();

      const lost = rejectionOf(PoolClosedError, held);
      await pool.terminate();

      await lost;
      await closed;
    });

    it("takes nothing while closing and after", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject);
      const held = pool.run("hold", gate);
      await started(held);
      const closed = pool.close();

      await rejectionOf(PoolClosedError, pool.run("echo", 1));
      assert.throws(() => pool.runAll("echo", [1, 2]), PoolClosedError);
      gate.open();
      await closed;
      await rejectionOf(PoolClosedError, pool.run("echo", 1));
      await rejectionOf(PoolClosedError, pool.map("echo", [1]));
      await rejectionOf(PoolClosedError, pool.stream("count", 1)[Symbol.asyncIterator]().next());
      await rejectionOf(PoolClosedError, pool.broadcast("echo", 1));
      assert.deepEqual(pool.workers(), []);
    });

    it("close runs what a paused pool holds", async (t) => {
      const pool = await openServed(t);
      pool.pause();
      const tasks = range(5).map((n) => pool.run("echo", n));

      await pool.close();

      assert.deepEqual(await Promise.all(tasks), range(5));
    });

    it("close rejects what nobody can ever run", async (t) => {
      const pool = await openServed(t);
      const unserved = rejectionOf(PoolClosedError, pool.run("echo", 1, { series: "nobody" }));
      const served = pool.run("echo", 2);

      await pool.close();

      await unserved;
      assert.equal(await served, 2);
    });

    it("close finishes the retries of what it accepted", async (t) => {
      const seen = witness(scratch(t));
      const pool = await openServed(t);
      const task = pool.run("failUntil", { file: seen.file, succeedOn: 3 }, { retries: 2, retryDelayMs: 5 });

      await pool.close();

      assert.equal(await task, 3);
    });

    it("close may be called where nobody awaits it", async (t) => {
      const pool = openPool(t, subject);
      const task = pool.run("echo", 1).then((value) => {
        void pool.close();
        return value;
      });

      assert.equal(await task, 1);
      await until(() => pool.snapshot().state === "closed", "the pool to close");
    });

    it("Symbol.asyncDispose is close", async (t) => {
      const pool = openPool(t, subject);
      const task = pool.run("echo", "finished");

      await pool[Symbol.asyncDispose]();

      assert.equal(await task, "finished");
      assert.equal(pool.snapshot().state, "closed");
    });

    it("tells that it is closed, once", async (t) => {
      const pool = openPool(t, subject);
      let times = 0;
      pool.on("closed", () => {
        times += 1;
      });

      await pool.close();
      await pool.terminate();

      assert.equal(times, 1);
    });

    if (traits.canKill) {
      it("terminate ends a busy loop and what is queued behind it", async (t) => {
        const pool = openPool(t, subject, { size: 1 });
        const spinning = pool.run("spin", undefined);
        await started(spinning);
        const lost = [spinning, pool.run("echo", "queued")].map((task) => rejectionOf(PoolClosedError, task));

        await pool.terminate();

        await Promise.all(lost);
        assert.deepEqual(pool.workers(), []);
      });
    }

    it("terminate from where a task's result arrives ends all the same", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const gate = closedGate(scratch(t));
      const held = rejectionOf(
        PoolClosedError,
        pool.run("echo", 1).then(() => pool.run("hold", gate)),
      );

      await pool.run("echo", 2).then(() => pool.terminate());

      await held;
    });
  });

  describe("idle", () => {
    it("resolves at once when there is nothing", async (t) => {
      await openPool(t, subject).idle();
    });

    it("resolves when queue and workers are empty, for everyone who waits, and the pool goes on", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      const tasks = range(50).map((n) => pool.run("echo", n));

      await Promise.all([pool.idle(), pool.idle(), pool.idle()]);

      assert.deepEqual({ queued: pool.snapshot().queued, running: pool.snapshot().running }, { queued: 0, running: 0 });
      assert.deepEqual(await Promise.all(tasks), range(50));
      assert.equal(await pool.run("echo", "more"), "more");
    });

    it("waits for what is deferred", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject);
      const task = pool.run("defer", { file: seen.file, line: "late", times: 1, delayMs: 30 });

      await pool.idle();

      assert.deepEqual(seen.lines(), ["late 1", "late 2"]);
      await task;
    });

    it("is not blocked by tasks that add tasks", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      let added = 0;
      const chain = (n: number): Promise<unknown> =>
        pool.run("echo", n).then((value) => {
          added += 1;
          return n > 0 ? chain(n - 1) : value;
        });
      const chained = chain(20);

      await pool.idle();
      await chained;

      assert.equal(added, 21);
    });

    it("waits on a paused pool until its signal aborts, with that reason", async (t) => {
      const pool = openPool(t, subject);
      pool.pause();
      const task = pool.run("echo", 1);
      const controller = new AbortController();
      const waiting = rejection(pool.idle({ signal: controller.signal }));
      const reason = { enough: true };

      controller.abort(reason);

      assert.equal(await waiting, reason);
      pool.resume();
      assert.equal(await task, 1);
    });

    it("ends with close, which finishes, and rejects with terminate", async (t) => {
      const closing = openPool(t, subject);
      closing.pause();
      const task = closing.run("echo", 1);
      const idle = closing.idle();
      await closing.close();
      await idle;
      assert.equal(await task, 1);

      const terminated = openPool(t, subject);
      terminated.pause();
      const lost = rejectionOf(PoolClosedError, terminated.run("echo", 1));
      const waiting = rejectionOf(PoolClosedError, terminated.idle());
      await terminated.terminate();
      await waiting;
      await lost;
    });
  });

  describe("pause and resume", () => {
    it("starts nothing new, lets running ones go on, accepts more, and goes on in order", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1 });
      const running = pool.run("hold", { gate: gate.gate, value: "ran on" });
      const tasks = range(3).map((n) => pool.run("record", { file: seen.file, line: `${n}` }));
      await started(running);
      const workers = pool.workers().map(({ id }) => id);

      pool.pause();
      tasks.push(pool.run("record", { file: seen.file, line: "3" }));
      gate.open();

      assert.equal(await running, "ran on");
      assert.deepEqual([pool.snapshot().state, pool.snapshot().queued, pool.snapshot().running], ["paused", 4, 0]);
      assert.deepEqual(seen.lines(), []);
      pool.resume();
      await Promise.all(tasks);
      assert.deepEqual(seen.lines(), ["0", "1", "2", "3"]);
      assert.deepEqual(
        pool.workers().map(({ id }) => id),
        workers,
      );
    });

    it("may be said twice", async (t) => {
      const pool = openPool(t, subject);
      pool.pause();
      pool.pause();
      pool.resume();
      pool.resume();

      assert.equal(await pool.run("echo", 1), 1);
    });
  });

  describe("a queue with a limit", () => {
    it("rejects what is too much, never runs it, and is ready when there is room", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1, pool: { maxQueue: 2 } });
      const held = pool.run("hold", gate);
      await started(held);
      const { signal } = new AbortController();

      const outcomes = Promise.allSettled(
        range(20).map((n) => pool.run("record", { file: seen.file, line: `${n}` }, { signal })),
      );
      let isReady = false;
      const ready = pool.ready().then(() => {
        isReady = true;
      });
      await new Promise(setImmediate);
      assert.equal(isReady, false);
      gate.open();
      await ready;

      (await outcomes).forEach((outcome, n) => {
        if (n < 2) assert.equal(outcome.status, "fulfilled");
        else assert.ok(outcome.status === "rejected" && outcome.reason instanceof QueueFullError);
      });
      await held;
      await pool.idle();
      assert.deepEqual(seen.lines(), ["0", "1"]);
      assert.equal(await pool.run("echo", "room"), "room");
    });

    it("adds all of a runAll, or nothing", async (t) => {
      const pool = openPool(t, subject, { size: 1, pool: { maxQueue: 3 } });
      pool.pause();

      assert.throws(() => pool.runAll("echo", range(4)), QueueFullError);
      assert.equal(pool.snapshot().queued, 0);
      const tasks = pool.runAll("echo", range(3));
      pool.resume();
      assert.deepEqual(await Promise.all(tasks), range(3));
    });

    it("ready rejects with the reason of its signal, and with PoolClosedError on terminate", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 1, pool: { maxQueue: 1 } });
      const held = pool.run("hold", gate);
      await started(held);
      const queued = rejection(pool.run("echo", 1));
      const controller = new AbortController();
      const aborted = rejection(pool.ready({ signal: controller.signal }));
      const terminated = rejectionOf(PoolClosedError, pool.ready());

      controller.abort("enough");
      assert.equal(await aborted, "enough");
      await pool.terminate();
      await terminated;
      await queued;
    });
  });

  describe("runAll", () => {
    it("adds tasks together, with a priority and an id each", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      pool.pause();

      const tasks = pool.runAll(
        "record",
        ["a", "b", "c"].map((line) => ({ file: seen.file, line })),
        { priority: [3, 2, 1], id: ["x", "y", 3] },
      );
      pool.resume();

      assert.deepEqual(await Promise.all(tasks), ["a", "b", "c"]);
      assert.deepEqual(
        tasks.map(({ id }) => id),
        ["x", "y", 3],
      );
      assert.deepEqual(seen.lines(), ["c", "b", "a"]);
    });

    it("throws and adds nothing for a list of the wrong length, a repeated id and an id in use", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      pool.pause();
      const living = pool.run("echo", 1, { id: "living" });

      assert.throws(() => pool.runAll("echo", [1, 2], { priority: [1] }));
      assert.throws(() => pool.runAll("echo", [1, 2], { id: ["a"] }));
      assert.throws(() => pool.runAll("echo", [1, 2], { id: ["a", "a"] }));
      assert.throws(() => pool.runAll("echo", [1, 2], { id: ["a", "living"] }));

      assert.equal(pool.snapshot().queued, 1);
      pool.resume();
      assert.equal(await living, 1);
    });

    it("gives no task for no input", (t) => {
      assert.deepEqual(openPool(t, subject).runAll("echo", []), []);
    });
  });
}
