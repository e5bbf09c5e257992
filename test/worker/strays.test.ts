import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromErrorRecord } from "../../src/protocol/error-record.ts";
import { FAILED, STRAY } from "../../src/protocol/messages.ts";
import type { TaskContext } from "../../src/worker/task-context.ts";
import { gate, Serving, turns } from "./serving.ts";

describe("an error that nobody awaits", () => {
  it("fails the task that caused it, and what that one gives afterwards is nothing", async () => {
    const held = gate();
    const serving: Serving = new Serving({
      async task() {
        setImmediate(() => serving.loop.stray(new RangeError("stray")));
        await held.promise;
        return "late";
      },
      other: () => "fine",
    });
    await serving.perform({ ticket: 1 }, { ticket: 2, name: "other" });
    assert.ok(serving.failures.get(1)!.error instanceof RangeError);
    held.open();
    await turns();
    assert.equal(serving.results.has(1), false);
    assert.equal(serving.results.get(2), "fine");
  });

  it("aborts what the task still does", async () => {
    let context!: TaskContext;
    const serving: Serving = new Serving({
      async task(_: unknown, own: TaskContext) {
        context = own;
        setImmediate(() => serving.loop.stray(new Error("stray")));
        await new Promise(() => {});
      },
    });
    await serving.perform({ ticket: 1 });
    assert.equal(context.signal.aborted, true);
  });

  it("is told with the id of the task that left it behind", async () => {
    const held = gate();
    const serving: Serving = new Serving({
      task() {
        void held.promise.then(() => serving.loop.stray(new Error("left behind")));
        return "done";
      },
    });
    await serving.perform({ ticket: 1, id: "x" });
    held.open();
    await serving.until(() => serving.eventsOf(STRAY).length === 1);
    assert.equal(serving.eventsOf(STRAY)[0]![1], "x");
    assert.equal(serving.eventsOf(FAILED).length, 0);
  });

  it("is told without an id outside of any task", async () => {
    const serving = new Serving({});
    serving.loop.stray("nobody's");
    await serving.until(() => serving.eventsOf(STRAY).length === 1);
    const [, id, record] = serving.eventsOf(STRAY)[0]!;
    assert.deepEqual([id, fromErrorRecord(record)], [null, "nobody's"]);
  });
});
