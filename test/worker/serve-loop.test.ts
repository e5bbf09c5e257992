import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { fromErrorRecord } from "../../src/protocol/error-record.ts";
import {
  DEFERRED,
  DRAIN,
  HELLO,
  PERMANENT,
  PROTOCOL_VERSION,
  REFUSED,
  RUN,
  START_FAILED,
  STRAY,
  THROWN,
  UNKNOWN_TASK,
} from "../../src/protocol/messages.ts";
import { DeferTask, PermanentError, WorkerBusy } from "../../src/protocol/throwables.ts";
import { refuseToStart } from "../../src/worker/serve-loop.ts";
import type { TaskContext } from "../../src/worker/task-context.ts";
import { gate, Serving, spin, type Task, thenable, turns } from "./serving.ts";

describe("a worker that comes up", () => {
  it("says what it offers", () => {
    const serving = new Serving({ task: () => 1, other: () => 2, setup: () => {}, teardown: () => {} });
    serving.loop.hello();
    assert.deepEqual(serving.eventsOf(HELLO), [[HELLO, PROTOCOL_VERSION, ["task", "other"], 1]]);
  });

  it("says why it cannot, whatever was thrown, and closes its port", () => {
    for (const thrown of [new TypeError("broken"), null, "text"]) {
      const serving = new Serving({});
      refuseToStart(serving, thrown);
      const [[, record]] = serving.eventsOf(START_FAILED) as [[number, readonly unknown[]]];
      assert.deepEqual(fromErrorRecord(record), thrown);
      assert.ok(serving.isClosed);
    }
  });
});

