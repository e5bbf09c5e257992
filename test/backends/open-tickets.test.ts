import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { OpenTickets } from "../../src/backends/open-tickets.ts";

/** Tickets as the core gives them: a cell, and a stamp that grows with each use of it. */
const uses = fc.array(fc.tuple(fc.oneof(fc.nat(70), fc.nat(4_095)), fc.boolean()), { maxLength: 300 });

describe("open tickets", () => {
  it("are the ones that came and were not answered", () => {
    fc.assert(
      fc.property(uses, (all) => {
        const open = new OpenTickets();
        const model = new Map<number, number>();
        const stamps = new Map<number, number>();
        for (const [cell, comes] of all) {
          if (comes && !model.has(cell)) {
            const stamp = (stamps.get(cell) ?? 0) + 1;
            stamps.set(cell, stamp);
            model.set(cell, (stamp << 12) | cell);
            open.add((stamp << 12) | cell);
          } else {
            const ticket = model.get(cell) ?? (9 << 12) | cell;
            assert.equal(open.delete(ticket), model.delete(cell));
            assert.equal(open.delete(ticket), false);
          }
          assert.equal(open.size, model.size);
        }
        assert.deepEqual(
          [...open],
          [...model].toSorted(([a], [b]) => a - b).map(([, ticket]) => ticket),
        );
      }),
    );
  });

  it("keep the newest of a cell, and take no harm from what is no ticket", () => {
    const open = new OpenTickets();
    for (const ticket of [4_096, 8_192, 0, -1, 2 ** 40, Number.NaN]) open.add(ticket);
    assert.equal(open.delete(4_096), false);
    assert.equal(open.delete(8_192), true);
    assert.equal(open.delete(0), false);
  });
});
