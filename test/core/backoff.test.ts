import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { backoff } from "../../src/core/backoff.ts";

const shortest = () => 0;
const longest = () => 1 - Number.EPSILON;

describe("backing off", () => {
  it("doubles with each failure", () => {
    assert.deepEqual(
      [1, 2, 3, 4].map((failures) => backoff(failures, 100, shortest)),
      [50, 100, 200, 400],
    );
  });

  it("waits between a half and the whole, at most 30 s", () => {
    const failures = fc.integer({ min: 1, max: 2_000 });
    const baseMs = fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 1e6, noNaN: true }));
    fc.assert(
      fc.property(
        failures,
        baseMs,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (count, base, chance) => {
          const whole = base === 0 ? 0 : Math.min(30_000, base * 2 ** (count - 1));
          const ms = backoff(count, base, () => chance);
          assert.ok(ms >= whole / 2 && ms <= whole, `${ms} of ${whole}`);
        },
      ),
    );
  });

  it("never waits where there is no delay", () => {
    assert.equal(backoff(1, 0, longest), 0);
    assert.equal(backoff(7, 0, longest), 0);
  });

  it("keeps to another bound where one is given", () => {
    assert.ok(backoff(50, 100, longest, 1_000) <= 1_000);
    assert.equal(backoff(50, 100, shortest, 1_000), 500);
  });

  it("spreads those who failed together", () => {
    const waits = [0, 0.25, 0.5, 0.75].map((chance) => backoff(1, 100, () => chance));
    assert.deepEqual(waits, [50, 62.5, 75, 87.5]);
  });
});