describe("tasks", () => {
  it("run in the order in which they came, one after another", async () => {
    const journal: string[] = [];
    const serving = new Serving({
      async task(input: number) {
        journal.push(`begin ${input}`);
        await turns(1);
        journal.push(`end ${input}`);
      },
    });
    serving.run({ ticket: 1, input: 1 }, { ticket: 2, input: 2 });
    await serving.perform({ ticket: 3, input: 3 });
    assert.deepEqual(journal, ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
  });

  it("run as many at once as there are hands, and the next one as soon as a hand is free", async () => {
    const begun: number[] = [];
    const gates = Array.from({ length: 6 }, gate);
    const serving = new Serving(
      {
        task(input: number) {
          begun.push(input);
          return gates[input]!.promise;
        },
      },
      { concurrency: 3 },
    );
    serving.run(...gates.map((_, ticket) => ({ ticket, input: ticket })));
    assert.deepEqual(begun, [0, 1, 2]);
    gates[1]!.open("one");
    await serving.until(() => begun.length > 3);
    assert.deepEqual(begun, [0, 1, 2, 3]);
    for (const one of gates) one.open("all");
    await serving.until(() => serving.results.size === 6);
    assert.equal(serving.results.get(1), "one");
  });

  it("get their input, and know who they are", async () => {
    const seen: unknown[] = [];
    const serving = new Serving({
      task(input: unknown, { taskId, attempt, priority, workerId }: TaskContext) {
        seen.push([input, taskId, attempt, priority, workerId]);
      },
    });
    await serving.perform(
      { ticket: 1, input: { a: 1 }, id: "first" },
      { ticket: 2, id: 7, extras: { attempt: 3, priority: -1 } },
    );
    assert.deepEqual(seen, [
      [{ a: 1 }, "first", 1, 0, "worker-1"],
      [undefined, 7, 3, -1, "worker-1"],
    ]);
  });

  it("have consecutive ids where only the first is said, and one name for all", async () => {
    const serving = new Serving({ task: (_: unknown, { taskId }: TaskContext) => taskId });
    serving.tell([RUN, "task", [10, 20, 30], 100, [0, 0, 0], 0]);
    await serving.until(() => serving.results.size === 3);
    assert.deepEqual(
      [...serving.results],
      [
        [10, 100],
        [20, 101],
        [30, 102],
      ],
    );
  });

  it("give values, promises, things that can be awaited, and all values of a generator", async () => {
    const serving = new Serving({
      value: () => [1, 2],
      map: () => new Map([[1, 2]]),
      promise: async () => "later",
      thenable: () => thenable((done) => done("thenable")),
      *generator() {
        yield 1;
        yield Promise.resolve(2);
      },
      async *asyncGenerator() {
        yield 1;
        yield 2;
      },
      promised: async () =>
        (function* () {
          yield 3;
        })(),
      nothing: () => undefined,
      nil: () => null,
    });
    const names = ["value", "map", "promise", "thenable", "generator", "asyncGenerator", "promised", "nothing", "nil"];
    await serving.perform(...names.map((name, ticket) => ({ ticket, name })));
    const expected = [[1, 2], new Map([[1, 2]]), "later", "thenable", [1, 2], [1, 2], [3], undefined, null];
    assert.deepEqual(
      expected.map((_, ticket) => serving.results.get(ticket)),
      expected,
    );
  });

  it("are skipped where they were taken back", async () => {
    const begun: number[] = [];
    const serving = new Serving({ task: (input: number) => void begun.push(input) }, { claims: true });
    assert.ok(serving.claims!.recall(2));
    await serving.perform({ ticket: 1, input: 1 });
    serving.run({ ticket: 2, input: 2 }, { ticket: 3, input: 3 });
    await serving.until(() => serving.isAnswered(3));
    assert.deepEqual(begun, [1, 3]);
    assert.equal(serving.isAnswered(2), false);
    assert.equal(serving.claims!.recall(3), false);
  });

  it("are claimed one by one: what waits behind a long one can be taken back", async () => {
    const held = gate();
    const serving = new Serving({ task: () => held.promise }, { claims: true });
    serving.run({ ticket: 1 }, { ticket: 2 }, { ticket: 3 });
    assert.deepEqual(
      [1, 2, 3].map((ticket) => serving.claims!.recall(ticket)),
      [false, true, true],
    );
    held.open();
    await serving.until(() => serving.isAnswered(1));
    await turns();
    assert.equal(serving.results.size, 1);
  });

  it("that loop leave the loop of events a turn now and then", async () => {
    const serving = new Serving({ task: () => spin(4) });
    let isHeard = false;
    setImmediate(() => (isHeard = true));
    const heard: boolean[] = [];
    serving.run(...Array.from({ length: 8 }, (_, ticket) => ({ ticket })));
    await serving.until(() => {
      heard.push(isHeard && serving.results.size < 8);
      return serving.results.size === 8;
    });
    assert.ok(heard.includes(true), "nothing else happened until the end");
  });
});

describe("how long a task took", () => {
  /** Milliseconds by ticket, on a clock that only the tasks move. */
  function timed(module: (wait: (ms: number) => void) => Record<string, () => unknown>, concurrency: number) {
    return async (t: TestContext, ...tasks: Task[]): Promise<Map<number, number>> => {
      let now = 1_000;
      t.mock.method(performance, "now", () => now);
      const serving = new Serving(
        module((ms) => {
          now += ms;
        }),
        { concurrency },
      );
      await serving.perform(...tasks);
      return new Map(
        serving.replies.flatMap(([tickets, micros]) => tickets.map((ticket, at) => [ticket, micros[at]! / 1_000])),
      );
    };
  }

  it("is its own time, whatever ran before it in the same message", async (t) => {
    const times = await timed((wait) => ({ long: () => wait(7), short: () => wait(1) }), 1)(
      t,
      ...[1, 2, 3, 4, 5].map((ticket) => ({ ticket, name: ticket === 2 ? "long" : "short" })),
    );
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((ticket) => times.get(ticket)),
      [1, 7, 1, 1, 1],
    );
  });

  it("is not that of one that threw", async (t) => {
    let now = 1_000;
    t.mock.method(performance, "now", () => now);
    const serving = new Serving({
      task(input: string) {
        now += 1;
        if (input === "bad") throw new Error(input);
      },
    });
    await serving.perform(...["good", "good", "bad", "good"].map((input, ticket) => ({ ticket, input })));
    assert.deepEqual(
      serving.replies.flatMap(([, micros]) => micros),
      [1_000, 1_000, 1_000],
    );
  });

  it("is not that of others at once, before their first await and after", async (t) => {
    const module = (wait: (ms: number) => void) => ({
      short: () => wait(1),
      async slow() {
        wait(20);
        await turns(1);
        wait(30);
      },
    });
    const times = await timed(module, 2)(
      t,
      ...[1, 2, 3, 4, 5].map((ticket) => ({ ticket, name: ticket === 3 ? "slow" : "short" })),
    );
    assert.deepEqual(
      [1, 2, 4, 5].map((ticket) => times.get(ticket)),
      [1, 1, 1, 1],
    );
    assert.ok(times.get(3)! >= 50);
  });

  it("begins when its hand is free, where it came while others ran", async (t) => {
    let now = 1_000;
    t.mock.method(performance, "now", () => now);
    const { promise, open } = gate();
    const serving = new Serving({
      async fails() {
        await promise;
        now += 30;
        throw new Error("late");
      },
      short: () => void (now += 1),
    });
    serving.run(...["short", "fails", "short"].map((name, ticket) => ({ ticket, name })));
    serving.run({ ticket: 3, name: "short" });
    open();
    await serving.until(() => serving.isAnswered(3));
    assert.deepEqual(
      serving.replies.flatMap(([, micros]) => micros),
      [1_000, 1_000, 1_000],
    );
  });

  it("does not count the sending of what was before it", async (t) => {
    let now = 1_000;
    t.mock.method(performance, "now", () => now);
    const serving = new Serving({ large: () => new Map([[1, 2]]), small: () => 1 });
    const post = serving.post.bind(serving);
    t.mock.method(serving, "post", (...args: Parameters<typeof post>) => {
      now += 1;
      post(...args);
    });
    const names = ["small", "small", "large", "small", "small", "small", "small"];
    await serving.perform(
      ...names.map(
        (name, ticket): Task => (ticket === 5 ? { ticket, name, extras: { isTimed: true } } : { ticket, name }),
      ),
    );
    assert.deepEqual(
      serving.replies.flatMap(([, micros]) => micros),
      names.map(() => 0),
    );
  });
});

