// What surrounds a pool: how Node was started, other pools, other realms, other copies, polluted prototypes.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { Pool, PoolError, TaskCancelledError } from "../../src/index.ts";
import { closedGate, it, openPool, range, rejectionOf, scratch, started } from "../../src/testing/stage.ts";
import { subject as inline } from "../fixtures/subjects/inline.ts";
import { subject as processes } from "../fixtures/subjects/processes.ts";
import { subject as threads } from "../fixtures/subjects/threads.ts";

const execute = promisify(execFile);
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

async function oneTask(
  flags: readonly string[],
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ result: unknown; stderr: string }> {
  const { stdout, stderr } = await execute(process.execPath, [...flags, fixture("one-task.ts"), ...args], {
    env: { ...process.env, ...env },
  });
  return { result: stdout.trim() === "" ? undefined : JSON.parse(stdout), stderr };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

for (const name of ["threads", "processes"]) {
  describe(`how Node was started, with ${name}`, () => {
    it("--inspect is the parent's alone: no worker fights for its port", async () => {
      const { result, stderr } = await oneTask(
        [`--inspect=127.0.0.1:${await freePort()}`],
        [name, "typeOfGlobal", "process"],
      );

      assert.equal(result, "object");
      assert.doesNotMatch(stderr, /address already in use|failed/i);
      assert.equal(stderr.match(/Debugger listening/g)?.length, 1);
    });

    it("the flags of Node are passed on to the workers", async () => {
      assert.equal((await oneTask(["--expose-gc"], [name, "typeOfGlobal", "gc"])).result, "function");
    });

    it("NODE_OPTIONS with a module to load first works in the workers", async () => {
      const env = { NODE_OPTIONS: `--import=${new URL("../fixtures/marks-global.mjs", import.meta.url).href}` };

      assert.equal((await oneTask([], [name, "typeOfGlobal", "markedByLoader"], env)).result, "function");
    });

    it("the environment is passed on", async () => {
      assert.equal((await oneTask([], [name, "env", "PASSED_ON"], { PASSED_ON: "yes" })).result, "yes");
    });
  });
}

describe("polluted prototypes, other realms, other copies, other pools", () => {
  it("options are read as own properties only", async () => {
    const { stdout } = await execute(process.execPath, [fixture("polluted-prototype.ts")]);

    assert.deepEqual(JSON.parse(stdout), { results: [1, 2, 3], workers: 1 });
  });

  for (const subject of [inline, threads, processes]) {
    it(`values and options of another realm are as good as our own: ${subject.name}`, async (t) => {
      const pool = openPool(t, subject);
      const options = runInNewContext("({ priority: -1, id: 'foreign' })") as { priority: number; id: string };

      const task = pool.run("echo", runInNewContext("({ list: [1, new Date(0)], map: new Map([[1, 2]]) })"), options);

      assert.deepEqual(await task, { list: [1, new Date(0)], map: new Map([[1, 2]]) });
      assert.equal(task.id, "foreign");
    });
  }

  it("an error is an instance of another copy's class", async (t) => {
    const copy = (await import(
      `${new URL("../../src/protocol/errors.ts", import.meta.url).href}?copy`
    )) as typeof import("../../src/protocol/errors.ts");
    assert.notEqual(copy.PoolError, PoolError);
    const pool = openPool(t, inline);
    pool.pause();
    const task = pool.run("echo", 1);
    task.cancel();

    const error = await rejectionOf(TaskCancelledError, task);

    assert.ok(error instanceof copy.TaskCancelledError);
    assert.ok(error instanceof copy.PoolError);
    assert.ok(!(error instanceof copy.TaskTimeoutError));
    assert.ok(!(new Error("plain") instanceof copy.PoolError));
  });

  it("two pools in one process never meet", async (t) => {
    const directory = scratch(t);
    const gate = closedGate(directory);
    const one = openPool(t, threads, { pool: { name: "same" } });
    const two = openPool(t, threads, { pool: { name: "same" } });
    const held = one.run("hold", { gate: gate.gate, value: "one" }, { id: 1 });
    await started(held);

    assert.equal(await two.run("echo", "two", { id: 1 }), "two");
    two.pause();
    await two.terminate();
    gate.open();

    assert.equal(await held, "one");
  });

  it("importing the package starts nothing", async () => {
    const program = `
      await import("node:util"); // looks at stderr by itself
      const before = process.getActiveResourcesInfo().length;
      const listeners = process.eventNames().length;
      await import(${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)});
      console.log(process.getActiveResourcesInfo().length - before, process.eventNames().length - listeners);
    `;
    const { stdout } = await execute(process.execPath, ["--input-type=module", "-e", program]);

    assert.equal(stdout.trim(), "0 0");
  });

  it("many pools at once end well", async (t) => {
    const pools = range(6).map(
      () =>
        new Pool<typeof import("../fixtures/echoes.ts")>(
          threads.open(new URL("../fixtures/echoes.ts", import.meta.url), { size: 1 }),
        ),
    );
    t.after(() => Promise.all(pools.map((pool) => pool.terminate())));

    assert.deepEqual(await Promise.all(pools.map((pool, n) => pool.run("echo", n))), range(6));
    await Promise.all(pools.map((pool) => pool.close()));
  });
});
