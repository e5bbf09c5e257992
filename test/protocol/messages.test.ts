import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as messages from "../../src/protocol/messages.ts";

const toWorker = ["RUN", "ABORT", "CREDIT", "STOP_STREAM", "DRAIN"] as const;
const fromWorker = [
  "HELLO",
  "FAILED",
  "DEFERRED",
  "REFUSED",
  "PROGRESS",
  "LOG",
  "LABEL",
  "STREAM_ITEM",
  "CHUNK_ITEMS",
  "CHUNK_ITEM_FAILED",
  "OUTPUT",
  "STRAY",
  "MEMORY",
  "START_FAILED",
] as const;
const failures = ["THROWN", "PERMANENT", "UNKNOWN_TASK", "NOT_SERIALIZABLE"] as const;

describe("the kinds of messages", () => {
  for (const [way, names] of Object.entries({ toWorker, fromWorker, failures })) {
    it(`are numbers of their own: ${way}`, () => {
      const numbers = names.map((name) => messages[name]);
      assert.equal(new Set(numbers).size, names.length);
    });
  }

  it("are all told here", () => {
    const known: readonly string[] = [...toWorker, ...fromWorker, ...failures, "PROTOCOL_VERSION"];
    assert.deepEqual(Object.keys(messages).toSorted(), known.toSorted());
  });
});
