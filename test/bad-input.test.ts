// Wrong input of every kind: a clear error that names the thing, at once, and nothing else lost.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import { BackendUnavailableError, ConfigError, Pool, PoolError, UnknownTaskError } from "../src/index.ts";
import {
  assertIs,
  it,
  openPool,
  rejection,
  rejectionOf,
  scratch,
  tasksModule,
  writeModule,
} from "../src/testing/stage.ts";
import { subject as inline } from "./fixtures/subjects/inline.ts";
import { subject as processes } from "./fixtures/subjects/processes.ts";
import { subject as threads } from "./fixtures/subjects/threads.ts";

/** Throws ConfigError, synchronously, whose message has all of `named`. */
function assertRefused(act: () => unknown, ...named: readonly string[]): void {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  assertIs(ConfigError, thrown);
  assert.equal(thrown.code, "ERR_CONFIG");
  for (const text of named) assert.ok(thrown.message.includes(text), `"${text}" in "${thrown.message}"`);
}

const wrongBackendOptions: readonly (readonly [options: Record<string, unknown>, ...named: string[]])[] = [
  [{ sise: 2 }, "sise"],
  [{ size: -1 }, "size", "-1"],
  [{ size: Number.NaN }, "size", "NaN"],
  [{ size: 1.5 }, "size", "1.5"],
  [{ size: Number.POSITIVE_INFINITY }, "size"],
  [{ size: "4" }, "size", "4"],
  [{ size: null }, "size"],
  [{ size: { min: 3, max: 2 } }, "size"],
  [{ size: { min: -1, max: 2 } }, "min"],
  [{ size: { max: 2, idle: 5 } }, "idle"],
  [{ size: { max: 2, idleMs: -5 } }, "idleMs"],
  [{ concurrency: 0 }, "concurrency", "0"],
  [{ concurrency: "many" }, "concurrency", "many"],
  [{ series: [7] }, "series"],
  [{ startTimeoutMs: -1 }, "startTimeoutMs"],
  [{ maxTasks: 0 }, "maxTasks"],
];

const wrongPoolOptions: readonly (readonly [options: Record<string, unknown>, ...named: string[]])[] = [
  [{ retry: 3 }, "retry"],
  [{ name: 7 }, "name", "7"],
  [{ maxQueue: -1 }, "maxQueue", "-1"],
  [{ maxQueue: Number.NaN }, "maxQueue", "NaN"],
  [{ retries: -1 }, "retries", "-1"],
  [{ retries: "3" }, "retries", "3"],
  [{ retryDelayMs: -1 }, "retryDelayMs"],
  [{ timeoutMs: Number.NaN }, "timeoutMs", "NaN"],
  [{ timeoutMs: "30s" }, "timeoutMs", "30s"],
  [{ agingMs: -1 }, "agingMs"],
  [{ poisonLimit: 0 }, "poisonLimit"],
  [{ abortGraceMs: -1 }, "abortGraceMs"],
  [{ graceMs: "long" }, "graceMs", "long"],
];

const wrongRunOptions: readonly (readonly [options: Record<string, unknown>, ...named: string[]])[] = [
  [{ timeout: 5 }, "timeout"],
  [{ priority: "high" }, "priority", "high"],
  [{ priority: Number.NaN }, "priority", "NaN"],
  [{ series: 7 }, "series", "7"],
  [{ timeoutMs: -1 }, "timeoutMs"],
  [{ deadlineMs: -1 }, "deadlineMs"],
  [{ retries: 1.5 }, "retries", "1.5"],
  [{ signal: {} }, "signal"],
  [{ id: {} }, "id"],
  [{ transfer: "buffer" }, "transfer"],
  [{ label: 7 }, "label"],
];

for (const subject of [inline, threads, processes]) {
  describe(`bad options of ${subject.name}`, () => {
    for (const [options, ...named] of wrongBackendOptions) {
      it(`${show(options)} is refused by the call that took it`, () => {
        assertRefused(() => subject.open(tasksModule, options as never), ...named);
      });
    }

    for (const module of [undefined, null, 7, {}, ""]) {
      it(`a module that is ${show(module)} is refused`, () => {
        assertRefused(() => subject.open(module as never, {}), "module");
      });
    }

    it("options that are no object are refused", () => {
      assertRefused(() => subject.open(tasksModule, 7 as never));
    });

    it("a module that is missing is named by its tasks, and the constructor does not throw", async (t) => {
      const pool = openPool(t, subject, { module: pathToFileURL(`${scratch(t)}/not-here.mjs`) });

      const error = await rejectionOf(BackendUnavailableError, pool.run("echo", 1));

      assert.match(error.message, /not-here\.mjs/);
      assert.ok(error.cause instanceof Error);
      await pool.close();
    });

    it("an unknown task is named, with the ones there are", async (t) => {
      const pool = openPool(t, subject, {
        module: writeModule(scratch(t), "two.mjs", "export const one = () => 1; export const two = () => 2;"),
      });

      const error = await rejectionOf(UnknownTaskError, pool.run("three" as never, 0 as never));

      assert.match(error.message, /"three"/);
      assert.match(error.message, /one/);
      assert.match(error.message, /two/);
    });
  });
}

