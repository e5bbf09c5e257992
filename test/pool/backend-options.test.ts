// The options that only threads and processes have: env, argv, execArgv, resourceLimits, recycling by memory.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { processes } from "../../src/backends/processes/index.ts";
import { threads } from "../../src/backends/threads/index.ts";
import { ConfigError, Pool } from "../../src/index.ts";
import { it, scratch, witness, writeModule } from "../../src/testing/stage.ts";

const environment = new URL("../fixtures/tells-environment.ts", import.meta.url);
type Environment = typeof import("../fixtures/tells-environment.ts");

for (const [name, open] of [
  ["threads", threads],
  ["processes", processes],
] as const) {
  describe(`options of ${name}`, () => {
    it("env is what the worker sees beside what this process has", async (t) => {
      const pool = new Pool<Environment>(open(environment, { size: 1, env: { SHADE: "blue" } }));
      t.after(() => pool.terminate());

      assert.equal(await pool.run("env", "SHADE"), "blue");
      assert.equal(await pool.run("env", "PATH"), process.env["PATH"]);
      assert.equal(process.env["SHADE"], undefined);
    });

    it("argv is the rest of the worker's argv", async (t) => {
      const pool = new Pool<Environment>(open(environment, { size: 1, argv: ["--verbose", "2"] }));
      t.after(() => pool.terminate());

      assert.deepEqual((await pool.run("argv", undefined as never)).slice(-2), ["--verbose", "2"]);
    });

    it("execArgv are flags of the worker's Node", async (t) => {
      const pool = new Pool<Environment>(open(environment, { size: 1, execArgv: ["--no-warnings"] }));
      t.after(() => pool.terminate());

      assert.ok((await pool.run("execArgv", undefined as never)).includes("--no-warnings"));
    });

    it("maxRssMb replaces a worker that has grown too large, and no task notices", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const module = writeModule(
        directory,
        "grows.mjs",
        `import { appendFileSync } from "node:fs";
         appendFileSync(${JSON.stringify(seen.file)}, "loaded\\n");
         const kept = [];
         export function grow(megabytes) {
           for (let n = 0; n < megabytes; n += 1) kept.push(new Array(131072).fill(0.5));
           return kept.length;
         }`,
      );
      const pool = new Pool<{ grow(megabytes: number): number }>(
        open(module, { size: 1, maxRssMb: name === "threads" ? 60 : 150 }),
      );
      t.after(() => pool.terminate());

      const attempts = new Set<number>();
      while (seen.lines().length < 2) {
        const task = pool.run("grow", 20);
        await task;
        attempts.add(task.attempt);
        // A worker tells its memory now and then, not with every answer.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }

      assert.deepEqual(attempts, new Set([1]));
    });

    for (const [options, named] of [
      [{ resourceLimits: { maxOldGenerationSizeMb: -1 } }, "maxOldGenerationSizeMb"],
      [{ resourceLimits: { heap: 5 } }, "heap"],
      [{ env: "PATH" }, "env"],
      [{ argv: "--x" }, "argv"],
      [{ execArgv: [7] }, "execArgv"],
      [{ maxRssMb: 0 }, "maxRssMb"],
    ] as const) {
      it(`refuses ${JSON.stringify(options)}`, () => {
        assert.throws(
          () => open(environment, options as never),
          (error: unknown) => error instanceof ConfigError && error.message.includes(named),
        );
      });
    }
  });
}

describe("options of processes alone", () => {
  it("a resource limit that V8's flags do not have is refused", () => {
    assert.throws(() => processes(environment, { resourceLimits: { stackSizeMb: 4 } as never }), ConfigError);
  });
});
