import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FREE, QUEUED, TaskTable } from "../../src/core/task-table.ts";
import { profile } from "./profiles.ts";

describe("the task table", () => {
  it("never gives out a slot that is taken, and uses freed ones again", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(1_000)), { maxLength: 300 }), (row) => {
        const table = new TaskTable();
        const taken: number[] = [];
        let most = 0;
        for (const [isRelease, which] of row) {
          if (isRelease && taken.length > 0) {
            table.release(taken.splice(which % taken.length, 1)[0]!);
          } else {
            const slot = table.allocate();
            assert.ok(!taken.includes(slot));
            taken.push(slot);
            most = Math.max(most, taken.length);
            assert.ok(slot < most, "a row was free and yet a new one was made");
          }
        }
      }),
    );
  });

  it("keeps its rows when it grows", () => {
    const table = new TaskTable();
    for (let i = 0; i < 1_000; i++) {
      const slot = table.allocate();
      table.state[slot] = QUEUED;
      table.key[slot] = i / 3;
      table.seq[slot] = i;
      table.attempts[slot] = i;
    }
    for (let slot = 0; slot < 1_000; slot++) {
      assert.equal(table.state[slot], QUEUED);
      assert.equal(table.key[slot], slot / 3);
      assert.equal(table.seq[slot], slot);
      assert.equal(table.attempts[slot], slot);
    }
  });

  it("lets go of what a freed row pointed at", () => {
    const table = new TaskTable();
    const kept = table.allocate();
    const slot = table.allocate();
    table.profile[kept] = profile();
    table.profile[slot] = profile({ series: 7 });
    table.release(slot);
    assert.equal(table.state[slot], FREE);
    assert.equal(table.profile[slot]!.series, 0);
  });

  it("begins anew when every row is free", () => {
    const table = new TaskTable();
    const slots = Array.from({ length: 100 }, () => table.allocate());
    for (const slot of slots) table.release(slot);
    assert.equal(table.profile.length, 0);
    assert.equal(table.allocate(), 0);
    assert.equal(table.allocate(), 1);
  });
});
