// The capabilities of a priority queue over threads, with deferral, pausing, quiescing and resizing; and its faults, which are none here.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { NoSuchTaskError, PoolClosedError } from "../../src/index.ts";
import {
  allUp,
  assertAllSettledOnce,
  closedGate,
  heapUsed,
  it,
  range,
  rejection,
  rejectionOf,
  scratch,
  settlements,
  started,
  witness,
} from "../../src/testing/stage.ts";
import { DeferTask } from "../../src/worker/index.ts";
import { kinds } from "./kinds.ts";

for (const kind of kinds) {
  describe(`workerpool, over ${kind.name}`, () => {
    it("C1 lower priority number starts first; equal ones in insertion order; finish order is free", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t);
      pool.pause();
      const runs = kind.lanes.map((series) => {
        const seen = witness(directory, series);
        const tasks = [5, 0, -3, 5, 0, 1].map((priority, n) =>
          pool.run("record", { file: seen.file, line: `${priority}/${n}` }, { priority, series }),
        );
        return { seen, tasks };
      });

      pool.resume();

      for (const { seen, tasks } of runs) {
        await Promise.all(tasks);
        assert.deepEqual(seen.lines(), ["-3/2", "0/1", "0/4", "1/5", "5/0", "5/3"]);
      }
    });

    it("C2 a priority changed while queued keeps the insertion order among its new equals; else NoSuchTaskError", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t);
      const gate = closedGate(directory);
      const [series] = kind.lanes;
      const lane = series === undefined ? {} : { series };
      const running = pool.run("hold", gate, { id: "running", ...lane });
      await started(running);
      pool.pause();
      const seen = witness(directory);
      const tasks = range(6).map((n) =>
        pool.run("record", { file: seen.file, line: `${n}` }, { id: n, priority: n % 3, ...lane }),
      );

      pool.setPriority(5, 0); // lowered
      pool.setPriority(0, 1); // raised
      pool.setPriority(1, 1); // the same
      tasks[2]?.setPriority(-1);
      for (const id of ["running", "unknown", 99]) assert.throws(() => pool.setPriority(id, 0), NoSuchTaskError);
      gate.open();
      await running;
      pool.resume();
      await Promise.all(tasks);

      assert.deepEqual(seen.lines(), ["2", "3", "5", "0", "1", "4"]);
      for (const id of ["running", 0]) assert.throws(() => pool.setPriority(id, 0), NoSuchTaskError);
    });

    it("C3 a deferred task keeps id and input, goes to the back of its priority, and settles when it completes", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const seen = witness(directory, series);
        pool.pause();
        const deferred = pool.run("defer", { file: seen.file, line: "d", times: 1 }, { id: `d ${series}`, series });
        const lowered = pool.run("defer", { file: seen.file, line: "l", times: 1, priority: 5 }, { series });
        const others = range(2).map((n) => pool.run("record", { file: seen.file, line: `${n}` }, { series }));
        const last = pool.run("record", { file: seen.file, line: "priority 5" }, { series, priority: 5 });
        pool.resume();

        assert.equal(await deferred, "d");
        assert.equal(deferred.id, `d ${series}`);
        await Promise.all([lowered, last, ...others]);
        const lines = seen.lines();
        assert.deepEqual(lines.slice(0, 2), ["d 1", "l 1"]);
        // By the time a deferral is known, what comes after it may be on its way already.
        const isBefore = (one: string, other: string): boolean => lines.indexOf(one) < lines.indexOf(other);
        assert.deepEqual(lines.toSorted(), ["0", "1", "d 1", "d 2", "l 1", "l 2", "priority 5"]);
        assert.ok(
          isBefore("0", "1") && isBefore("1", "d 2") && isBefore("d 2", "l 2") && isBefore("priority 5", "l 2"),
        );
      }
    });

    it("C3 a task deferred with delayMs waits without holding a worker", async (t) => {
      const seen = witness(scratch(t));
      const pool = kind.open(t);
      const deferred = pool.run("defer", { file: seen.file, line: "later", times: 1, delayMs: 400 });
      await seen.until(1);
      const at = performance.now();

      assert.deepEqual(await Promise.all(range(20).map((n) => pool.run("echo", n))), range(20));
      assert.deepEqual(seen.lines(), ["later 1"]);
      await deferred;

      assert.deepEqual(seen.lines(), ["later 1", "later 2"]);
      assert.ok(performance.now() - at >= 300, "it waited");
    });

    it("C4 pausing starts nothing new, lets running ones go on and accepts more; resuming goes on in order; workers stay", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t);
      await allUp(pool);
      const workers = pool.workers().map(({ id }) => id);
      const gate = closedGate(directory);
      const running = kind.lanes.map((series) => pool.run("hold", { gate: gate.gate, value: series }, { series }));
      await Promise.all(running.map(started));

      pool.pause();
      const runs = kind.lanes.map((series) => {
        const seen = witness(directory, series);
        return { seen, tasks: range(4).map((n) => pool.run("record", { file: seen.file, line: `${n}` }, { series })) };
      });
      gate.open();
      assert.deepEqual(await Promise.all(running), kind.lanes);
      assert.equal(pool.snapshot().queued, 4 * kind.lanes.length);
      for (const { seen } of runs) assert.deepEqual(seen.lines(), []);

      pool.resume();
      for (const { seen, tasks } of runs) {
        await Promise.all(tasks);
        assert.deepEqual(seen.lines(), ["0", "1", "2", "3"]);
      }
      assert.deepEqual(
        pool.workers().map(({ id }) => id),
        workers,
      );
    });

    it("C5 idle resolves when queue and workers are empty, deferred tasks included; for several callers; usable afterwards", async (t) => {
      const seen = witness(scratch(t));
      const pool = kind.open(t);
      const tasks = [
        ...range(30).map((n) => pool.run("echo", n)),
        pool.run("defer", { file: seen.file, line: "d", times: 2, delayMs: 20 }),
      ];

      await Promise.all([pool.idle(), pool.idle()]);

      assert.equal(seen.lines().length, 3);
      assert.deepEqual([pool.snapshot().queued, pool.snapshot().running], [0, 0]);
      await Promise.all<unknown>(tasks);
      assert.equal(await pool.run("echo", "usable"), "usable");
    });

    it("C6 a task that throws, whatever it throws, leaves its worker fit for the next", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const { workerId } = await pool.run("whoami", undefined, { series });
        for (const thrown of [
          "null",
          "undefined",
          "a string",
          "an Error",
          "a hostile Proxy",
          "a revoked Proxy",
          "a function",
        ]) {
          await rejection(pool.run("fail", thrown, { series }));
        }
        assert.equal((await pool.run("whoami", undefined, { series })).workerId, workerId);
      }
    });

    it("C7 resizing up, down partly, to zero and up again, under load, loses and repeats nothing", async (t) => {
      const seen = witness(scratch(t));
      const pool = kind.open(t);
      const times = settlements(pool);
      const tasks = range(300).map((n) => pool.run("record", { file: seen.file, line: `${n}` }));
      const backends = [...new Set(pool.workers().map(({ backend }) => backend))];

      for (const size of [2, 1, 0, 1, 2]) await Promise.all(backends.map((backend) => pool.resize(size, backend)));
      await Promise.all(tasks);

      assert.deepEqual(
        seen
          .lines()
          .map(Number)
          .toSorted((a, b) => a - b),
        range(300),
      );
      assertAllSettledOnce(pool, times, 300);
      assert.equal(pool.workers().length, 2 * backends.length);
    });

    it("C8 an id is free again once its task has settled", async (t) => {
      const pool = kind.open(t);

      for (const n of range(3)) assert.equal(await pool.run("echo", n, { id: "same" }), n);
      await rejection(pool.run("failIfOdd", 1, { id: "same" }));

      assert.equal(await pool.run("echo", "free", { id: "same" }), "free");
    });

    it("F1 results and errors reach the caller", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        assert.equal(await pool.run("double", 21, { series }), 42);
        assert.equal((await rejectionOf(RangeError, pool.run("failIfOdd", 7, { series }))).message, "7 is odd");
      }
    });

    it("F2 idle without workers or while paused waits, ends with its signal, with close and with terminate", async (t) => {
      const empty = kind.open(t, { size: 0 });
      const lost = rejectionOf(PoolClosedError, empty.run("echo", 1));
      const controller = new AbortController();
      const aborted = rejection(empty.idle({ signal: controller.signal }));
      controller.abort("waited enough");
      assert.equal(await aborted, "waited enough");
      const ended = empty.idle();
      await empty.close();
      await ended;
      await lost;

      const paused = kind.open(t);
      paused.pause();
      const gone = rejectionOf(PoolClosedError, paused.run("echo", 1));
      const terminated = rejectionOf(PoolClosedError, paused.idle());
      await paused.terminate();
      await terminated;
      await gone;
    });

    it("F3 work added from inside a task while somebody waits for idle runs, and idle waits for it", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = kind.open(t);
      const outer = pool.run("hold", gate);
      const inner = new Promise((resolve) => {
        void outer.onProgress(() => {
          resolve(pool.run("record", { file: seen.file, line: "inner" }));
          gate.open();
        });
      });

      await pool.idle();

      assert.deepEqual(seen.lines(), ["inner"]);
      await Promise.all([outer, inner]);
    });

    it("F4 terminating from inside a task ends the pool, and the task rejects", async (t) => {
      const pool = kind.open(t);
      const task = pool.run("obey", closedGate(scratch(t)));
      const terminated = new Promise((resolve) => task.onProgress(() => resolve(pool.terminate())));

      await rejectionOf(PoolClosedError, task);
      await terminated;

      assert.deepEqual(pool.workers(), []);
    });

    it("F5 a bad deferral fails its task and harms no worker", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const { workerId } = await pool.run("whoami", undefined, { series });
        await rejection(pool.run("deferBadly", undefined, { series }));
        assert.equal((await pool.run("whoami", undefined, { series })).workerId, workerId);
      }
    });

    it("F6 setting the same priority is no error", async (t) => {
      const pool = kind.open(t);
      pool.pause();
      const task = pool.run("echo", 1, { priority: 3 });

      task.setPriority(3);
      task.setPriority(3);
      pool.resume();

      assert.equal(await task, 1);
    });

    it("F7 a deferral without delay does not spin", async (t) => {
      const seen = witness(scratch(t));
      const pool = kind.open(t);
      const task = pool.run("defer", { file: seen.file, line: "d", times: 1_000_000 });
      const lost = rejection(task);
      await seen.until(1);
      await new Promise((resolve) => setTimeout(resolve, 200));

      task.cancel();

      await lost;
      assert.ok(seen.lines().length <= 400, `ran ${seen.lines().length} times in 200 ms`);
    });

    it("F8 a million changes of priority do not grow memory", async (t) => {
      const pool = kind.open(t, { size: 0 });
      const tasks = range(100).map((n) => pool.run("echo", n, { id: n }));
      for (const task of tasks) task.catch(() => {});
      const change = (times: number): void => {
        for (let n = 0; n < times; n += 1) pool.setPriority(n % 100, n % 7);
      };
      change(10_000);
      const before = await heapUsed();

      change(kind.lanes.length === 1 ? 1_000_000 : 100_000);

      const grown = (await heapUsed()) - before;
      assert.ok(grown < 2 ** 20, `the heap has grown by ${grown} bytes`);
    });
  });
}

describe("workerpool, what a task is told", () => {
  it("DeferTask says what it stands for", () => {
    const { priority, delayMs, name } = new DeferTask({ priority: 2, delayMs: 10 });

    assert.deepEqual({ priority, delayMs, name }, { priority: 2, delayMs: 10, name: "DeferTask" });
  });
});
