// Law 5: no result reaches another task, and no two tasks share an object.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { TaskCancelledError, TaskTimeoutError } from "../../index.ts";
import {
  assertAllSettledOnce,
  closedGate,
  it,
  openPool,
  range,
  rejectionOf,
  scratch,
  settlements,
  started,
  subdirectory,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function isolation(subject: Subject): void {
  const { traits } = subject;

  describe("law 5: every result is its own task's, and no object is shared", () => {
    it("gives each of a thousand tasks its own answer", async (t) => {
      const pool = openPool(t, subject, { size: 2 });

      const results = await Promise.all(range(1_000).map((n) => pool.run("echo", { n, text: `task ${n}` })));

      assert.deepEqual(
        results,
        range(1_000).map((n) => ({ n, text: `task ${n}` })),
      );
    });

    it("two tasks given the same object in one message get one each", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const box = { n: 0 };

      const counts = await Promise.all(range(10).map(() => pool.run("mutate", box)));

      assert.deepEqual(
        counts,
        range(10).map(() => 1),
      );
      assert.deepEqual(box, { n: 0 });
    });

    if (traits.clonesStructurally) {
      it("two tasks given the same object in one message get one each, where it is more than plain data", async (t) => {
        const pool = openPool(t, subject, { size: 1 });
        const box = { n: 0, tags: new Map([["a", 1]]) };

        const counts = await Promise.all(range(10).map(() => pool.run("mutate", box)));

        assert.deepEqual(
          counts,
          range(10).map(() => 1),
        );
      });
    }

    it("two items of a map that are the same object get one each", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const box = { n: 0 };

      assert.deepEqual(
        await pool.map(
          "mutate",
          range(20).map(() => box),
          { chunkSize: 10 },
        ),
        range(20).map(() => 1),
      );
      assert.deepEqual(box, { n: 0 });
    });

    it("two results that are the same object in the worker are two here", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      const results = await Promise.all(range(10).map(() => pool.run("giveKept", undefined as never)));
      const mapped = await pool.map("giveKept", range(10) as never[], { chunkSize: 5 });
      for (const result of [...results, ...mapped]) result.list.push(4);

      for (const result of [...results, ...mapped]) assert.deepEqual(result, { list: [1, 2, 3, 4] });
      assert.deepEqual(await pool.run("giveKept", undefined as never), { list: [1, 2, 3] });
    });

    it("a later change of an input is not seen in the result", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const input = { list: [1] };

      const result = (await pool.run("echo", input)) as { list: number[] };
      result.list.push(2);

      assert.deepEqual(input, { list: [1] });
    });

    it("the late answer of a task that timed out is ignored", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 1, concurrency: 2, pool: { abortGraceMs: 20_000 } });
      const times = settlements(pool);
      const late = pool.run("hold", { gate: gate.gate, value: "late" }, { timeoutMs: 30 });
      const error = rejectionOf(TaskTimeoutError, late);
      await started(late).catch(() => {});

      // Opens while the aborted task still runs, so that it answers after its time.
      setTimeout(() => gate.open(), 60);

      assert.equal((await error).code, "ERR_TASK_TIMEOUT");
      assert.deepEqual(await Promise.all(range(20).map((n) => pool.run("echo", n))), range(20));
      assertAllSettledOnce(pool, times, 21);
    });

    it("runs as many tasks at once in a worker as its concurrency says", async (t) => {
      const directory = subdirectory(scratch(t), "meeting");
      const pool = openPool(t, subject, { size: 1, concurrency: 3 });

      assert.deepEqual(
        await Promise.all(["a", "b", "c"].map((me) => pool.run("meet", { dir: directory, me, count: 3 }))),
        ["a", "b", "c"],
      );
    });

    it("a cancel hits its own task, and no neighbour on the same worker", async (t) => {
      const directory = scratch(t);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1, concurrency: 3 });
      const tasks = range(3).map((n) => pool.run("obey", { gate: gate.gate, value: n }));
      await Promise.all(tasks.map(started));

      tasks[1]?.cancel("only this one");
      await rejectionOf(TaskCancelledError, tasks[1] as PromiseLike<unknown>);
      gate.open();

      assert.deepEqual([await tasks[0], await tasks[2]], [0, 2]);
      assert.deepEqual([tasks[0]?.attempt, tasks[2]?.attempt], [1, 1]);
    });

    if (traits.canKill) {
      for (const count of [1, 2]) {
        it(`a kill for one task's timeout sends its neighbours (${count}) again, charging them nothing`, async (t) => {
          const gate = closedGate(scratch(t));
          const pool = openPool(t, subject, {
            size: 1,
            concurrency: count + 1,
            pool: { abortGraceMs: 10, retries: 0 },
          });
          const neighbours = range(count).map((n) => pool.run("hold", { gate: gate.gate, value: n }));
          await Promise.all(neighbours.map(started));

          await rejectionOf(TaskTimeoutError, pool.run("spinLater", undefined, { timeoutMs: 50 }));
          gate.open();

          assert.deepEqual(await Promise.all(neighbours), range(count));
          assert.deepEqual(
            neighbours.map(({ attempt }) => attempt),
            range(count).map(() => 2),
          );
        });
      }
    }
  });
}
