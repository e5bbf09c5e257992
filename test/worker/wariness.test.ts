import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RUN } from "../../src/protocol/messages.ts";
import { Wariness } from "../../src/worker/wariness.ts";
import { Serving } from "./serving.ts";

describe("answers in front of a task", () => {
  it("leave before a name that has not run yet", () => {
    assert.equal(new Wariness().limit, 1);
  });

  it("may be any number while no task of its name is long", () => {
    const wariness = new Wariness();
    for (let i = 0; i < 1_000; i++) wariness.ran(i % 3);
    assert.equal(wariness.limit, Number.POSITIVE_INFINITY);
  });

  it("leave before the task after a long one, and are few for a while", () => {
    const wariness = new Wariness();
    wariness.ran(10);
    assert.equal(wariness.limit, 1);
    let tasks = 0;
    for (; wariness.limit !== Number.POSITIVE_INFINITY; tasks++) {
      wariness.ran(0);
      assert.ok(wariness.limit >= 8 && tasks < 10_000);
    }
    assert.ok(tasks > 100);
  });

  it("are sent when a loop begins a task of another name, and before the long one keeps it", async () => {
    const atBeginning: number[] = [];
    const serving: Serving = new Serving({
      short: (x: number) => x,
      long: () => {
        atBeginning.push(serving.replies.reduce((sum, [tickets]) => sum + tickets.length, 0));
      },
    });
    serving.tell([RUN, ["short", "short", "short", "long"], [1, 2, 3, 4], 1, [1, 2, 3, 4], 0]);
    await serving.until(() => serving.replies.reduce((sum, [tickets]) => sum + tickets.length, 0) === 4);
    assert.deepEqual(atBeginning, [3]);
  });
});
