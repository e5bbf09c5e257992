import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Driver } from "./driver.ts";

const arrivals = fc.array(fc.record({ gapMs: fc.nat(500), priority: fc.integer({ min: -5, max: 5 }) }), {
  minLength: 2,
  maxLength: 60,
});

describe("aging", () => {
  it("starts tasks in the order of priority and time of adding together", () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 1_000 }), (row, agingMs) => {
        const driver = Driver.up([{}], 1, { agingMs });
        const first = driver.send();
        const tasks = row.map(({ gapMs, priority }) => {
          driver.clock.advance(gapMs);
          return { slot: driver.add({}, priority), key: priority + driver.now / agingMs };
        });
        const expected = tasks.toSorted((a, b) => a.key - b.key).map(({ slot }) => slot);
        driver.complete(first);
        const order: number[] = [];
        for (let [slot] = driver.sent(); slot !== undefined; [slot] = driver.sent()) {
          order.push(slot);
          driver.complete(slot);
        }
        assert.deepEqual(order, expected);
      }),
    );
  });

  it("counts from adding for a task with a new priority", () => {
    const driver = Driver.up([{}], 1, { agingMs: 100 });
    const running = driver.send();
    const old = driver.add({}, 10);
    driver.clock.advance(500);
    const young = driver.add({}, 0);
    driver.scheduler.setPriority(old, 4);
    driver.complete(running);
    assert.deepEqual(driver.sent(), [old], "4 + 0 comes before 0 + 5");
    driver.complete(old);
    assert.deepEqual(driver.sent(), [young]);
  });

  it("lets no task starve, however many more urgent ones keep coming", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 50 }), (agingMs, distance) => {
        const driver = Driver.up([{}], 1, { agingMs });
        let running = driver.send();
        const patient = driver.add({}, distance);
        const addedAt = driver.now;
        while (driver.workerOf(patient) === undefined) {
          driver.add({}, 0);
          driver.clock.advance(agingMs / 2);
          driver.complete(running);
          [running] = driver.sent() as [number];
          const bound = distance * agingMs + agingMs;
          assert.ok(driver.now - addedAt <= bound, `still waiting after ${driver.now - addedAt} ms`);
        }
      }),
    );
  });

  it("does not happen where it is not wanted", () => {
    const driver = Driver.up();
    const running = driver.send();
    driver.add({}, 1);
    driver.clock.advance(1e9);
    const urgent = driver.add({}, 0);
    driver.complete(running);
    assert.deepEqual(driver.sent(), [urgent]);
  });

  it("leaves infinite priorities where they are", () => {
    const driver = Driver.up([{}], 1, { agingMs: 1 });
    const running = driver.send();
    const last = driver.add({}, Number.POSITIVE_INFINITY);
    driver.clock.advance(1e6);
    const ordinary = driver.add({}, 100);
    const first = driver.add({}, Number.NEGATIVE_INFINITY);
    driver.complete(running);
    assert.deepEqual(driver.sent(), [first]);
    driver.complete(first);
    assert.deepEqual(driver.sent(), [ordinary]);
    driver.complete(ordinary);
    assert.deepEqual(driver.sent(), [last]);
  });
});
