import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { command } from "../../src/backends/command/index.ts";
import { Pool } from "../../src/index.ts";
import { manyhands, program, tasks } from "./program.ts";

describe("manyhands worker", () => {
  it("serves a module's tasks to the pool that started it", async () => {
    const pool = new Pool(command([process.execPath, program, "worker", "--stdio", tasks], { size: 2 }));
    try {
      assert.deepEqual(await pool.map("double", [1, 2, 3]), [2, 4, 6]);
    } finally {
      await pool.close();
    }
  });
  it("needs a pool, and a module that is there", async () => {
    const alone = await manyhands(["worker", tasks]);
    assert.deepEqual([alone.status, alone.stdout], [2, ""]);
    assert.match(
      alone.stderr,
      /^manyhands: Cannot run a worker without a pool: add --connect URL to join a cluster, or --stdio/,
    );
    const missing = await manyhands(["worker", "--stdio", "./no-such-module.js"]);
    assert.deepEqual([missing.status, missing.stdout], [2, ""]);
    assert.match(missing.stderr, /^manyhands: Cannot serve "\.\/no-such-module\.js": there is no such file/);
  });
});
