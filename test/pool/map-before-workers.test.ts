import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { threads } from "../../src/backends/threads/index.ts";
import { Pool } from "../../src/index.ts";
import type * as tasks from "../fixtures/spins.ts";

describe("a map that begins before there is any worker", () => {
  it("goes on when one comes, whatever its window and chunks are", async () => {
    const pool = new Pool<typeof tasks>(threads(new URL("../fixtures/spins.ts", import.meta.url), { size: 0 }));
    try {
      const results: number[] = [];
      const all = (async () => {
        for await (const ms of pool.imap("spin", [0, 0, 0, 0, 0, 0], { window: 4, chunkSize: 100 })) results.push(ms);
      })();
      await pool.resize(1);
      await all;
      assert.deepEqual(results, [0, 0, 0, 0, 0, 0]);
    } finally {
      await pool.close();
    }
  });
});