describe("bad options of a pool", () => {
  for (const [options, ...named] of wrongPoolOptions) {
    it(`${show(options)} is refused by the constructor`, () => {
      assertRefused(() => new Pool(inline.open(tasksModule, {}), options as never), ...named);
    });
  }

  for (const backend of [undefined, null, 7, {}, [], "threads"]) {
    it(`a backend that is ${show(backend)} is refused`, () => {
      assertRefused(() => new Pool(backend as never), "backend");
    });
  }

  it("a backend that another pool has is refused", (t) => {
    const backend = inline.open(tasksModule, {});
    const pool = new Pool(backend);
    t.after(() => pool.terminate());

    assertRefused(() => new Pool(backend), "inline");
  });
});

describe("bad arguments of a call", () => {
  for (const [options, ...named] of wrongRunOptions) {
    it(`run with ${show(options)} gives a rejected task, and loses nothing`, async (t) => {
      const pool = openPool(t, inline);
      const before = pool.run("echo", "before");

      const task = pool.run("echo", 1, options as never);

      const error = await rejectionOf(ConfigError, task);
      for (const text of named) assert.ok(error.message.includes(text), `"${text}" in "${error.message}"`);
      assert.equal(await before, "before");
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it(`runAll with ${show(options)} throws, and adds nothing`, (t) => {
      const pool = openPool(t, inline);

      assertRefused(() => pool.runAll("echo", [1, 2], options as never), ...named.slice(0, 1));
      assert.equal(pool.snapshot().queued, 0);
    });
  }

  for (const name of [undefined, null, 7, {}, Symbol("s")]) {
    it(`a task name that is ${show(name)} gives a rejected task`, async (t) => {
      const pool = openPool(t, inline);

      assert.ok((await rejection(pool.run(name as never, 1 as never))) instanceof PoolError);
      assert.equal(await pool.run("echo", "next"), "next");
    });
  }

  it("map refuses inputs that cannot be iterated", async (t) => {
    const pool = openPool(t, inline);

    for (const inputs of [undefined, 7, {}])
      assertIs(ConfigError, await refusal(() => pool.map("echo", inputs as never)));
  });

  for (const options of [
    { chunkSize: 0 },
    { chunkSize: "big" },
    { window: 0 },
    { onError: "ignore" },
    { ordered: "yes" },
    { windo: 4 },
    { onSettled: 7 },
  ]) {
    it(`imap with ${show(options)} is refused`, async (t) => {
      const pool = openPool(t, inline);
      const act = async (): Promise<void> => {
        for await (const _ of pool.imap("echo", [1], options as never));
      };

      const error = await refusal(act);

      assertIs(ConfigError, error);
      assert.ok(error.message.includes(Object.keys(options)[0] as string), error.message);
    });
  }

  it("resize refuses what is no size, and an unknown backend", async (t) => {
    const pool = openPool(t, inline);

    for (const size of [-1, Number.NaN, 1.5, "2"])
      assertIs(ConfigError, await refusal(() => pool.resize(size as never)));
    assertIs(PoolError, await refusal(() => pool.resize(1, "nobody")));
    assert.equal(await pool.run("echo", "next"), "next");
  });

  it("on refuses an event that there is not, and a listener that is none", (t) => {
    const pool = openPool(t, inline);

    assertRefused(() => pool.on("taskDone" as never, () => {}), "taskDone");
    assertRefused(() => pool.on("taskSettled", "listener" as never), "taskSettled");
  });

  it("no bad call leaves an unhandled rejection that was awaited", async (t) => {
    const pool = openPool(t, threads);
    const tasks = [{}, { nonsense: 1 }, { priority: Number.NaN }].map((options, n) =>
      pool.run("echo", n, options as never),
    );

    const settled = await Promise.allSettled(tasks);

    assert.deepEqual(
      settled.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected"],
    );
  });
});

/** What a call throws, now or later. */
async function refusal(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  return assert.fail("Was not refused");
}

function show(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value) || '""';
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "number" && !Number.isFinite(inner) ? String(inner) : inner,
  );
}
