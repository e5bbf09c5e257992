import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { AnswerBoard, BOARD_BYTES } from "../../src/protocol/answer-board.ts";

function board(): { readonly worker: AnswerBoard; readonly pool: AnswerBoard } {
  const shared = new SharedArrayBuffer(BOARD_BYTES);
  return { worker: new AnswerBoard(shared), pool: new AnswerBoard(shared) };
}

describe("the board of answers", () => {
  it("shows what was posted and has not left", () => {
    const { worker, pool } = board();
    assert.equal(pool.read(), undefined);
    const values = [7, -0, Number.NaN, undefined, null, false, true, 0.5];
    for (const [at, value] of values.entries()) worker.post(at + 10, at, value);
    assert.deepEqual(pool.read(), [values.map((_, at) => at + 10), values.map((_, at) => at), values, 0]);
    worker.clear();
    assert.equal(pool.read(), undefined);
    worker.post(99, 1, 2);
    assert.deepEqual(pool.read(), [[99], [1], [2], 0]);
  });

  it("has no place for what is large, nor for more than it has places", () => {
    const { worker, pool } = board();
    for (const value of ["text", {}, [], 1n]) worker.post(1, 1, value);
    assert.equal(pool.read(), undefined);
    for (let ticket = 0; ticket < 2_000; ticket++) worker.post(ticket, 0, ticket);
    const [tickets] = pool.read()!;
    assert.deepEqual(
      tickets,
      Array.from({ length: tickets.length }, (_, ticket) => ticket),
    );
    assert.ok(tickets.length < 2_000);
  });

  it("goes round its memory as often as it takes", () => {
    const { worker, pool } = board();
    for (let ticket = 0; ticket < 10_000; ticket++) {
      worker.post(ticket, ticket + 1, ticket + 2);
      if (ticket % 700 !== 699) continue;
      const first = ticket - 699;
      const numbers = (from: number): number[] => Array.from({ length: 700 }, (_, at) => from + at);
      assert.deepEqual(pool.read(), [numbers(first), numbers(first + 1), numbers(first + 2), 0]);
      worker.clear();
    }
  });

  it("never shows half of an answer while the worker goes on", async () => {
    const shared = new SharedArrayBuffer(BOARD_BYTES);
    const writer = new Worker(new URL("../fixtures/posts-answers.ts", import.meta.url), { workerData: shared });
    try {
      await new Promise((resolve) => writer.once("message", resolve));
      const pool = new AnswerBoard(shared);
      let seen = 0;
      for (let reads = 0; reads < 20_000 || seen < 1_000; reads++) {
        const reply = pool.read();
        if (reply === undefined) continue;
        seen++;
        const [tickets, micros, values] = reply;
        for (const [at, ticket] of tickets.entries()) {
          assert.equal(micros[at], ticket * 2);
          assert.equal((values as readonly unknown[])[at], ticket * 3);
        }
      }
    } finally {
      await writer.terminate();
    }
  });
});
