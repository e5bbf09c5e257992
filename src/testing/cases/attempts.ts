// Law 3: once without faults; with faults at least once, bounded, and counted.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { PermanentError } from "../../worker/index.ts";
import {
  closedGate,
  eventsOf,
  it,
  nextEvent,
  openPool,
  range,
  rejection,
  rejectionOf,
  scratch,
  witness,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function attempts(subject: Subject): void {
  describe("law 3: a task runs once, or as often as its retries say", () => {
    it("runs each of a thousand tasks once, with attempt 1", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 2 });
      const settled = eventsOf(pool, "taskSettled");

      await Promise.all(range(1_000).map((n) => pool.run("record", { file: seen.file, line: `${n}` })));

      const ran = seen.lines().map(Number);
      assert.deepEqual(
        ran.toSorted((a, b) => a - b),
        range(1_000),
      );
      assert.deepEqual(new Set(settled.map(({ attempt }) => attempt)), new Set([1]));
    });

    it("does not retry what throws, if nothing is said", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject);

      const error = await rejectionOf(Error, pool.run("failUntil", { file: seen.file, succeedOn: 2 }));

      assert.equal(error.message, "failed on 1");
      assert.deepEqual(seen.lines(), ["1"]);
    });

    it("retries until it succeeds, and counts the attempts", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject);
      const retried = eventsOf(pool, "taskRetried");

      const task = pool.run(
        "failUntil",
        { file: seen.file, succeedOn: 3 },
        { retries: 5, retryDelayMs: 1, id: "again" },
      );

      assert.equal(await task, 3);
      assert.equal(task.attempt, 3);
      assert.deepEqual(seen.lines(), ["1", "2", "3"]);
      assert.deepEqual(
        retried.map(({ id, attempt }) => ({ id, attempt })),
        [
          { id: "again", attempt: 1 },
          { id: "again", attempt: 2 },
        ],
      );
    });

    it("gives up with the last error when the retries are used up", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { pool: { retries: 2, retryDelayMs: 1 } });

      const error = await rejectionOf(Error, pool.run("failUntil", { file: seen.file, succeedOn: 9 }));

      assert.equal(error.message, "failed on 3");
      assert.deepEqual(seen.lines(), ["1", "2", "3"]);
    });

    it("does not retry a PermanentError", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { pool: { retries: 5, retryDelayMs: 1 } });

      const error = await rejectionOf(PermanentError, pool.run("failForGood", { file: seen.file, line: "ran" }));

      assert.equal(error.message, "it will never work");
      assert.deepEqual(seen.lines(), ["ran"]);
    });

    it("waits longer before each retry, about doubling", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject);
      const retried = eventsOf(pool, "taskRetried");

      await rejection(pool.run("failUntil", { file: seen.file, succeedOn: 9 }, { retries: 4, retryDelayMs: 8 }));

      const delays = retried.map(({ delayMs }) => delayMs);
      assert.equal(delays.length, 4);
      delays.forEach((delayMs, n) => {
        const full = 8 * 2 ** n;
        assert.ok(delayMs > 0 && delayMs <= full * 1.5, `${delayMs} ms before retry ${n + 1} of a nominal ${full} ms`);
      });
    });

    it("charges a timeout against the retries", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { pool: { abortGraceMs: 10 } });
      const options = { retries: 1, retryDelayMs: 1, timeoutMs: 500 };

      // A backend that cannot kill has its first attempt still waiting at the gate when the second runs.
      assert.equal(await pool.run("sleepUntil", { file: seen.file, gate: gate.gate, succeedOn: 2 }, options), 2);

      gate.open();
      assert.deepEqual(seen.lines(), ["1", "2"]);
    });

    it("runs other tasks while one waits for its retry", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const failing = pool.run("failUntil", { file: seen.file, succeedOn: 2 }, { retries: 1, retryDelayMs: 500 });
      await nextEvent(pool, "taskRetried");

      assert.deepEqual(await Promise.all(range(10).map((n) => pool.run("echo", n))), range(10));

      assert.deepEqual(seen.lines(), ["1"]);
      assert.equal(await failing, 2);
    });

    it("costs no attempt of the retries when the worker says it is busy", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });

      const task = pool.run("beBusy", { file: seen.file, times: 3, retryAfterMs: 2 }, { retries: 0 });

      assert.equal(await task, 4);
      assert.deepEqual(seen.lines(), ["1", "2", "3", "4"]);
    });

    it("puts a deferred task at the back of the queue, with its id and input, charging nothing", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      pool.pause();
      const deferred = pool.run("defer", { file: seen.file, line: "deferred", times: 2 }, { id: "d", retries: 0 });
      const others = range(3).map((n) => pool.run("record", { file: seen.file, line: `${n}` }));

      pool.resume();

      assert.equal(await deferred, "deferred");
      await Promise.all(others);
      assert.equal(deferred.id, "d");
      assert.deepEqual(seen.lines(), ["deferred 1", "0", "1", "2", "deferred 2", "deferred 3"]);
    });

    it("a bad deferral is that task's own failure, and the worker lives on", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const [before] = (await pool.run("echo", 0), pool.workers());

      const outcome = await pool.run("deferBadly", undefined).then(
        () => "resolved",
        () => "rejected",
      );

      assert.equal(outcome, "rejected");
      assert.equal((await pool.run("whoami", undefined)).workerId, before?.id);
    });

    it("an id is free again once its task has settled", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const first = pool.run("hold", gate, { id: "once" });

      await rejectionOf(Error, pool.run("echo", 2, { id: "once" }));
      gate.open();
      await first;

      assert.equal(await pool.run("echo", 3, { id: "once" }), 3);
    });
  });
}
