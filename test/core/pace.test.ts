import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Pace } from "../../src/core/pace.ts";

function paceOf(...durations: readonly number[]): Pace {
  const pace = new Pace();
  for (const ms of durations) pace.add(ms);
  return pace;
}

const durations = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { maxLength: 200 });

describe("the pace of a worker", () => {
  it("sends nothing ahead before the first task is through", () => {
    assert.equal(new Pace().ahead(true), 0);
    assert.equal(new Pace().ahead(false), 0);
  });

  it("sends ahead about five milliseconds of work, and no more than 1,024 tasks", () => {
    fc.assert(
      fc.property(durations, fc.boolean(), (row, canRecall) => {
        const pace = paceOf(...row);
        const ahead = pace.ahead(canRecall);
        assert.ok(Number.isInteger(ahead) && ahead >= 0 && ahead <= 1_024);
        assert.ok(ahead * (canRecall ? pace.typicalMs : pace.meanMs) <= 5);
      }),
    );
  });

  it("stays between the shortest and the longest task", () => {
    fc.assert(
      fc.property(durations, (row) => {
        fc.pre(row.length > 0);
        const pace = paceOf(...row);
        const slack = 1e-9 * Math.max(...row);
        for (const ms of [pace.typicalMs, pace.meanMs]) {
          assert.ok(ms >= Math.min(...row) - slack && ms <= Math.max(...row) + slack);
        }
      }),
    );
  });

  it("sends many tasks ahead that take no time at all", () => {
    assert.equal(paceOf(...new Array<number>(50).fill(0)).ahead(true), 512);
    const many = new Array<number>(2_048).fill(0);
    assert.equal(paceOf(...many).ahead(true), 1_024);
    // One long one, and there may be others.
    assert.equal(paceOf(...many, 25, ...many.slice(1)).ahead(true), 512);
    assert.equal(paceOf(...many, 25, ...many).ahead(true), 1_024);
  });

  it("sends no long task ahead", () => {
    assert.equal(paceOf(5).ahead(true), 0);
    assert.equal(paceOf(1.3, 1.3, 1.3).ahead(true), 0);
  });

  it("is not thrown off by one long task among short ones, where that one can be overtaken", () => {
    const pace = paceOf(...new Array<number>(100).fill(0.01), 10_000);
    assert.ok(pace.ahead(true) > 50);
    assert.equal(pace.ahead(false), 0);
  });

  it("forgets a slow start soon", () => {
    const pace = paceOf(20, ...new Array<number>(15).fill(0.01));
    assert.ok(pace.ahead(true) > 50);
  });

  it("notices when tasks become long, even after ones that took no time", () => {
    const pace = paceOf(...new Array<number>(100).fill(0));
    let tasks = 0;
    while (pace.ahead(true) > 0) {
      pace.add(50);
      assert.ok(++tasks < 100, "100 long tasks went by unnoticed");
    }
  });
});
