// `map` and `imap`, with law 6: a lazy map reads at most what was taken and the window.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { TaskTimeoutError } from "../../index.ts";
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

/** A source that counts what was read from it and knows when it was closed. */
class Source {
  pulled = 0;
  isClosed = false;
  *[Symbol.iterator](): Generator<number> {
    try {
      for (;;) {
        this.pulled += 1;
        yield this.pulled - 1;
      }
    } finally {
      this.isClosed = true;
    }
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    yield* this[Symbol.iterator]();
  }
  /** Without the async form. */
  plain(): Iterable<number> {
    return { [Symbol.iterator]: () => this[Symbol.iterator]() };
  }
  async(): AsyncIterable<number> {
    return { [Symbol.asyncIterator]: () => this[Symbol.asyncIterator]() };
  }
}

export function maps(subject: Subject): void {
  describe("map", () => {
    const shared = sharedPool(subject, { size: 2 });

    it("gives every result in the order of the inputs", async () => {
      const pool = shared();

      assert.deepEqual(
        await pool.map("double", range(1_000)),
        range(1_000).map((n) => n * 2),
      );
    });

    for (const chunkSize of [1, 7, 100, "auto"] as const) {
      it(`gives the same with chunks of ${chunkSize}`, async () => {
        const pool = shared();

        assert.deepEqual(
          await pool.map("double", range(250), { chunkSize }),
          range(250).map((n) => n * 2),
        );
      });
    }

    it("takes a generator, an async generator, a Set, and nothing at all", async () => {
      const pool = shared();
      function* numbers(): Generator<number> {
        yield* [1, 2, 3];
      }
      async function* asyncNumbers(): AsyncGenerator<number> {
        yield* numbers();
      }

      assert.deepEqual(await pool.map("double", numbers()), [2, 4, 6]);
      assert.deepEqual(await pool.map("double", asyncNumbers()), [2, 4, 6]);
      assert.deepEqual(await pool.map("double", new Set([1, 2, 3])), [2, 4, 6]);
      assert.deepEqual(await pool.map("double", []), []);
    });

    it("rejects with the first failure, untouched, and says which item it was", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      const error = await rejectionOf(RangeError, pool.map("failIfOdd", [0, 2, 4, 7, 8], { chunkSize: 1 }));

      assert.equal(error.message, "7 is odd");
      assert.equal((error as { taskIndex?: number }).taskIndex, 3);
      assert.ok(!Object.keys(error).includes("taskIndex"));
    });

    it("cancels what has not started when one item fails, and the pool is idle after", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const items = range(5_000).map((n) => ({ file: seen.file, succeedOn: n === 3 ? 9 : 1 }));

      await rejectionOf(Error, pool.map("failUntil", items, { chunkSize: 1 }));
      await pool.idle();

      assert.ok(seen.lines().length < 2_500, `${seen.lines().length} of 5000 ran`);
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("runs nothing more of a chunk when one of its items takes too long", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1, pool: { abortGraceMs: 10 } });
      const items = [2, 1, 1].map((succeedOn) => ({ file: seen.file, gate: gate.gate, succeedOn }));

      await rejectionOf(TaskTimeoutError, pool.map("sleepUntil", items, { chunkSize: 3, timeoutMs: 300 }));
      gate.open();
      await pool.idle();

      assert.deepEqual(seen.lines(), ["1"]);
    });

    it("one failing item of a chunk fails alone", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      const outcomes = await pool.map("failIfOdd", [0, 1, 2], { chunkSize: 3, onError: "collect" });

      assert.deepEqual(outcomes[0], { ok: true, value: 0, index: 0 });
      assert.deepEqual(outcomes[2], { ok: true, value: 2, index: 2 });
      const failed = outcomes[1];
      assert.ok(failed !== undefined && !failed.ok && failed.index === 1);
      assert.ok(failed.error instanceof RangeError);
      assert.equal(failed.error.message, "1 is odd");
    });

    it("one uncloneable item fails alone", async (t) => {
      const pool = openPool(t, subject, { size: 1 });

      const outcomes = await pool.map("echo", [0, () => 1, 2], { chunkSize: 3, onError: "collect" });

      assert.deepEqual(
        outcomes.map(({ ok, index }) => ({ ok, index })),
        [
          { ok: true, index: 0 },
          { ok: false, index: 1 },
          { ok: true, index: 2 },
        ],
      );
    });

    it("retries the items that fail, and only those", async (t) => {
      const directory = scratch(t);
      const pool = shared();
      const items = range(20).map((n) => ({ file: `${directory}/${n}`, succeedOn: n % 5 === 0 ? 2 : 1 }));

      const results = await pool.map("failUntil", items, { chunkSize: 5, retries: 1, retryDelayMs: 1 });

      assert.deepEqual(
        results,
        range(20).map((n) => (n % 5 === 0 ? 2 : 1)),
      );
    });

    it("rejects with what its source throws", async () => {
      const pool = shared();
      function* broken(): Generator<number> {
        yield 1;
        throw new RangeError("the source broke");
      }

      assert.equal((await rejectionOf(RangeError, pool.map("double", broken()))).message, "the source broke");
      assert.equal(await pool.run("double", 4), 8);
    });

    it("rejects with the reason of its signal, and closes the source", async () => {
      const pool = shared();
      const source = new Source();
      const controller = new AbortController();
      const reason = { the: "reason" };

      const mapped = pool.map("sleep", source.plain(), { signal: controller.signal, chunkSize: 1 });
      await until(() => source.pulled > 3, "some items to be read");
      controller.abort(reason);

      assert.equal(await rejection(mapped), reason);
      await until(() => source.isClosed, "the source to be closed");
    });

    it("tells of each item when it is settled", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const records: { index: number; ok: boolean }[] = [];

      await pool.map("failIfOdd", range(6), { onError: "collect", onSettled: (record) => void records.push(record) });

      assert.equal(records.length, 6);
      assert.deepEqual(
        records.toSorted((a, b) => a.index - b.index).map(({ index, ok }) => ({ index, ok })),
        range(6).map((index) => ({ index, ok: index % 2 === 0 })),
      );
      const [first] = records as unknown as Record<string, unknown>[];
      for (const name of ["id", "attempt", "workerId", "backend", "queuedMs", "runMs"])
        assert.ok(first && name in first, `"${name}" in a record`);
    });
  });

  describe("law 6: imap reads no more than what was taken and the window", () => {
    const shared = sharedPool(subject, { size: 2 });

    for (const kind of ["plain", "async"] as const) {
      it(`from an infinite ${kind} source, and closes it on break`, async () => {
        const pool = shared();
        const source = new Source();
        const taken: number[] = [];

        for await (const value of pool.imap("double", source[kind](), { window: 8 })) {
          taken.push(value);
          assert.ok(source.pulled <= taken.length + 8, `${source.pulled} read with ${taken.length} taken`);
          if (taken.length === 100) break;
        }

        assert.deepEqual(
          taken,
          range(100).map((n) => n * 2),
        );
        await until(() => source.isClosed, "the source to be closed");
        assert.ok(source.pulled <= 108);
        await pool.idle();
      });
    }

    it("stops reading while nobody takes", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const source = new Source();
      const iterator = pool.imap("double", source.plain(), { window: 5 })[Symbol.asyncIterator]();

      await iterator.next();
      await pool.idle();

      assert.ok(source.pulled <= 6, `${source.pulled} read with 1 taken`);
      await iterator.return?.();
      assert.ok(source.isClosed);
    });

    it("holds to its window when results are taken as they come", async () => {
      const pool = shared();
      const source = new Source();
      const taken = new Set<number>();

      for await (const value of pool.imap("double", source.plain(), { ordered: false, window: 6 })) {
        taken.add(value / 2);
        assert.ok(source.pulled <= taken.size + 6, `${source.pulled} read with ${taken.size} taken`);
        if (taken.size === 60) break;
      }

      assert.equal(taken.size, 60);
    });

    it("holds to its window when chunks are larger", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const source = new Source();
      let taken = 0;

      for await (const _ of pool.imap("double", source.plain(), { window: 4, chunkSize: 100 })) {
        taken += 1;
        assert.ok(source.pulled <= taken + 4, `${source.pulled} read with ${taken} taken`);
        if (taken === 20) break;
      }
    });

    it("has a bounded window if nothing is said", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const source = new Source();
      const iterator = pool.imap("sleep", source.plain())[Symbol.asyncIterator]();

      await iterator.next();

      assert.ok(source.pulled <= 1_000, `${source.pulled} read with 1 taken`);
      await iterator.return?.();
      assert.ok(source.isClosed);
    });

    it("keeps the order of the inputs, whatever ends first", async (t) => {
      const pool = openPool(t, subject, { size: 3 });

      assert.deepEqual(await collect(pool.imap("sleep", [30, 1, 15, 1, 1], { chunkSize: 1 })), [30, 1, 15, 1, 1]);
    });

    it("gives what ends first before what takes longer, when unordered", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = shared();
      const inputs = [{ gate: gate.gate, value: "held" }, ...range(5)];
      const got: unknown[] = [];

      for await (const value of pool.imap("hold", inputs.map(asHold(gate.gate)) as { gate: string }[], {
        ordered: false,
        chunkSize: 1,
      })) {
        got.push(value);
        if (got.length === 5) gate.open();
      }

      assert.deepEqual(
        got
          .slice(0, 5)
          .map(Number)
          .toSorted((a, b) => a - b),
        range(5),
      );
      assert.deepEqual(got.slice(5), ["held"]);
    });

    it("does not wait for a full window before it starts", async () => {
      const pool = shared();
      let more: (() => void) | undefined;
      async function* slow(): AsyncGenerator<number> {
        yield 1;
        await new Promise<void>((resolve) => {
          more = resolve;
        });
        yield 2;
      }
      const iterator = pool.imap("double", slow(), { window: 100 })[Symbol.asyncIterator]();

      assert.deepEqual(await iterator.next(), { done: false, value: 2 });
      more?.();
      assert.deepEqual(await iterator.next(), { done: false, value: 4 });
      assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    });

    it("throws at the failing item, after the values before it, and closes the source", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const source = new Source();
      const got: number[] = [];

      const error = await rejectionOf(
        RangeError,
        (async () => {
          for await (const value of pool.imap("failIfOdd", source.plain(), { chunkSize: 1 })) got.push(value);
        })(),
      );

      assert.equal(error.message, "1 is odd");
      assert.deepEqual(got, [0]);
      await until(() => source.isClosed, "the source to be closed");
      await pool.idle();
    });

    it("collects failures in their places", async () => {
      const pool = shared();

      const outcomes = await collect(pool.imap("failIfOdd", range(10), { onError: "collect" }));

      outcomes.forEach((outcome, index) => {
        assert.equal(outcome.index, index);
        if (index % 2 === 0) assert.deepEqual(outcome, { ok: true, value: index, index });
        else assert.deepEqual(Object.keys(outcome).toSorted(), ["error", "index", "ok"]);
      });
    });

    it("cancels on break what was read but not begun, silently", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const pool = openPool(t, subject, { size: 1 });
      const items = range(100).map((n) => ({ file: seen.file, line: `${n}`, ms: 2 }));

      for await (const _ of pool.imap("recordSlowly", items, { window: 50, chunkSize: 1 })) break;
      await pool.idle();

      assert.ok(seen.lines().length < 40, `${seen.lines().length} ran`);
      assert.equal(pool.snapshot().failed, 0);
    });

    it("rejects with the reason of its signal", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = shared();
      const controller = new AbortController();
      const iterator = pool.imap("obey", [gate, gate], { signal: controller.signal })[Symbol.asyncIterator]();
      const next = iterator.next();
      const reason = new Error("enough");

      await until(() => pool.snapshot().running > 0, "an item to run");
      controller.abort(reason);

      assert.equal(await rejection(next), reason);
      assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    });

    it("ends when the pool is terminated", async (t) => {
      const gate = closedGate(scratch(t));
      const pool = shared();
      const held = pool.run("hold", gate);
      await started(held);
      const iterator = pool.imap("double", range(10))[Symbol.asyncIterator]();
      const next = rejection(iterator.next());

      await pool.terminate();

      assert.equal(((await next) as { code?: string }).code, "ERR_POOL_CLOSED");
    });
  });
}

function asHold(gate: string): (input: unknown) => { gate: string; value: unknown } {
  // Numbers pass through a gate that is open: the directory it is said to be in does not exist.
  return (input) => (typeof input === "number" ? { gate: "/nowhere/at-all", value: input } : { gate, value: "held" });
}
