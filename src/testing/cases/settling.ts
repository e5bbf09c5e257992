// Law 1: every accepted task settles exactly once.

import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  NotSerializableError,
  PoolClosedError,
  TaskCancelledError,
  TaskTimeoutError,
  WorkerLostError,
} from "../../index.ts";
import { random, seed } from "../random.ts";
import {
  assertAllSettledOnce,
  assertIs,
  closedGate,
  type ErrorClass,
  it,
  needs,
  openPool,
  range,
  rejectionOf,
  scratch,
  settlements,
  started,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function settling(subject: Subject): void {
  const { traits } = subject;

  describe("law 1: every accepted task settles exactly once", () => {
    it("as values and errors, each with its own", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      const times = settlements(pool);

      const settled = await Promise.allSettled(range(300).map((n) => pool.run("failIfOdd", n)));

      settled.forEach((outcome, n) => {
        if (n % 2 === 0) assert.deepEqual(outcome, { status: "fulfilled", value: n });
        else assert.equal(outcome.status === "rejected" && outcome.reason.message, `${n} is odd`);
      });
      assertAllSettledOnce(pool, times, 300);
      assert.deepEqual({ done: pool.snapshot().done, failed: pool.snapshot().failed }, { done: 150, failed: 150 });
    });

    it("when its input cannot be cloned, and loses no place by it", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      for (const input of [() => 1, Symbol("s"), new WeakMap(), { deep: [() => 1] }]) {
        await rejectionOf(NotSerializableError, pool.run("echo", input));
      }

      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("when one input among many cannot be cloned, and the others do not notice", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      const settled = await Promise.allSettled(range(20).map((n) => pool.run("echo", n === 7 ? () => n : n)));

      settled.forEach((outcome, n) => {
        if (n !== 7) assert.deepEqual(outcome, { status: "fulfilled", value: n });
        else assertIs(NotSerializableError, outcome.status === "rejected" && outcome.reason);
      });
    });

    it("when its result cannot be cloned, and the worker lives on", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      await pool.run("echo", 0);
      const [before] = pool.workers();

      for (const specimen of [
        "a function",
        "a symbol",
        "a WeakMap",
        "an object with a function deep inside",
        "a getter that throws",
      ]) {
        await rejectionOf(NotSerializableError, pool.run("give", specimen));
        assert.equal(await pool.run("echo", specimen), specimen);
      }

      assert.deepEqual(
        pool.workers().map(({ id }) => id),
        [before?.id],
      );
    });

    it("when a result of many in one message cannot be cloned", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      const settled = await Promise.allSettled(range(20).map((n) => pool.run("give", n === 7 ? "a function" : "true")));

      assert.deepEqual(
        settled.map(({ status }) => status),
        range(20).map((n) => (n === 7 ? "rejected" : "fulfilled")),
      );
    });

    it("when the pool closes in the middle: with its value", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      const times = settlements(pool);
      const tasks = range(100).map((n) => pool.run("double", n));

      await pool.close();

      assert.deepEqual(
        await Promise.all(tasks),
        range(100).map((n) => n * 2),
      );
      assertAllSettledOnce(pool, times, 100);
    });

    it("when the pool is terminated in the middle: with a value or PoolClosedError", async (t) => {
      const directory = scratch(t);
      const pool = openPool(t, subject, { size: 2 });
      const times = settlements(pool);
      const held = pool.run("hold", closedGate(directory));
      const hasStarted = started(held);
      const finished = await pool.run("echo", "before");
      await hasStarted;
      const waiting = [held, ...range(20).map(() => pool.run("hold", closedGate(directory)))];

      const settled = Promise.allSettled(waiting);
      await pool.terminate();

      for (const outcome of await settled) assertIs(PoolClosedError, outcome.status === "rejected" && outcome.reason);
      assert.equal(finished, "before");
      assertAllSettledOnce(pool, times, 22);
    });

    it("when the pool is terminated before its workers are up", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      const tasks = Promise.allSettled(range(10).map((n) => pool.run("echo", n)));

      await pool.terminate();

      for (const outcome of await tasks) assertIs(PoolClosedError, outcome.status === "rejected" && outcome.reason);
    });

    const seeded = seed();
    it(`whatever is done to it, in random order (seed ${seeded})`, async (t) => {
      const dice = random(seeded);
      const directory = scratch(t);
      needs(subject, "echo", "failIfOdd", "hold", "obey", "exit");
      const pool = openPool(t, subject, { size: 3, pool: { abortGraceMs: 10 } });
      const times = settlements(pool);
      const wanted: Promise<void>[] = [];
      const expectValue = (task: PromiseLike<unknown>, value: unknown): void => {
        wanted.push(Promise.resolve(task).then((got) => assert.deepEqual(got, value)));
      };
      const expectError = (task: PromiseLike<unknown>, kind: ErrorClass<Error>): void => {
        wanted.push(rejectionOf(kind, task).then(() => {}));
      };
      let exits = 3;

      const acts = range(300);
      for (const n of acts) {
        const what = dice.below(100);
        if (what < 60) expectValue(pool.run("echo", { n }), { n });
        else if (what < 70) {
          wanted.push(
            rejectionOf(RangeError, pool.run("failIfOdd", n * 2 + 1)).then(({ message }) =>
              assert.equal(message, `${n * 2 + 1} is odd`),
            ),
          );
        } else if (what < 78)
          expectError(pool.run("obey", closedGate(directory), { timeoutMs: 1 + dice.below(5) }), TaskTimeoutError);
        else if (what < 86) {
          const task = pool.run("obey", closedGate(directory));
          expectError(task, TaskCancelledError);
          setTimeout(() => task.cancel("by chance"), dice.below(10));
        } else if (what < 94) {
          const file = `${directory}/again-${n}`;
          // An attempt whose worker is lost beside it is repeated, uncharged.
          const again = pool.run("failUntil", { file, succeedOn: 2 }, { retries: 1, retryDelayMs: 1 });
          wanted.push(again.then((attempt) => assert.ok(traits.losesWorkers ? attempt >= 2 : attempt === 2)));
        } else if (traits.losesWorkers && exits > 0) {
          exits -= 1;
          expectError(pool.run("exit", 3, { retries: 0 }), WorkerLostError);
        } else expectValue(pool.run("promised", n), n + 1);
      }

      await Promise.all(wanted);
      await pool.idle();
      assertAllSettledOnce(pool, times, acts.length);
    });
  });
}
