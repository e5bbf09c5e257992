// The capabilities of one queue over many kinds of workers, with series, aging, streams and updates; and its faults, which are none here.

import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  NotSerializableError,
  Pool,
  PoolClosedError,
  PoolError,
  TaskTimeoutError,
  WorkerLostError,
} from "../../src/index.ts";
import {
  allUp,
  closedGate,
  collect,
  it,
  nextEvent,
  range,
  rejection,
  rejectionOf,
  scratch,
  started,
  type Tasks,
  tasksModule,
  until,
  witness,
} from "../../src/testing/stage.ts";
import { subject as threads } from "../fixtures/subjects/threads.ts";
import { kinds } from "./kinds.ts";

for (const kind of kinds) {
  const deathly = kind.lanes.filter((series) => series !== "inline");

  describe(`asynqueue, over ${kind.name}`, () => {
    it("C1 one pool runs over all its workers at once", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = kind.open(t);
      const tasks = kind.lanes.map((value) => pool.run("hold", { gate: gate.gate, value }));

      await Promise.all(tasks.map(started));
      assert.deepEqual(
        pool.workers().map(({ state }) => state),
        kind.lanes.map(() => "busy"),
      );
      gate.open();

      assert.deepEqual(await Promise.all(tasks), kind.lanes);
    });

    it("C2 a task of a series waits for a worker qualified for it, runs nowhere else, and blocks no other", async (t) => {
      const pool = kind.open(t, { size: 2 });
      await allUp(pool);
      const workers = pool.workers();
      const chosen = workers.at(-1);
      assert.ok(chosen);
      const waiting = range(5).map(() => pool.run("whoami", undefined, { series: "special", priority: -1 }));

      assert.deepEqual(await Promise.all(range(20).map((n) => pool.run("echo", n))), range(20));
      assert.deepEqual(new Set(waiting.map(({ state }) => state)), new Set(["queued"]));
      pool.qualify(chosen.id, "special");
      pool.qualify(chosen.id, "another");

      assert.deepEqual(new Set((await Promise.all(waiting)).map(({ workerId }) => workerId)), new Set([chosen.id]));
      assert.equal((await pool.run("whoami", undefined, { series: "another" })).workerId, chosen.id);
    });

    it("C2 the kinds of workers are series of their own", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const { workerId, threadId, pid } = await pool.run("whoami", undefined, { series });
        assert.ok(
          pool
            .workers()
            .find(({ id }) => id === workerId)
            ?.series.includes(series),
        );
        assert.deepEqual([pid !== process.pid, threadId !== 0], [series === "process", series === "thread"]);
      }
      await pool.run("echo", 1, { series: "local" });
    });

    it("C3 a generator streams one by one, in order; an empty one ends at once; one that throws gives what came before", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        assert.deepEqual(await collect(pool.stream("count", 300, { series })), range(300));
        assert.deepEqual(await collect(pool.stream("nothing", undefined as never, { series })), []);
        const got: number[] = [];
        const error = await rejectionOf(
          RangeError,
          (async () => {
            for await (const value of pool.stream("countThenFail", 3, { series })) got.push(value);
          })(),
        );
        assert.deepEqual([got, error.message], [[0, 1, 2], "no more than 3"]);
      }
    });

    it("C3 a consumer that stops early stops the generator; a slow one starves no other task", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const seen = witness(directory, series);
        const iterator = pool.stream("countForEver", seen.file, { series })[Symbol.asyncIterator]();
        await iterator.next();

        assert.deepEqual(await Promise.all(range(5).map((n) => pool.run("echo", n, { series }))), range(5));
        assert.ok(seen.lines().length < 1_000);
        await iterator.return?.();

        await seen.has("finally");
      }
    });

    it("C4 broadcast reaches every present worker, and each later one before its first task", async (t) => {
      const seen = witness(scratch(t));
      const pool = kind.open(t);
      await allUp(pool);

      const results = await pool.broadcast("recordWorker", { file: seen.file, line: "update" });
      assert.deepEqual(
        results.map(({ workerId }) => workerId).toSorted(),
        pool
          .workers()
          .map(({ id }) => id)
          .toSorted(),
      );
      const backends = [...new Set(pool.workers().map(({ backend }) => backend))];
      await Promise.all(backends.map((backend) => pool.resize(2, backend)));
      await allUp(pool);
      await Promise.all(range(40).map(() => pool.run("recordWorker", { file: seen.file, line: "task" })));

      const lines = await seen.until(40 + 2 * kind.lanes.length);
      for (const { id } of pool.workers()) {
        assert.ok((lines.find((line) => line.endsWith(` ${id}`)) ?? "update").startsWith("update"), `first on ${id}`);
      }
      assert.equal(lines.filter((line) => line.startsWith("update")).length, 2 * kind.lanes.length);
    });

    it("C4 an ephemeral broadcast reaches only who is there", async (t) => {
      const seen = witness(scratch(t));
      const pool = kind.open(t);
      await allUp(pool);

      await pool.broadcast("recordWorker", { file: seen.file, line: "update" }, { ephemeral: true });
      await pool.resize(2, pool.workers()[0]?.backend);
      await allUp(pool);
      await Promise.all(range(20).map((n) => pool.run("echo", n)));

      assert.equal(seen.lines().length, kind.lanes.length);
    });

    it("C5 detach finishes what the worker has", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t, { size: 2 });
      for (const series of kind.lanes) {
        const gate = closedGate(directory);
        const task = pool.run("hold", { gate: gate.gate, value: series }, { series });
        await started(task);
        const busy = pool.workers().find(({ state }) => state === "busy");
        assert.ok(busy);

        const detached = pool.detach(busy.id);
        gate.open();

        assert.deepEqual(await detached, []);
        assert.deepEqual([await task, task.attempt], [series, 1]);
        assert.ok(!pool.workers().some(({ id }) => id === busy.id));
      }
    });

    for (const series of deathly) {
      it(`C5 with graceMs the worker is killed, and its tasks come back as a list or run elsewhere (${series})`, async (t) => {
        const directory = scratch(t);
        const pool = kind.open(t, { size: 2 });
        const lost = pool.run("hold", closedGate(directory), { series, id: "lost" });
        await started(lost);
        const rejected = rejectionOf(PoolError, lost);
        const first = pool.workers().find(({ state }) => state === "busy");
        assert.ok(first);
        const list = await pool.detach(first.id, { graceMs: 10 });
        assert.deepEqual(
          list.map(({ id }) => id),
          ["lost"],
        );
        await rejected;

        const another = kinds.find(({ lanes }) => lanes.length === 1 && lanes[0] === series);
        assert.ok(another);
        await pool.attach(another.backend());
        const gate = closedGate(directory);
        const kept = pool.run("hold", { gate: gate.gate, value: "kept" }, { series });
        await started(kept);
        const second = pool.workers().find(({ state }) => state === "busy");
        assert.ok(second);
        assert.deepEqual(await pool.detach(second.id, { graceMs: 10, reassign: true }), []);
        gate.open();
        assert.equal(await kept, "kept");
      });

      it(`C6 a worker that dies resigns: its task is tried again, it is replaced, nothing else notices (${series})`, async (t) => {
        const seen = witness(scratch(t));
        const pool = kind.open(t);
        await allUp(pool);
        const size = pool.workers().length;
        const others = range(100).map((n) => pool.run("echo", n));

        assert.equal(await pool.run("exitUntil", { file: seen.file, succeedOn: 2, code: 1 }, { series }), 2);

        assert.deepEqual(await Promise.all(others), range(100));
        await until(() => pool.workers().length === size, "the replacement");
        assert.equal((await rejectionOf(WorkerLostError, pool.run("exit", 1, { series }))).exitCode, 1);
        assert.equal(await pool.run("echo", "next", { series }), "next");
      });
    }

    it("C7 time at both ends and memory of each worker are there to read while it works", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = kind.open(t);
      await Promise.all(kind.lanes.map((series) => pool.run("spinFor", 5, { series })));
      const held = kind.lanes.map((series) => pool.run("hold", gate, { series }));
      await Promise.all(held.map(started));

      await until(() => pool.workers().every(({ memoryBytes = 0 }) => memoryBytes > 0), "the memory to be known");
      for (const { runMs, roundTripMs, state } of pool.workers()) {
        assert.ok(runMs >= 5 && roundTripMs >= 5, `${runMs} ms there, ${roundTripMs} ms here`);
        assert.equal(state, "busy");
      }
      gate.open();
      await Promise.all(held);
    });

    it("C8 a timeout counts from when the task starts, ends the work itself, and rejects with TaskTimeoutError", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const seen = witness(directory, series);
        const gate = closedGate(directory);
        await pool.run("echo", 0, { series });
        const held = pool.run("hold", gate, { series });
        await started(held);
        const waited = pool.run("echo", "ran", { series, timeoutMs: 600 });
        setTimeout(() => gate.open(), 700);
        assert.equal(await waited, "ran");

        await rejectionOf(
          TaskTimeoutError,
          pool.run("obey", { gate: closedGate(directory).gate, file: seen.file }, { series, timeoutMs: 20 }),
        );

        await seen.until(1);
      }
    });

    it("F1 a task of an unserved series stops neither others nor the shutdown", async (t) => {
      const pool = kind.open(t);
      const unserved = rejectionOf(PoolClosedError, pool.run("echo", 1, { series: "nobody" }));

      assert.equal(await pool.run("echo", 2), 2);
      await pool.close();

      await unserved;
    });

    for (const series of deathly) {
      it(`F2 the task after a worker's death runs (${series})`, async (t) => {
        const pool = kind.open(t);
        const down = nextEvent(pool, "workerDown");
        await pool.run("exitSoon", 1, { series });
        await down;

        assert.equal(await pool.run("echo", "alive", { series }), "alive");
      });
    }

    it("F3 a result that cannot be sent rejects, and the worker lives on", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes) {
        const { workerId } = await pool.run("whoami", undefined, { series });
        await rejectionOf(NotSerializableError, pool.run("give", "a function", { series }));
        assert.equal((await pool.run("whoami", undefined, { series })).workerId, workerId);
      }
    });

    it("F4 an error inside an iterator is not its end", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes)
        await rejectionOf(RangeError, collect(pool.stream("countThenFail", 0, { series })));
    });

    it("F5 cancelled, terminated and shut-down tasks settle", async (t) => {
      const pool = kind.open(t);
      const running = kind.lanes.map((series) => pool.run("obey", closedGate(scratch(t)), { series }));
      await Promise.all(running.map(started));
      const queued = range(3).map((n) => pool.run("echo", n));
      queued[0]?.cancel();
      const settled = Promise.all([...running, ...queued].map((task) => rejection(task)));

      await pool.terminate();

      assert.deepEqual(
        (await settled).map((error) => (error as PoolError).code),
        [...running.map(() => "ERR_POOL_CLOSED"), "ERR_TASK_CANCELLED", "ERR_POOL_CLOSED", "ERR_POOL_CLOSED"],
      );
    });

    it("F6 a late answer after a timeout is ignored", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t, { concurrency: 2 }, { abortGraceMs: 20_000 });
      for (const series of kind.lanes) {
        const gate = closedGate(directory);
        await rejectionOf(
          TaskTimeoutError,
          pool.run("hold", { gate: gate.gate, value: "late" }, { series, timeoutMs: 20 }),
        );
        gate.open();
        assert.deepEqual(await Promise.all(range(10).map((n) => pool.run("echo", n, { series }))), range(10));
      }
    });

    it("F7 nothing polls: an idle pool has no timer running", async (t) => {
      const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
      const before = timers();
      const pool = kind.open(t);
      await Promise.all(range(50).map((n) => pool.run("echo", n)));

      await until(() => timers() <= before, "the timers to be gone");
    });

    it("F8 an error is never a value, and stops no program", async (t) => {
      const pool = kind.open(t);
      for (const series of kind.lanes)
        assert.equal(await rejection(pool.run("fail", "a string", { series })), "just text");

      assert.equal(await pool.run("echo", "goes on"), "goes on");
    });

    it("niceness that ages: with agingMs a queued task gains priority by waiting", async (t) => {
      const directory = scratch(t);
      const pool = kind.open(t, {}, { agingMs: 5 });
      const [series = ""] = kind.lanes;
      const seen = witness(directory);
      await pool.run("echo", 0, { series });
      pool.pause();
      const old = pool.run("record", { file: seen.file, line: "old" }, { series, priority: 5 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      const young = pool.run("record", { file: seen.file, line: "young" }, { series, priority: 0 });

      pool.resume();
      await Promise.all([old, young]);

      assert.deepEqual(seen.lines(), ["old", "young"]);
    });
  });
}

describe("asynqueue, workers of several kinds", () => {
  it("C1 a faster worker gets more, about in proportion", async (t) => {
    const directory = scratch(t);
    const pool = new Pool<Tasks>([
      threads.open(tasksModule, { size: 1, series: ["slow"] }),
      threads.open(tasksModule, { size: 1 }),
    ]);
    t.after(() => pool.terminate());
    await allUp(pool);
    const [slow, fast] = pool.workers();
    assert.ok(slow && fast);
    const slowed = witness(directory);

    // The slow one has each of its tasks interrupted by one that only it may run and that takes three times as long.
    const extra = range(60).map((n) =>
      pool.run("recordSlowly", { file: slowed.file, line: `${n}`, ms: 6 }, { series: "slow", priority: -1 }),
    );
    const shared = range(60).map(() => pool.run("sleepHere", 2));
    const ran = await Promise.all(shared);
    await Promise.all(extra);

    const byFast = ran.filter((id) => id === fast.id).length;
    assert.ok(byFast > 40, `${byFast} of 60 ran on the worker that was free`);
  });
});
