// What TypeScript makes of a task module. Nothing here is about values: the file is right when it compiles.

import { describe, it } from "node:test";
import { inline } from "../../src/backends/inline/index.ts";
import { Pool, type Task } from "../../src/index.ts";
import type * as tasks from "./sample-tasks.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only where `Actual` is exactly `Expected`. */
function expectType<Expected>(): <Actual>(_: Actual & (Same<Actual, Expected> extends true ? unknown : never)) => void {
  return () => {};
}

describe("the types of a pool", () => {
  it("are inferred from the task module", async () => {
    const pool = new Pool<typeof tasks>(inline(new URL("./sample-tasks.ts", import.meta.url), { size: 1 }));

    expectType<Task<number>>()(pool.run("double", 1));
    expectType<number>()(await pool.run("double", 1));
    expectType<number>()(await pool.run("sync", "four"));
    expectType<{ file: string }>()(await pool.run("withContext", { file: "a" }));
    expectType<string>()(await pool.run("default", true));
    expectType<void>()(await pool.run("noInput", undefined));

    expectType<number[]>()(await pool.map("double", [1, 2]));
    expectType<number[]>()(await pool.map("double", new Set([1])));
    expectType<Task<number>[]>()(pool.runAll("double", [1, 2]));
    for await (const value of pool.imap("sync", ["a"])) expectType<number>()(value);
    for await (const outcome of pool.imap("double", [1], { onError: "collect" })) {
      if (outcome.ok) expectType<number>()(outcome.value);
      else expectType<unknown>()(outcome.error);
      expectType<number>()(outcome.index);
    }

    for await (const value of pool.stream("numbers", 2)) expectType<number>()(value);
    for await (const value of pool.stream("letters", "ab")) expectType<string>()(value);
    for await (const value of pool.stream("double", 2)) expectType<number>()(value);
    expectType<number[]>()(await pool.run("numbers", 2));

    for (const result of await pool.broadcast("double", 1)) {
      expectType<string>()(result.workerId);
      if (result.ok) expectType<number>()(result.value);
      else expectType<unknown>()(result.error);
    }

    await pool.close();
  });

  it("refuse wrong names and inputs", () => {
    const check = (pool: Pool<typeof tasks>): unknown[] => [
      // @ts-expect-error: there is no such task
      pool.run("tripple", 1),
      // @ts-expect-error: the input is a number
      pool.run("double", "one"),
      // @ts-expect-error: the input is missing a property
      pool.run("withContext", {}),
      // @ts-expect-error: setup is no task
      pool.run("setup", {}),
      // @ts-expect-error: teardown is no task
      pool.run("teardown", undefined),
      // @ts-expect-error: a value that is no function is no task
      pool.run("limit", 1),
      // @ts-expect-error: the items are numbers
      pool.map("double", ["a"]),
      // @ts-expect-error: there is no such option
      pool.run("double", 1, { timeout: 5 }),
      // @ts-expect-error: a priority is a number
      pool.run("double", 1, { priority: "high" }),
      // @ts-expect-error: there is no such event
      pool.on("taskDone", () => {}),
    ];
    void check;
  });

  it("tell a listener what its event has", () => {
    const check = (pool: Pool<typeof tasks>): void => {
      pool.on("taskSettled", ({ id, outcome, attempt }) => {
        expectType<string | number>()(id);
        expectType<"completed" | "failed" | "cancelled">()(outcome);
        expectType<number>()(attempt);
      });
      const remove = pool.on("workerUp", ({ worker }) => expectType<string>()(worker.id));
      remove();
      expectType<string>()(pool.snapshot().name);
      expectType<"queued" | "running" | "completed" | "failed" | "cancelled">()(pool.run("double", 1).state);
    };
    void check;
  });
});
