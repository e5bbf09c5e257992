import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHUNK_ITEM_FAILED, CHUNK_ITEMS, NOT_SERIALIZABLE, RUN, THROWN } from "../../src/protocol/messages.ts";
import { unpack } from "../../src/protocol/packing.ts";
import { transfer } from "../../src/worker/transfer.ts";
import { hostileGetters, hostileProxies } from "../protocol/specimens.ts";
import { gate, Serving, thenable, turns } from "./serving.ts";

describe("answers", () => {
  it("of short tasks are gathered", async () => {
    const serving = new Serving({ task: (input: number) => input });
    await serving.perform(...Array.from({ length: 100 }, (_, ticket) => ({ ticket, input: ticket })));
    assert.ok(serving.replies.length <= 20, `${serving.replies.length} messages`);
    assert.deepEqual(
      [...serving.results.keys()],
      Array.from({ length: 100 }, (_, ticket) => ticket),
    );
  });

  it("do not wait for a long task behind them", async () => {
    const held = gate();
    const serving = new Serving({ task: (input: boolean) => (input ? held.promise : 1) });
    // What was sent just now is no reason to wait either.
    serving.loop.hello();
    serving.run({ ticket: 1 }, { ticket: 2, input: true });
    await serving.until(() => serving.isAnswered(1));
    held.open();
    await serving.until(() => serving.isAnswered(2));
  });

  it("have left before a task with a timeout begins", async () => {
    const left: number[] = [];
    const serving: Serving = new Serving({ task: () => left.push(serving.results.size) });
    await serving.perform(
      { ticket: 1 },
      { ticket: 2, extras: { isTimed: true } },
      { ticket: 3, extras: { isTimed: true } },
    );
    assert.deepEqual(left, [0, 1, 2]);
  });

  it("are what the task gave when it gave it", async () => {
    const kept = { count: 0 };
    const serving = new Serving({
      task() {
        kept.count++;
        return kept;
      },
    });
    await serving.perform(...Array.from({ length: 5 }, (_, ticket) => ({ ticket })));
    assert.deepEqual(
      [...serving.results.values()],
      [1, 2, 3, 4, 5].map((count) => ({ count })),
    );
  });

  it("never share an object", async () => {
    const kept = { deep: { a: 1 } };
    const serving = new Serving({ task: () => kept, wrap: () => [kept.deep] });
    await serving.perform({ ticket: 1 }, { ticket: 2 }, { ticket: 3, name: "wrap" });
    const [a, b, [c]] = [1, 2, 3].map((ticket) => serving.results.get(ticket)) as [typeof kept, typeof kept, [object]];
    assert.equal(new Set([a.deep, b.deep, c]).size, 3);
  });

  it("that cannot be sent are failures of that task alone", async () => {
    const serving = new Serving({
      task: (input: number) => (input % 2 === 0 ? input : input === 1 ? () => {} : { deep: [Symbol("s")] }),
    });
    await serving.perform(...[0, 1, 2, 3, 4].map((ticket) => ({ ticket, input: ticket })));
    assert.deepEqual(
      [...serving.results],
      [0, 2, 4].map((ticket) => [ticket, ticket]),
    );
    for (const ticket of [1, 3]) assert.equal(serving.failures.get(ticket)!.how, NOT_SERIALIZABLE);
  });

  it("move their memory where the task wants so", async () => {
    const serving = new Serving({
      task() {
        const bytes = Uint8Array.of(1, 2, 3);
        return transfer({ bytes }, [bytes.buffer]);
      },
    });
    await serving.perform({ ticket: 1 });
    assert.deepEqual(serving.results.get(1), { bytes: Uint8Array.of(1, 2, 3) });
    assert.equal(serving.transferred.filter((list) => list !== undefined).length, 1);
  });

  it("come once, though a task settles twice", async () => {
    const serving = new Serving({
      task: () =>
        thenable((done, fail) => {
          done(1);
          done(2);
          fail(new Error("x"));
        }),
    });
    await serving.perform({ ticket: 1 }, { ticket: 2 });
    await turns();
    assert.deepEqual(
      [...serving.results],
      [
        [1, 1],
        [2, 1],
      ],
    );
    assert.equal(serving.failures.size, 0);
  });

  const refuse = (): never => {
    throw new Error("refused");
  };
  const hostile: Readonly<Record<string, () => unknown>> = {
    "an object whose members throw when they are read": () => hostileGetters(),
    "what throws when it is awaited": () => thenable(refuse),
    "a proxy that refuses everything": () => hostileProxies()[0],
    "an iterator that cannot be asked what it is": () => new Proxy({ next() {} }, { has: refuse }),
    "a generator whose iterator throws": () => ({ next() {}, [Symbol.iterator]: refuse }),
  };
  for (const [what, make] of Object.entries(hostile)) {
    it(`are failures where a task gives ${what}, and the worker goes on`, async () => {
      const serving = new Serving({ hostile: make, later: async () => make(), task: () => "fine" });
      await serving.perform({ ticket: 1, name: "hostile" }, { ticket: 2 }, { ticket: 3, name: "later" }, { ticket: 4 });
      for (const ticket of [1, 3]) assert.equal(serving.failures.get(ticket)!.how, THROWN);
      for (const ticket of [2, 4]) assert.equal(serving.results.get(ticket), "fine");
    });

    it(`are failures of those items of a chunk where a task gives ${what}`, async () => {
      const serving = new Serving({ task: (input: string) => (input === "hostile" ? make() : input) });
      serving.tell([RUN, "task", [1], 10, [["a", "hostile", "b"]], [{ isChunk: true }]]);
      await serving.until(() => serving.isAnswered(1));
      assert.deepEqual(
        serving.eventsOf(CHUNK_ITEMS).map(([, , first, values]) => [first, unpack(values)]),
        [
          [0, ["a"]],
          [2, ["b"]],
        ],
      );
      assert.deepEqual(
        serving.eventsOf(CHUNK_ITEM_FAILED).map(([, , index]) => index),
        [1],
      );
    });
  }
});
