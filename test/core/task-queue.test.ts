import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TaskQueue } from "../../src/core/task-queue.ts";
import { TaskTable } from "../../src/core/task-table.ts";

type Act =
  | { readonly act: "push"; readonly key: number }
  | { readonly act: "take" }
  | { readonly act: "remove"; readonly which: number }
  | { readonly act: "rekey"; readonly which: number; readonly key: number };

const keys = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
);
const which = fc.nat(1_000);
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant("push" as const), key: keys }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("take" as const) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("remove" as const), which }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("rekey" as const), which, key: keys }) },
);

/** A queue beside a list that is sorted anew each time. */
class Pair {
  readonly table = new TaskTable();
  readonly queue = new TaskQueue(this.table);
  readonly waiting: number[] = [];
  #seq = 0;

  push(key: number): void {
    const slot = this.table.allocate();
    this.table.key[slot] = key;
    this.table.seq[slot] = this.#seq++;
    this.queue.push(slot);
    this.waiting.push(slot);
  }

  remove(slot: number): void {
    this.waiting.splice(this.waiting.indexOf(slot), 1);
    this.queue.remove(slot);
    this.table.release(slot);
  }

  rekey(slot: number, key: number): void {
    this.queue.remove(slot);
    this.table.key[slot] = key;
    this.queue.push(slot);
  }

  perform(act: Act): void {
    switch (act.act) {
      case "push":
        this.push(act.key);
        break;
      case "take":
        if (this.waiting.length > 0) this.remove(this.queue.peek());
        break;
      case "remove":
        if (this.waiting.length > 0) this.remove(this.waiting[act.which % this.waiting.length]!);
        break;
      case "rekey":
        if (this.waiting.length > 0) this.rekey(this.waiting[act.which % this.waiting.length]!, act.key);
        break;
      default:
        act satisfies never;
    }
  }

  /** The one that comes before all others, by looking at all. */
  first(): number {
    let best = -1;
    for (const slot of this.waiting) if (best < 0 || this.#isBefore(slot, best)) best = slot;
    return best;
  }

  #isBefore(a: number, b: number): boolean {
    const { key, seq } = this.table;
    return key[a]! < key[b]! || (key[a] === key[b] && seq[a]! < seq[b]!);
  }
}

describe("a task queue", () => {
  it("agrees with a sorted list after any row of pushes, takes, removals and new keys", () => {
    fc.assert(
      fc.property(fc.array(acts, { maxLength: 150 }), (row) => {
        const pair = new Pair();
        for (const act of row) {
          pair.perform(act);
          assert.equal(pair.queue.size, pair.waiting.length);
          assert.equal(pair.queue.peek(), pair.first());
        }
        while (pair.waiting.length > 0) {
          assert.equal(pair.queue.peek(), pair.first());
          pair.remove(pair.queue.peek());
        }
        assert.equal(pair.queue.peek(), -1);
        assert.equal(pair.queue.size, 0);
      }),
      { numRuns: 400 },
    );
  });

  it("keeps the order of insertion among equal keys", () => {
    const pair = new Pair();
    for (let i = 0; i < 1_000; i++) pair.push(5);
    const order: number[] = [];
    while (pair.queue.size > 0) {
      order.push(pair.queue.peek());
      pair.queue.remove(pair.queue.peek());
    }
    assert.deepEqual(
      order,
      Array.from({ length: 1_000 }, (_, slot) => slot),
    );
  });

  it("keeps the order where every key is smaller than the ones before", () => {
    const pair = new Pair();
    for (let i = 0; i < 1_000; i++) pair.push(-i);
    for (let slot = 999; slot >= 0; slot--) {
      assert.equal(pair.queue.peek(), slot);
      pair.remove(slot);
    }
  });

  it("puts -Infinity first and Infinity last, each in order of insertion", () => {
    const pair = new Pair();
    for (const key of [
      Number.POSITIVE_INFINITY,
      0,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]) {
      pair.push(key);
    }
    const order: number[] = [];
    while (pair.queue.size > 0) {
      order.push(pair.queue.peek());
      pair.queue.remove(pair.queue.peek());
    }
    assert.deepEqual(order, [2, 4, 1, 0, 3]);
  });

  it("takes a task that came back to its place before younger ones", () => {
    const pair = new Pair();
    for (let i = 0; i < 10; i++) pair.push(0);
    const slot = pair.queue.peek();
    pair.queue.remove(slot);
    pair.queue.remove(pair.queue.peek());
    pair.queue.push(slot);
    assert.equal(pair.queue.peek(), slot);
  });

  it("grows neither by a million new priorities nor by a million tasks that came and went", () => {
    const pair = new Pair();
    for (let i = 0; i < 500; i++) pair.push(i);
    const rows = pair.table.state.length;
    for (let turn = 0; turn < 1_000_000; turn++) pair.rekey(turn % 500, (turn * 7_919) % 10_007);
    for (let turn = 0; turn < 1_000_000; turn++) {
      const slot = pair.queue.peek();
      pair.queue.remove(slot);
      pair.table.release(slot);
      const next = pair.table.allocate();
      pair.table.key[next] = (turn * 31) % 1_009;
      pair.table.seq[next] = 500 + turn;
      pair.queue.push(next);
    }
    assert.equal(pair.queue.size, 500);
    assert.equal(pair.table.state.length, rows);
    assert.ok(pair.table.heapPositions.of.length <= rows);
  });
});
