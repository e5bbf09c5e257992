// The workers of a pool: seen, resized, joined and left.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { PoolError } from "../../index.ts";
import {
  allUp,
  closedGate,
  it,
  openPool,
  range,
  rejectionOf,
  scratch,
  started,
  tasksModule,
  until,
  witness,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function workers(subject: Subject): void {
  const { traits } = subject;
  const numberOf = (id: string): number => Number(/(\d+)$/.exec(id)?.[1]);

  describe("workers()", () => {
    it("says what every worker is and has done", async (t) => {
      const pool = openPool(t, subject, { size: 1, pool: { name: "hands" } });
      for (const n of range(3)) await pool.run("spinFor", n);
      await rejectionOf(RangeError, pool.run("failIfOdd", 1));

      const [worker] = pool.workers();

      assert.ok(worker);
      assert.equal(worker.id.startsWith("hands"), true);
      assert.deepEqual(
        {
          state: worker.state,
          running: worker.running,
          done: worker.done,
          failed: worker.failed,
          capacity: worker.capacity,
        },
        { state: "idle", running: 0, done: 3, failed: 1, capacity: 1 },
      );
      assert.ok(worker.runMs >= 3, `runMs ${worker.runMs}`);
      assert.ok(worker.roundTripMs > 0);
      assert.ok(worker.tasks.includes("echo") && !worker.tasks.includes("notATask"));
      assert.equal(typeof worker.startedAt, "number");
      if (traits.ownProcess) assert.equal(worker.pid, (await pool.run("whoami", undefined)).pid);
    });

    it("says what works and what rests", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 2 });
      await allUp(pool);
      const held = pool.run("hold", gate);
      await started(held);

      assert.deepEqual(
        pool
          .workers()
          .map(({ state }) => state)
          .toSorted(),
        ["busy", "idle"],
      );
      gate.open();
      await held;
    });

    if (traits.runsJavaScript !== false)
      it("has the memory of a worker while it works", async (t) => {
        const gate = closedGate(scratch(t));
        const pool = openPool(t, subject, { size: 1 });
        await pool.run("echo", 1);
        const held = pool.run("hold", gate);
        await started(held);

        await until(() => (pool.workers()[0]?.memoryBytes ?? 0) > 1_000_000, "the worker's memory to be known");
        gate.open();
        await held;
      });

    it("is plain data", async (t) => {
      const pool = openPool(t, subject);
      await pool.run("echo", 1);

      assert.deepEqual(structuredClone(pool.workers()), pool.workers());
      assert.deepEqual(structuredClone(pool.snapshot()), pool.snapshot());
    });
  });

  describe("a backend's traits", () => {
    it("are what the suite was told", () => {
      const backend = subject.open(tasksModule, {});
      const { canKill, sharesMemory, transfers, losesWorkers, capturesOutput } = traits;
      const told = { canKill, sharesMemory, transfers, losesWorkers, capturesOutput };

      const own = Object.keys(told).map((name) => [name, backend.traits[name as keyof typeof told]]);

      assert.deepEqual(Object.fromEntries(own), told);
      assert.equal(!backend.traits.roomVaries, traits.startsWorkers);
    });
  });

  if (traits.startsWorkers) {
    describe("resize", () => {
      it("starts all workers at once, and lists them before they are up", (t) => {
        const pool = openPool(t, subject, { size: 3 });

        assert.deepEqual(
          pool.workers().map(({ state }) => state),
          ["starting", "starting", "starting"],
        );
      });

      it("grows: more tasks at once", async (t) => {
        const directory = scratch(t);
        const gate = closedGate(directory);
        const pool = openPool(t, subject, { size: 1 });

        await pool.resize(3);

        const tasks = range(3).map((n) => pool.run("hold", { gate: gate.gate, value: n }));
        await Promise.all(tasks.map(started));
        assert.equal(pool.workers().length, 3);
        gate.open();
        await Promise.all(tasks);
      });

      it("shrinks, partly: a worker finishes what it has", async (t) => {
        const directory = scratch(t);
        const gate = closedGate(directory);
        const pool = openPool(t, subject, { size: 3 });
        const tasks = range(3).map((n) => pool.run("hold", { gate: gate.gate, value: n }));
        await Promise.all(tasks.map(started));

        const resized = pool.resize(2);
        gate.open();
        await resized;

        assert.deepEqual(await Promise.all(tasks), [0, 1, 2]);
        assert.deepEqual(
          tasks.map(({ attempt }) => attempt),
          [1, 1, 1],
        );
        assert.equal(pool.workers().length, 2);
      });

      it("to none: what runs ends, what is queued stays and runs after a later resize", async (t) => {
        const directory = scratch(t);
        const seen = witness(directory);
        const gate = closedGate(directory);
        const pool = openPool(t, subject, { size: 1 });
        const held = pool.run("hold", { gate: gate.gate, value: "held" });
        await started(held);
        const queued = range(3).map((n) => pool.run("record", { file: seen.file, line: `${n}` }));

        const resized = pool.resize(0);
        gate.open();
        await resized;

        assert.equal(await held, "held");
        assert.deepEqual(pool.workers(), []);
        assert.deepEqual([pool.snapshot().queued, seen.lines()], [3, []]);
        await pool.resize(2);
        assert.deepEqual(await Promise.all(queued), ["0", "1", "2"]);
      });

      it("up and down under load loses and repeats nothing", async (t) => {
        const seen = witness(scratch(t));
        const pool = openPool(t, subject, { size: 2 });
        const tasks = range(400).map((n) => pool.run("record", { file: seen.file, line: `${n}` }));

        for (const size of [3, 1, 0, 2, 1, 3]) await pool.resize(size);
        await Promise.all(tasks);

        assert.deepEqual(
          seen
            .lines()
            .map(Number)
            .toSorted((a, b) => a - b),
          range(400),
        );
        assert.deepEqual(new Set(tasks.map(({ attempt }) => attempt)), new Set([1]));
      });

      it("never gives a worker's number again", async (t) => {
        const pool = openPool(t, subject, { size: 2 });
        await allUp(pool);
        const before = pool.workers().map(({ id }) => numberOf(id));
        assert.deepEqual(before, [1, 2]);

        await pool.resize(0);
        await pool.resize(2);

        assert.deepEqual(
          pool.workers().map(({ id }) => numberOf(id)),
          [3, 4],
        );
      });

      it("a pool that grows with demand starts with its least and shrinks when idle", async (t) => {
        const directory = scratch(t);
        const gate = closedGate(directory);
        const pool = openPool(t, subject, { size: { min: 0, max: 2, idleMs: 30 } });
        assert.deepEqual(pool.workers(), []);

        const tasks = range(2).map((n) => pool.run("hold", { gate: gate.gate, value: n }));
        await Promise.all(tasks.map(started));
        assert.equal(pool.workers().length, 2);
        gate.open();

        assert.deepEqual(await Promise.all(tasks), [0, 1]);
        await until(() => pool.workers().length === 0, "the workers to leave");
        assert.equal(await pool.run("echo", "again"), "again");
      });

      it("a worker that is about to leave for idleness takes no task with it", async (t) => {
        const pool = openPool(t, subject, { size: { min: 0, max: 1, idleMs: 1 } });

        for (const n of range(6)) {
          assert.equal(await pool.run("echo", n), n);
          // From just before the worker leaves to just after.
          await new Promise((resolve) => setTimeout(resolve, n));
        }
        assert.deepEqual(pool.snapshot().failed, 0);
      });
    });
  }

  if (traits.recycles) {
    describe("recycling", () => {
      it("replaces a worker after so many tasks, and no task notices", async (t) => {
        const pool = openPool(t, subject, { size: 1, maxTasks: 5 });

        const tasks = range(20).map(() => pool.run("whoami", undefined));
        const ids = (await Promise.all(tasks)).map(({ workerId }) => workerId);

        assert.equal(new Set(ids).size, 4);
        for (const id of new Set(ids)) assert.equal(ids.filter((one) => one === id).length, 5);
        assert.deepEqual(new Set(tasks.map(({ attempt }) => attempt)), new Set([1]));
      });
    });
  }

  describe("attach, detach, qualify", () => {
    it("a backend attached live serves tasks, and one detached leaves its tasks to the rest", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      await pool.run("echo", 1);
      const options = { series: ["late"] };
      const id = await pool.attach(subject.open(tasksModule, traits.startsWorkers ? { size: 1, ...options } : options));

      const there = await pool.run("whoami", undefined, { series: "late" });

      assert.ok(pool.workers().some((worker) => worker.id === there.workerId && worker.backend === id));
      assert.deepEqual(await pool.detach(id), []);
      assert.deepEqual(
        pool.workers().filter(({ backend }) => backend === id),
        [],
      );
      assert.equal(await pool.run("echo", "still"), "still");
    });

    it("a detached worker finishes what it has", async (t) => {
      const directory = scratch(t);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 2 });
      const held = pool.run("hold", { gate: gate.gate, value: "finished" });
      await started(held);
      const busy = pool.workers().find(({ state }) => state === "busy");
      assert.ok(busy);

      const detached = pool.detach(busy.id);
      assert.deepEqual(await Promise.all(range(20).map((n) => pool.run("echo", n))), range(20));
      gate.open();

      assert.deepEqual(await detached, []);
      assert.equal(await held, "finished");
      assert.equal(held.attempt, 1);
      assert.ok(!pool.workers().some(({ id }) => id === busy.id));
    });

    if (traits.canKill) {
      it("after its grace a detached worker is killed, and the unfinished come back as a list", async (t) => {
        const directory = scratch(t);
        const pool = openPool(t, subject, { size: 1 });
        const held = pool.run("hold", closedGate(directory), { id: "unfinished" });
        await started(held);
        const [worker] = pool.workers();
        assert.ok(worker);
        const lost = rejectionOf(PoolError, held);

        const list = await pool.detach(worker.id, { graceMs: 20 });

        assert.deepEqual(
          list.map(({ id }) => id),
          ["unfinished"],
        );
        await lost;
      });

      for (const how of [{ graceMs: 20 }, { kill: true }]) {
        it(`with reassign (${Object.keys(how).join()}) the unfinished run elsewhere and settle as usual`, async (t) => {
          const directory = scratch(t);
          const gate = closedGate(directory);
          const pool = openPool(t, subject, { size: 2 });
          const held = pool.run("hold", { gate: gate.gate, value: "elsewhere" });
          await started(held);
          const busy = pool.workers().find(({ state }) => state === "busy");
          assert.ok(busy);

          assert.deepEqual(await pool.detach(busy.id, { ...how, reassign: true }), []);
          gate.open();

          assert.equal(await held, "elsewhere");
          assert.equal(held.attempt, 2);
        });
      }
    }

    it("an unknown worker cannot be qualified or detached", async (t) => {
      const pool = openPool(t, subject);

      assert.throws(() => pool.qualify("nobody", "series"), PoolError);
      await rejectionOf(PoolError, pool.detach("nobody"));
    });
  });
}
