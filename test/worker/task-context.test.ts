import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ABORT, LABEL, LOG, MEMORY, OUTPUT, PROGRESS } from "../../src/protocol/messages.ts";
import type { TaskContext } from "../../src/worker/task-context.ts";
import { gate, Serving, turns } from "./serving.ts";

describe("what a task says on the way", () => {
  it("comes before its result, and in order", async () => {
    const serving = new Serving({
      task(_: unknown, context: TaskContext) {
        const { progress, log, setLabel } = context;
        progress(1);
        log("a", { b: 2 });
        setLabel("label");
        progress({ two: 2 });
        return "end";
      },
    });
    await serving.perform({ ticket: 1, id: "x" });
    const story = serving.said.filter((one) => !Array.isArray(one) || one[0] !== MEMORY);
    assert.deepEqual(story, [
      [PROGRESS, 1, "x", 1],
      [LOG, "x", ["a", { b: 2 }]],
      [LABEL, 1, "label"],
      [PROGRESS, 1, "x", { two: 2 }],
      { ticket: 1, value: "end" },
    ]);
  });

  it("comes whole and in order, and before the result, where there is much of it", async () => {
    const serving = new Serving({
      async task(_: unknown, { progress }: TaskContext) {
        await turns(1);
        for (let i = 0; i < 50; i++) progress(i);
        return "end";
      },
    });
    await serving.perform({ ticket: 1 });
    assert.deepEqual(
      serving.eventsOf(PROGRESS).map((event) => event[3]),
      Array.from({ length: 50 }, (_, i) => i),
    );
    assert.deepEqual(serving.said.at(-1), { ticket: 1, value: "end" });
  });

  it("is heard while the task loops", () => {
    const heard: number[] = [];
    const serving: Serving = new Serving({
      task(_: unknown, { progress }: TaskContext) {
        progress("half");
        heard.push(serving.eventsOf(PROGRESS).length);
      },
    });
    serving.run({ ticket: 1 });
    assert.deepEqual(heard, [1]);
  });

  it("is what it was when it was said", async () => {
    const serving = new Serving({
      async task(_: unknown, { progress }: TaskContext) {
        const value = { step: 0, deep: [0] };
        for (let step = 1; step <= 40; step++) {
          value.step = step;
          value.deep[0] = step;
          progress(value);
        }
      },
    });
    await serving.perform({ ticket: 1 });
    assert.deepEqual(
      serving.eventsOf(PROGRESS).map((event) => event[3]),
      Array.from({ length: 40 }, (_, i) => ({ step: i + 1, deep: [i + 1] })),
    );
  });

  it("is left out where it cannot be copied, and the task goes on", async () => {
    const serving = new Serving({
      task(_: unknown, { progress, log }: TaskContext) {
        progress(() => {});
        progress(1);
        log(() => {}, Symbol("s"), new WeakMap(), 2n);
        return "end";
      },
    });
    await serving.perform({ ticket: 1 });
    assert.deepEqual(
      serving.eventsOf(PROGRESS).map((event) => event[3]),
      [1],
    );
    assert.deepEqual(serving.eventsOf(LOG)[0]![2].slice(1), ["Symbol(s)", "[object WeakMap]", 2n]);
    assert.equal(serving.results.get(1), "end");
  });

  it("is nothing once the task is over, but for its log", async () => {
    let late!: TaskContext;
    const serving = new Serving({
      task(_: unknown, context: TaskContext) {
        late = context;
      },
    });
    await serving.perform({ ticket: 1 });
    late.progress("late");
    late.setLabel("late");
    late.log("late");
    await turns();
    assert.deepEqual(serving.eventsOf(PROGRESS), []);
    assert.deepEqual(serving.eventsOf(LABEL), []);
    assert.equal(serving.eventsOf(LOG).length, 1);
  });

  it("tells which task wrote it", async () => {
    const serving: Serving = new Serving({
      async task(input: string) {
        await turns(1);
        serving.loop.output(1, input);
      },
    });
    serving.loop.output(2, "outside");
    await serving.perform({ ticket: 1, id: "x", input: "a" }, { ticket: 2, id: "y", input: "b" });
    await serving.until(() => serving.eventsOf(OUTPUT).length === 3);
    assert.deepEqual(serving.eventsOf(OUTPUT), [
      [OUTPUT, null, 2, "outside"],
      [OUTPUT, "x", 1, "a"],
      [OUTPUT, "y", 1, "b"],
    ]);
  });
});

describe("an abort", () => {
  it("is seen by the task, whenever it asks", async () => {
    const held = gate();
    const serving = new Serving(
      {
        async early(_: unknown, { signal }: TaskContext) {
          await held.promise;
          return signal.aborted;
        },
        async late(_: unknown, context: TaskContext) {
          await held.promise;
          return context.signal.aborted;
        },
        async told(_: unknown, { signal }: TaskContext) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          throw signal.reason;
        },
        untouched: (_: unknown, { signal }: TaskContext) => signal.aborted,
      },
      { concurrency: 3 },
    );
    serving.run(
      { ticket: 1, name: "early" },
      { ticket: 2, name: "late" },
      { ticket: 3, name: "told" },
      { ticket: 4, name: "untouched" },
    );
    for (const ticket of [1, 2, 3, 99]) serving.tell([ABORT, ticket]);
    held.open();
    await serving.until(() => [1, 2, 3, 4].every((ticket) => serving.isAnswered(ticket)));
    assert.deepEqual(
      [1, 2, 4].map((ticket) => serving.results.get(ticket)),
      [true, true, false],
    );
    assert.equal(serving.failures.get(3)!.error.name, "AbortError");
  });
});
