// Generators in a worker: streamed back one by one, in order, with back-pressure.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { NotSerializableError } from "../../index.ts";
import {
  closedGate,
  collect,
  it,
  openPool,
  range,
  rejection,
  rejectionOf,
  scratch,
  sharedPool,
  started,
  until,
  witness,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function streams(subject: Subject): void {
  describe("a generator task streams its values", () => {
    const shared = sharedPool(subject);

    for (const name of ["count", "countAtOnce"] as const) {
      it(`in order, one by one: ${name}`, async () => {
        assert.deepEqual(await collect(shared().stream(name, 500)), range(500));
      });
    }

    it("an empty one ends at once", async () => {
      assert.deepEqual(await collect(shared().stream("nothing", undefined as never)), []);
    });

    it("one that throws half-way gives what came before, and then the error", async () => {
      const pool = shared();
      const got: number[] = [];

      const error = await rejectionOf(
        RangeError,
        (async () => {
          for await (const value of pool.stream("countThenFail", 5)) got.push(value);
        })(),
      );

      assert.equal(error.message, "no more than 5");
      assert.deepEqual(got, range(5));
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("one that yields what cannot be cloned gives what came before, and then NotSerializableError", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const got: unknown[] = [];

      await rejectionOf(
        NotSerializableError,
        (async () => {
          for await (const value of pool.stream("yieldSpecimen", "a function")) got.push(value);
        })(),
      );

      assert.deepEqual(got, ["first"]);
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("each value as it was when it was yielded", async () => {
      assert.deepEqual(
        await collect(shared().stream("yieldKept", 50)),
        range(50).map((n) => ({ n })),
      );
    });

    it("progress comes before the value it was told before", async () => {
      const pool = shared();
      const seen: string[] = [];
      pool.on("progress", ({ value }) => void seen.push(`progress ${value}`));

      for await (const value of pool.stream("reportAndYield", 5)) {
        assert.ok(seen.includes(`progress ${value}`));
        seen.push(`value ${value}`);
      }
    });

    for (const name of ["countForEver", "countAtOnceForEver"] as const) {
      it(`break stops the generator in the worker, and its finally runs: ${name}`, async (t) => {
        const seen = witness(scratch(t));
        const pool = openPool(t, subject, { size: 1 });
        const got: number[] = [];

        for await (const value of pool.stream(name, seen.file)) {
          got.push(value);
          if (got.length === 10) break;
        }

        assert.deepEqual(got, range(10));
        await seen.has("finally");
        assert.equal(await pool.run("echo", "next"), "next");
        await pool.idle();
        assert.equal(pool.snapshot().failed, 0);
      });
    }

    it("a consumer that does not take holds the generator back", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1, concurrency: 2 });
      const iterator = pool.stream("countForEver", seen.file)[Symbol.asyncIterator]();
      for (const n of range(3)) assert.deepEqual(await iterator.next(), { done: false, value: n });

      // A neighbour's round trips give the generator every chance to run ahead.
      for (const n of range(50)) await pool.run("echo", n);

      assert.ok(seen.lines().length < 1_000, `${seen.lines().length} values made for 3 taken`);
      const made = seen.lines().length;
      for (const n of range(50)) await pool.run("echo", n);
      assert.equal(seen.lines().length, made);
      await iterator.return?.();
      await seen.has("finally");
    });

    it("a slow consumer does not starve the other tasks of the same worker", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const iterator = pool.stream("countForEver", seen.file)[Symbol.asyncIterator]();
      await iterator.next();

      assert.deepEqual(await Promise.all(range(10).map((n) => pool.run("echo", n))), range(10));

      assert.deepEqual(await iterator.next(), { done: false, value: 1 });
      await iterator.return?.();
    });

    it("many streams at once, each its own values", async (t) => {
      const pool = openPool(t, subject, { size: 2 });

      assert.deepEqual(
        await Promise.all(range(6).map((n) => collect(pool.stream("count", 50 + n)))),
        range(6).map((n) => range(50 + n)),
      );
    });

    it("an aborted signal ends it with the signal's reason, and stops the generator", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const controller = new AbortController();
      const reason = { enough: true };

      const error = await rejection(
        (async () => {
          for await (const value of pool.stream("countForEver", seen.file, { signal: controller.signal })) {
            if (value === 3) controller.abort(reason);
          }
        })(),
      );

      assert.equal(error, reason);
      await seen.has("finally");
    });

    it("run on a generator task gives its values as an array", async () => {
      const pool = shared();

      assert.deepEqual(await pool.run("count", 40), range(40));
      assert.deepEqual(await pool.run("countAtOnce", 40), range(40));
      assert.equal((await rejectionOf(RangeError, pool.run("countThenFail", 2))).message, "no more than 2");
    });

    it("stream on a plain task gives its one value", async () => {
      const pool = shared();

      assert.deepEqual(await collect(pool.stream("double", 4)), [8]);
      assert.equal((await rejectionOf(RangeError, collect(pool.stream("failIfOdd", 3)))).message, "3 is odd");
    });

    it("a stream that is never read holds nobody up for ever", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const stream = pool.stream("count", 5);
      const held = pool.run("hold", gate);
      await started(held);
      gate.open();
      await held;

      assert.deepEqual(await collect(stream), range(5));
      await until(() => pool.snapshot().running === 0, "the pool to be idle");
    });
  });
}
