import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { threads } from "../../src/backends/threads/index.ts";
import { Pool } from "../../src/index.ts";

describe("a long task", () => {
  it("holds up no answer of a task in front of it, even where none of its name was long before", async () => {
    const pool = new Pool(threads(new URL("../fixtures/spins.ts", import.meta.url), { size: 2 }));
    try {
      // What comes first is measured, and then much is sent ahead.
      await Promise.all(Array.from({ length: 4_000 }, () => pool.run("spin", 0)));
      const order: number[] = [];
      const inputs = Array.from({ length: 400 }, (_, at) => (at === 100 ? 400 : 0));
      await Promise.all(
        inputs.map(async (ms) => {
          await pool.run("spin", ms);
          order.push(ms);
        }),
      );
      assert.equal(order.at(-1), 400);
    } finally {
      await pool.close();
    }
  });
});
