import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SeriesQueues } from "../../src/core/series-queues.ts";
import { TaskTable } from "../../src/core/task-table.ts";
import { profile } from "./profiles.ts";

interface Waiting {
  readonly slot: number;
  readonly series: number;
  readonly key: number;
}

const SERIES = 5;

class Pair {
  readonly table = new TaskTable();
  readonly queues = new SeriesQueues(this.table);
  readonly waiting: Waiting[] = [];
  #seq = 0;

  push(series: number, key: number): number {
    const slot = this.table.allocate();
    this.table.profile[slot] = profile({ series });
    this.table.key[slot] = key;
    this.table.seq[slot] = this.#seq++;
    this.queues.push(slot);
    this.waiting.push({ slot, series, key });
    return slot;
  }

  remove(at: number): void {
    const [{ slot }] = this.waiting.splice(at, 1) as [Waiting];
    this.queues.remove(slot);
    this.table.release(slot);
  }

  /** `waiting` is in order of insertion. */
  first(serves: ReadonlySet<number>): number {
    const served = this.waiting.filter(({ series }) => serves.has(series));
    return (
      served.reduce<Waiting | undefined>((a, b) => (a === undefined || b.key < a.key ? b : a), undefined)?.slot ?? -1
    );
  }
}

const rows = fc.array(
  fc.record({
    isRemoval: fc.boolean(),
    which: fc.nat(1_000),
    series: fc.nat(SERIES - 1),
    key: fc.integer({ min: 0, max: 4 }),
  }),
  { maxLength: 80 },
);

describe("the queues of all series", () => {
  it("give each worker the first task of those it serves", () => {
    fc.assert(
      fc.property(rows, fc.array(fc.subarray([1, 2, 3, 4, 9]), { minLength: 1, maxLength: 4 }), (row, workers) => {
        const pair = new Pair();
        for (const { isRemoval, which, series, key } of row) {
          if (isRemoval && pair.waiting.length > 0) pair.remove(which % pair.waiting.length);
          else pair.push(series, key);
          assert.equal(pair.queues.size, pair.waiting.length);
          for (const served of workers) {
            const serves = new Set([0, ...served]);
            assert.equal(pair.queues.best(serves), pair.first(serves));
          }
        }
      }),
    );
  });

  it("count what waits in each", () => {
    fc.assert(
      fc.property(rows, (row) => {
        const pair = new Pair();
        for (const { isRemoval, which, series, key } of row) {
          if (isRemoval && pair.waiting.length > 0) pair.remove(which % pair.waiting.length);
          else pair.push(series, key);
        }
        const counts = Array.from(
          { length: SERIES },
          (_, one) => pair.waiting.filter(({ series }) => series === one).length,
        );
        assert.deepEqual(
          counts.map((_, one) => pair.queues.sizeOf(one)),
          counts,
        );
        assert.deepEqual(
          pair.queues.waiting(),
          [...counts.keys()].filter((one) => counts[one]! > 0),
        );
        for (const one of counts.keys()) assert.equal(pair.queues.peek(one), pair.first(new Set([one])));
      }),
    );
  });

  it("let nobody wait behind a task that nobody serves", () => {
    const pair = new Pair();
    pair.push(3, -100);
    const ordinary = pair.push(0, 0);
    assert.equal(pair.queues.best(new Set([0])), ordinary);
  });

  it("know nothing of a series that no task had", () => {
    const pair = new Pair();
    assert.equal(pair.queues.peek(7), -1);
    assert.equal(pair.queues.sizeOf(7), 0);
    assert.equal(pair.queues.best(new Set([0, 7])), -1);
    assert.deepEqual(pair.queues.waiting(), []);
  });
});