describe("a task that throws", () => {
  it("fails with what it threw, at once or later", async () => {
    const serving = new Serving({
      task(input: unknown) {
        throw input;
      },
      async later(input: unknown) {
        throw input;
      },
      *generator(input: unknown) {
        yield 1;
        throw input;
      },
    });
    const error = Object.assign(new RangeError("too far"), { code: "E_FAR" });
    for (const [at, name] of ["task", "later", "generator"].entries()) {
      await serving.perform({ ticket: at, name, input: error });
      const failure = serving.failures.get(at)!;
      assert.equal(failure.how, THROWN);
      assert.ok(failure.error instanceof RangeError);
      assert.deepEqual([failure.error.message, Reflect.get(failure.error, "code")], ["too far", "E_FAR"]);
    }
    for (const [at, thrown] of [null, undefined, 7, "text"].entries()) {
      await serving.perform({ ticket: 10 + at, input: thrown });
      assert.equal(serving.failures.get(10 + at)!.error, thrown);
    }
  });

  it("fails for good where the error says so", async () => {
    const serving = new Serving({
      task() {
        throw new PermanentError("never");
      },
    });
    await serving.perform({ ticket: 1 });
    assert.equal(serving.failures.get(1)!.how, PERMANENT);
  });

  it("fails where there is no such task, and says which ones there are", async () => {
    const serving = new Serving({ task: () => 1, other: () => 2 });
    for (const [ticket, name] of ["nobody", "setup", "constructor", "__proto__", ""].entries()) {
      await serving.perform({ ticket, name });
      const { how, error } = serving.failures.get(ticket)!;
      assert.equal(how, UNKNOWN_TASK);
      assert.ok(error.message.includes(`"${name}"`) && error.message.includes('"task", "other"'), error.message);
    }
  });

  it("may ask to run later, or elsewhere", async () => {
    const serving = new Serving({
      task(input: Error) {
        throw input;
      },
    });
    const asks = [
      new DeferTask(),
      new DeferTask({ priority: 3, delayMs: 50 }),
      new DeferTask({ priority: Number.NEGATIVE_INFINITY }),
      new WorkerBusy({ retryAfterMs: 20 }),
    ];
    serving.run(...asks.map((input, ticket) => ({ ticket, input })));
    await serving.until(() => serving.events.length >= asks.length);
    assert.deepEqual(serving.eventsOf(DEFERRED), [
      [DEFERRED, 0, null, 0],
      [DEFERRED, 1, 3, 50],
      [DEFERRED, 2, Number.NEGATIVE_INFINITY, 0],
    ]);
    assert.deepEqual(serving.eventsOf(REFUSED), [[REFUSED, 3, 20]]);
  });

  it("fails for good where it asks for what cannot be", async () => {
    const serving = new Serving({
      task(input: Error) {
        throw input;
      },
    });
    const asks = [
      new DeferTask({ delayMs: -1 }),
      new DeferTask({ delayMs: Number.NaN }),
      new DeferTask({ priority: Number.NaN }),
      new DeferTask({ priority: "high" as never }),
      new WorkerBusy({ retryAfterMs: -5 }),
      new WorkerBusy({ retryAfterMs: "soon" as never }),
    ];
    await serving.perform(...asks.map((input, ticket) => ({ ticket, input })));
    for (const ticket of asks.keys()) assert.equal(serving.failures.get(ticket)!.how, PERMANENT);
  });
});

