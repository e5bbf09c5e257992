// Law 2: tasks start in (priority, insertion) order; what nobody serves blocks nobody.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { NoSuchTaskError } from "../../index.ts";
import { random, seed } from "../random.ts";
import { closedGate, it, openPool, range, scratch, started, until, witness } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function order(subject: Subject): void {
  describe("law 2: tasks start in the order of priority, then of insertion", () => {
    const seeded = seed();
    it(`with random priorities on one worker (seed ${seeded})`, async (t) => {
      const dice = random(seeded);
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      pool.pause();
      const entries = range(500).map((n) => ({ n, priority: dice.below(7) - 3 }));

      const tasks = entries.map(({ n, priority }) =>
        pool.run("record", { file: seen.file, line: `${priority}/${n}` }, { priority }),
      );
      pool.resume();
      await Promise.all(tasks);

      const expected = entries
        .toSorted((a, b) => a.priority - b.priority || a.n - b.n)
        .map(({ n, priority }) => `${priority}/${n}`);
      assert.deepEqual(seen.lines(), expected);
    });

    it("first in, first out, without exception, under load on one worker", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const tasks: Promise<string>[] = [];

      for (const n of range(300)) {
        tasks.push(pool.run("record", { file: seen.file, line: `${n}` }));
        if (n % 10 === 0) await pool.run("echo", n);
      }
      await Promise.all(tasks);

      assert.deepEqual(
        seen.lines(),
        range(300).map((n) => `${n}`),
      );
    });

    it("with −Infinity and Infinity as next and last", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      pool.pause();

      const tasks = [Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, -1_000, 0].map((priority) =>
        pool.run("record", { file: seen.file, line: `${priority}` }, { priority }),
      );
      pool.resume();
      await Promise.all(tasks);

      assert.deepEqual(seen.lines(), ["-Infinity", "-1000", "0", "1", "Infinity"]);
    });

    it("an urgent task waits behind no more than a few of many that were there before", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const crowd = range(100).map((n) => pool.run("recordSlowly", { file: seen.file, line: `${n}`, ms: 3 }));
      await seen.until(10);

      const before = seen.lines().length;
      await pool.run("record", { file: seen.file, line: "urgent" }, { priority: -1 });

      const position = seen.lines().indexOf("urgent");
      assert.ok(position - before <= 10, `${position - before} tasks came before the urgent one`);
      await Promise.all(crowd);
    });

    it("a long task does not hold short ones behind it while another worker is free", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      await Promise.all(range(50).map((n) => pool.run("echo", n)));
      const gate = closedGate(scratch(t));
      const long = pool.run("hold", gate);

      const short = range(200).map((n) => pool.run("echo", n));

      assert.deepEqual(await Promise.all(short), range(200));
      gate.open();
      await long;
    });

    it("serves twenty callers that each keep one task in flight on one worker in turn", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const served = range(20).map(() => 0);
      let furthestAhead = 0;

      await Promise.all(
        range(20).map(async (caller) => {
          for (const _ of range(50)) {
            await pool.run("echo", caller);
            served[caller] = (served[caller] ?? 0) + 1;
            furthestAhead = Math.max(furthestAhead, Math.max(...served) - Math.min(...served));
          }
        }),
      );

      assert.ok(furthestAhead <= 2, `one caller was ${furthestAhead} tasks ahead of another`);
    });

    it("a task of a series that nobody serves blocks nobody, and can be cancelled", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const nobody = pool.run("echo", "never", { series: "nobody", priority: -10 });
      nobody.catch(() => {});

      assert.deepEqual(await Promise.all(range(20).map((n) => pool.run("echo", n))), range(20));

      assert.equal(nobody.state, "queued");
      nobody.cancel();
      assert.equal(await nobody.catch(({ code }) => code), "ERR_TASK_CANCELLED");
    });

    it("a task of a series starts once a worker is qualified for it, live", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      await pool.run("echo", "up");
      const [worker] = pool.workers();
      assert.ok(worker);
      const special = pool.run("whoami", undefined, { series: "special" });

      pool.qualify(worker.id, "special");

      assert.equal((await special).workerId, worker.id);
      assert.ok(pool.workers()[0]?.series.includes("special"));
    });

    it("a task of a series its backend was opened for starts at once", async (t) => {
      const pool = openPool(t, subject, { series: ["blue", "green"] });

      assert.deepEqual(
        await Promise.all([pool.run("echo", 1, { series: "blue" }), pool.run("echo", 2, { series: "green" })]),
        [1, 2],
      );
    });

    it("a changed priority keeps the order of insertion among its new equals", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      pool.pause();
      const tasks = range(6).map((n) =>
        pool.run("record", { file: seen.file, line: `${n}` }, { id: n, priority: n % 2 }),
      );

      tasks[1]?.setPriority(0);
      pool.setPriority(4, 1);
      pool.setPriority(0, 0);
      tasks[5]?.setPriority(-1);
      pool.resume();
      await Promise.all(tasks);

      assert.deepEqual(seen.lines(), ["5", "0", "1", "2", "3", "4"]);
    });

    it("the priority of an unknown, running or finished task cannot be changed", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const gate = closedGate(scratch(t));
      const running = pool.run("hold", gate, { id: "running" });
      await started(running);

      assert.throws(() => pool.setPriority("nobody", 1), NoSuchTaskError);
      assert.throws(() => pool.setPriority("running", 1), NoSuchTaskError);
      assert.throws(() => running.setPriority(1), NoSuchTaskError);
      gate.open();
      await running;
      assert.throws(() => pool.setPriority("running", 1), NoSuchTaskError);
    });

    it("what was sent ahead to a busy worker still counts as queued", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      // Short tasks first, so that the pool has reason to send ahead.
      await Promise.all(range(100).map((n) => pool.run("echo", n)));
      const gate = closedGate(scratch(t));
      const held = pool.run("hold", gate);
      const behind = range(5).map((n) => pool.run("record", { file: seen.file, line: `${n}` }, { id: n }));
      const settled = Promise.allSettled(behind);
      await started(held);

      behind[4]?.setPriority(-1);
      pool.cancel(2, "not needed");
      assert.equal(pool.snapshot().queued, 4);
      await until(() => pool.workers()[0]?.sentAhead === 0, "what waits behind a long task to be taken back");
      gate.open();
      await held;

      assert.deepEqual(
        (await settled).map(({ status }) => status),
        ["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"],
      );
      assert.deepEqual(seen.lines(), ["4", "0", "1", "3"]);
    });
  });
}
