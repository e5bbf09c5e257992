import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as throwables from "../../src/protocol/throwables.ts";
import {
  DeferTask,
  isDeferTask,
  isPermanentError,
  isWorkerBusy,
  PermanentError,
  WorkerBusy,
} from "../../src/protocol/throwables.ts";
import { hostileGetters, hostileProxies } from "./specimens.ts";

// A task module may bring its own copy of the library. A copy in the same process is a module under another address.
const address = new URL("../../src/protocol/throwables.ts?copy", import.meta.url).href;
const copy = (await import(address)) as typeof throwables;

describe("what a task throws to say something", () => {
  const kinds = [
    ["DeferTask", isDeferTask, new DeferTask(), new copy.DeferTask()],
    ["WorkerBusy", isWorkerBusy, new WorkerBusy(), new copy.WorkerBusy()],
    ["PermanentError", isPermanentError, new PermanentError("x"), new copy.PermanentError("x")],
  ] as const;
  for (const [name, is, own, foreign] of kinds) {
    it(`is told as ${name}, by its own copy of the library and by another one`, () => {
      assert.notEqual(own.constructor, foreign.constructor);
      for (const thrown of [own, foreign]) {
        assert.ok(thrown instanceof Error);
        assert.equal(thrown.name, name);
        assert.deepEqual(
          [isDeferTask, isWorkerBusy, isPermanentError].filter((one) => one(thrown)),
          [is],
        );
      }
    });
  }

  it("is not told from other things, hostile ones included", () => {
    const others = [
      new Error("x"),
      null,
      undefined,
      "DeferTask",
      1,
      {},
      [],
      () => {},
      hostileGetters(),
      ...hostileProxies(),
    ];
    for (const other of others) {
      assert.equal(isDeferTask(other), false);
      assert.equal(isWorkerBusy(other), false);
      assert.equal(isPermanentError(other), false);
    }
  });

  it("has its defaults", () => {
    assert.deepEqual([new DeferTask().priority, new DeferTask().delayMs], [undefined, 0]);
    assert.equal(new WorkerBusy().retryAfterMs, 1_000);
    assert.deepEqual(
      [new DeferTask({ priority: -1, delayMs: 5 }).priority, new DeferTask({ delayMs: 5 }).delayMs],
      [-1, 5],
    );
  });

  it("keeps message and cause where it is permanent, and may be extended", () => {
    class NotFound extends PermanentError {}
    const cause = new Error("why");
    const error = new NotFound("gone", { cause });
    assert.ok(isPermanentError(error));
    assert.deepEqual([error.message, error.cause], ["gone", cause]);
  });
});
