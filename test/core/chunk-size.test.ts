import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChunkSize } from "../../src/core/chunk-size.ts";

describe("the size of chunks", () => {
  it("is the caller's own where there is one, whatever is measured", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })),
        (own, row) => {
          const size = new ChunkSize(own);
          assert.equal(size.isAdaptive, false);
          for (const ms of row) {
            size.measured(own, ms);
            assert.equal(size.current, own);
          }
        },
      ),
    );
  });

  it("begins with one item, and grows at most fourfold at a time", () => {
    const size = new ChunkSize();
    assert.equal(size.isAdaptive, true);
    const sizes: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      sizes.push(size.current);
      size.measured(size.current, 0);
    }
    assert.deepEqual(sizes, [1, 4, 16, 64, 256]);
  });

  it("settles where a chunk takes about 20 ms", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.002, max: 19, noNaN: true }), (perItemMs) => {
        const size = new ChunkSize();
        for (let turn = 0; turn < 20; turn++) size.measured(size.current, size.current * perItemMs);
        const ms = size.current * perItemMs;
        assert.ok(ms <= 20 && (size.current + 1) * perItemMs > 19.5, `${size.current} items take ${ms} ms`);
      }),
    );
  });

  it("is one where an item takes longer than a chunk should", () => {
    const size = new ChunkSize();
    for (let turn = 0; turn < 10; turn++) size.measured(size.current, size.current * 1_000);
    assert.equal(size.current, 1);
  });

  it("shrinks at once", () => {
    const size = new ChunkSize();
    for (let turn = 0; turn < 10; turn++) size.measured(size.current, 0);
    size.measured(size.current, size.current * 10);
    assert.equal(size.current, 1);
  });

  it("does not grow because of a chunk that was smaller than the size", () => {
    const size = new ChunkSize();
    for (let turn = 0; turn < 6; turn++) size.measured(size.current, 0);
    const before = size.current;
    size.measured(3, 0);
    assert.equal(size.current, before);
  });

  it("stays a whole number from 1 to 20,000", () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 1, max: 50_000 }), fc.double({ min: 0, max: 1e6, noNaN: true })));
    fc.assert(
      fc.property(rows, (row) => {
        const size = new ChunkSize();
        for (const [items, ms] of row) {
          size.measured(items, ms);
          assert.ok(Number.isInteger(size.current) && size.current >= 1 && size.current <= 20_000);
        }
      }),
    );
  });
});
