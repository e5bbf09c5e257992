import assert from "node:assert/strict";
import { it } from "node:test";
import { threads } from "../../src/backends/threads/index.ts";
import { Pool } from "../../src/index.ts";

// A stream's first values and the answers of the tasks in front of it may come in one message, values first.
it("an unread stream behind short tasks leaves its hand to others", async (t) => {
  const pool = new Pool<any>(threads(new URL("../../src/testing/tasks.ts", import.meta.url), { size: 1 }));
  t.after(() => pool.terminate());
  for (let n = 0; n < 300; n++) await pool.run("promised", n);
  const front = [1, 2, 3].map((n) => pool.run("promised", n));
  const stream = pool.stream("count", 1_000);

  for (let n = 0; n < 50; n++) assert.equal(await pool.run("promised", n), n + 1);

  assert.deepEqual(await Promise.all(front), [2, 3, 4]);
  assert.deepEqual(await stream.next(), { value: 0, done: false });
});
