import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { afterChunk, afterFailure, UNTRIED } from "../../src/core/chunk-rest.ts";
import type { SettleReason } from "../../src/core/command.ts";
import { profile } from "./profiles.ts";

const shortest = (): number => 0;
/** Of each of the items that the second attempt of a chunk has left. */
function rest(reason: SettleReason | undefined, left: number, retries: number): unknown[] {
  const given = profile({ retries });
  return Array.from({ length: left }, (_, at) => afterChunk(reason, at, left, 2, given, shortest));
}
const suspect = { attempts: 2, charged: 0, losses: 0, isAlone: true, delayMs: 0 };
const charged = { attempts: 2, charged: 1, losses: 0, isAlone: false, delayMs: 50 };

describe("what a chunk leaves without an answer", () => {
  it("goes again as if untried where the chunk ended by itself", () => {
    assert.deepEqual(rest(undefined, 2, 0), [UNTRIED, UNTRIED]);
  });

  it("is charged to the first alone where the chunk took too long", () => {
    assert.deepEqual(rest("timeout", 3, 0), [undefined, UNTRIED, UNTRIED]);
    assert.deepEqual(rest("timeout", 3, -1), [undefined, UNTRIED, UNTRIED]);
    assert.deepEqual(rest("timeout", 3, 1), [charged, UNTRIED, UNTRIED]);
  });

  it("goes again one by one where the worker was lost, and nobody is charged: any of them may have killed it", () => {
    for (const retries of [-1, 0, 3]) assert.deepEqual(rest("lost", 2, retries), [suspect, suspect]);
  });

  it("is charged with the loss where there is no other suspect", () => {
    assert.deepEqual(rest("lost", 1, -1), [{ ...suspect, losses: 1 }]);
    assert.deepEqual(rest("lost", 1, 1), [{ ...suspect, losses: 1 }]);
    assert.deepEqual(rest("lost", 1, 0), [undefined]);
  });

  it("fails with the chunk where that was refused for good", () => {
    for (const reason of ["deadline", "unavailable", "closed"] as const)
      assert.deepEqual(rest(reason, 2, 3), [undefined, undefined]);
  });

  it("an item that threw goes again where it has retries", () => {
    assert.equal(afterFailure(1, profile({ retries: 0 }), shortest), undefined);
    assert.deepEqual(afterFailure(2, profile({ retries: 1 }), shortest), charged);
  });
});