describe("draining", () => {
  it("tears down after the last task, and closes the port at the very end", async () => {
    const journal: string[] = [];
    const held = gate();
    const serving: Serving = new Serving({
      async task(input: number) {
        await held.promise;
        journal.push(`task ${input}`);
      },
      async teardown() {
        await turns(1);
        journal.push(`teardown, ${serving.isClosed ? "closed" : "open"}`);
      },
    });
    serving.run({ ticket: 1, input: 1 }, { ticket: 2, input: 2 });
    serving.tell([DRAIN]);
    await turns();
    assert.deepEqual(journal, []);
    held.open();
    await serving.until(() => serving.isClosed);
    assert.deepEqual(journal, ["task 1", "task 2", "teardown, open"]);
    assert.equal(serving.results.size, 2);
  });

  it("closes an idle worker's port at once, also where it has nothing to tear down", async () => {
    const serving = new Serving({ task: () => 1 });
    serving.tell([DRAIN]);
    await serving.until(() => serving.isClosed);
  });

  it("tells what the teardown throws", async () => {
    const serving = new Serving({
      teardown() {
        throw new Error("cannot");
      },
    });
    serving.tell([DRAIN]);
    await serving.until(() => serving.isClosed);
    assert.equal((fromErrorRecord(serving.eventsOf(STRAY)[0]![2]) as Error).message, "cannot");
  });

  it("ends once, though it is told twice", async () => {
    let times = 0;
    const serving = new Serving({ teardown: () => times++ });
    serving.tell([DRAIN]);
    serving.tell([DRAIN]);
    await serving.until(() => serving.isClosed);
    assert.equal(times, 1);
  });

  it("waits until what was taken back is skipped", async () => {
    const held = gate();
    const serving = new Serving({ task: () => held.promise }, { claims: true });
    serving.run({ ticket: 1 }, { ticket: 2 });
    serving.claims!.recall(2);
    serving.tell([DRAIN]);
    held.open();
    await serving.until(() => serving.isClosed);
    assert.deepEqual([...serving.results.keys()], [1]);
  });
});

describe("a request of a kind that is not known here", () => {
  it("is nothing", async () => {
    const serving = new Serving({ task: () => 1 });
    serving.tell([99, "what"] as never);
    await serving.perform({ ticket: 1 });
    assert.equal(serving.results.get(1), 1);
  });
});
