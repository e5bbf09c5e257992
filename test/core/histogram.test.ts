import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Histogram } from "../../src/core/histogram.ts";

/** As many shorts as longs, over nine powers of ten. */
const durations = fc.array(
  fc.double({ min: -3, max: 6, noNaN: true }).map((power) => 10 ** power),
  { minLength: 1, maxLength: 300 },
);
const shares = fc.oneof(fc.constantFrom(0, 0.5, 0.9, 0.95, 0.99, 1), fc.double({ min: 0, max: 1, noNaN: true }));

function histogramOf(row: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const ms of row) histogram.record(ms);
  return histogram;
}

describe("a histogram", () => {
  it("gives any quantile within 9 %", () => {
    fc.assert(
      fc.property(durations, shares, (row, share) => {
        const sorted = row.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(share * row.length)) - 1]!;
        const given = histogramOf(row).quantile(share);
        assert.ok(given >= exact * (1 - 1e-9) && given <= exact * 1.0906, `${given} for ${exact}`);
      }),
      { numRuns: 500 },
    );
  });

  it("rises with the share, and ends with the longest", () => {
    fc.assert(
      fc.property(durations, shares, shares, (row, a, b) => {
        const histogram = histogramOf(row);
        assert.ok(histogram.quantile(Math.min(a, b)) <= histogram.quantile(Math.max(a, b)));
        assert.equal(histogram.quantile(1), Math.max(...row));
      }),
    );
  });

  it("counts, sums and knows the longest", () => {
    const histogram = histogramOf([1, 2, 3.5]);
    assert.deepEqual([histogram.count, histogram.sum, histogram.max], [3, 6.5, 3.5]);
  });

  it("is all zeros when it is empty", () => {
    const histogram = new Histogram();
    assert.deepEqual([histogram.count, histogram.sum, histogram.max, histogram.quantile(0.5)], [0, 0, 0, 0]);
  });

  it("takes durations of nothing, and ones of years", () => {
    assert.equal(histogramOf([0]).quantile(0.5), 0);
    const histogram = histogramOf([1, 1e12]);
    assert.ok(histogram.quantile(0.5) < 1.1);
    assert.ok(histogram.quantile(1) > 1e9);
  });
});
