import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HeapPositions, IndexedHeap } from "../../src/core/indexed-heap.ts";

interface Entry {
  readonly key: number;
  readonly tie: number;
}

type Act =
  | { readonly act: "set"; readonly id: number; readonly key: number; readonly tie: number }
  | { readonly act: "remove"; readonly id: number }
  | { readonly act: "pop" };

/** Few keys, so that many are equal, and the ones at the ends. */
const keys = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e300),
);
const ids = fc.oneof(fc.nat(12), fc.nat(300));
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant("set" as const), id: ids, key: keys, tie: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("remove" as const), id: ids }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("pop" as const) }) },
);

function isBefore(a: Entry, b: Entry): boolean {
  return a.key < b.key || (a.key === b.key && a.tie < b.tie);
}

function first(model: ReadonlyMap<number, Entry>): Entry | undefined {
  let best: Entry | undefined;
  for (const entry of model.values()) if (best === undefined || isBefore(entry, best)) best = entry;
  return best;
}

/** Of equal ones the heap may show any. */
function isAsEarlyAs(shown: Entry | undefined, least: Entry | undefined): void {
  // Not assert.equal: -0 and 0 are one key.
  assert.ok(shown?.key === least?.key && shown?.tie === least?.tie);
}

/** The heap holds what the model holds, and shows an entry that no other comes before. */
function agrees(heap: IndexedHeap, model: ReadonlyMap<number, Entry>): void {
  assert.equal(heap.size, model.size);
  const least = first(model);
  isAsEarlyAs(model.get(heap.peek()), least);
  assert.ok(heap.peekKey() === (least?.key ?? Number.POSITIVE_INFINITY));
}

function perform(heap: IndexedHeap, model: Map<number, Entry>, act: Act): void {
  switch (act.act) {
    case "set":
      heap.set(act.id, act.key, act.tie);
      model.set(act.id, { key: act.key, tie: act.tie });
      break;
    case "remove":
      assert.equal(heap.remove(act.id), model.delete(act.id));
      break;
    case "pop": {
      const least = first(model);
      const id = heap.pop();
      isAsEarlyAs(model.get(id), least);
      model.delete(id);
      break;
    }
    default:
      act satisfies never;
  }
}

describe("an indexed heap", () => {
  it("agrees with a list after any row of sets, moves, removals and pops", () => {
    fc.assert(
      fc.property(fc.array(acts, { maxLength: 120 }), (row) => {
        const heap = new IndexedHeap();
        const model = new Map<number, Entry>();
        for (const act of row) {
          perform(heap, model, act);
          agrees(heap, model);
        }
        for (let id = 0; id <= 300; id++) assert.equal(heap.has(id), model.has(id));
        while (model.size > 0) perform(heap, model, { act: "pop" });
        assert.equal(heap.pop(), -1);
      }),
      { numRuns: 300 },
    );
  });

  it("empties in the order of keys, then of ties", () => {
    const entries = fc.uniqueArray(fc.record({ id: fc.nat(1_000), key: keys, tie: fc.nat() }), {
      selector: ({ id }) => id,
      maxLength: 300,
    });
    fc.assert(
      fc.property(entries, (list) => {
        const heap = new IndexedHeap();
        const model = new Map(list.map(({ id, key, tie }) => [id, { key, tie }]));
        for (const { id, key, tie } of list) heap.set(id, key, tie);
        let last: Entry = { key: Number.NEGATIVE_INFINITY, tie: -1 };
        for (let id = heap.pop(); id >= 0; id = heap.pop()) {
          const entry = model.get(id)!;
          assert.ok(!isBefore(entry, last));
          last = entry;
        }
      }),
    );
  });

  it("shares its positions with another heap that never holds the same id", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), acts), { maxLength: 80 }), (row) => {
        const positions = new HeapPositions();
        const heaps = [new IndexedHeap(positions), new IndexedHeap(positions)] as const;
        const models = [new Map<number, Entry>(), new Map<number, Entry>()] as const;
        for (const [isSecond, act] of row) {
          const at = isSecond ? 1 : 0;
          // Even ids belong to one, odd ones to the other.
          perform(heaps[at], models[at], act.act === "pop" ? act : { ...act, id: act.id * 2 + at });
          agrees(heaps[0], models[0]);
          agrees(heaps[1], models[1]);
        }
      }),
    );
  });

  it("knows nothing of an id that it never saw", () => {
    const heap = new IndexedHeap();
    assert.equal(heap.has(1_000_000), false);
    assert.equal(heap.remove(1_000_000), false);
    assert.equal(heap.peek(), -1);
    assert.equal(heap.peekKey(), Number.POSITIVE_INFINITY);
  });

  it("holds a moved id once, however often it moves", () => {
    const positions = new HeapPositions();
    const heap = new IndexedHeap(positions);
    for (let id = 0; id < 100; id++) heap.set(id, id);
    const room = positions.of.length;
    for (let turn = 0; turn < 1_000_000; turn++) heap.set(turn % 100, (turn * 7_919) % 1_009, turn);
    assert.equal(heap.size, 100);
    assert.equal(positions.of.length, room);
    const left: number[] = [];
    for (let id = heap.pop(); id >= 0; id = heap.pop()) left.push(id);
    assert.deepEqual(
      left.toSorted((a, b) => a - b),
      Array.from({ length: 100 }, (_, id) => id),
    );
  });
});
