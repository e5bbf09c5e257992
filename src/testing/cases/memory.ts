// Law 7: memory is bounded by what is queued and the window, never by what has been done.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe } from "node:test";
import { heapUsed, it, openPool, range } from "../stage.ts";
import type { Subject } from "../subject.ts";

const megabyte = 2 ** 20;

export function memory(subject: Subject): void {
  // What is little is lost among much: it takes tens of thousands of tasks to see that nothing is left.
  if (subject.traits.isFast === false) return;
  describe("law 7: memory is bounded by what waits, not by what is done", () => {
    it("through imap, 60,000 items leave nothing", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      let sum = 0;
      async function flow(items: number): Promise<void> {
        for await (const value of pool.imap("echo", range(items), { window: 1_000 })) sum += value as number;
      }
      await flow(5_000);
      const before = await heapUsed();

      await flow(60_000);

      const grown = (await heapUsed()) - before;
      assert.ok(grown < 4 * megabyte, `the heap has grown by ${grown} bytes`);
      assert.equal(sum, (4_999 * 5_000) / 2 + (59_999 * 60_000) / 2);
    });

    it("through run, 30,000 finished tasks leave nothing", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      async function burst(): Promise<void> {
        await Promise.all(range(10_000).map((n) => pool.run("echo", n)));
      }
      await burst();
      const before = await heapUsed();

      await burst();
      await burst();
      await burst();

      const grown = (await heapUsed()) - before;
      assert.ok(grown < 4 * megabyte, `the heap has grown by ${grown} bytes`);
    });

    it("ten thousand tasks on one signal leave no listener on it", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const warnings: Error[] = [];
      const onWarning = (warning: Error): void => void warnings.push(warning);
      process.on("warning", onWarning);
      t.after(() => process.off("warning", onWarning));
      const { signal } = new AbortController();

      await Promise.all(range(10_000).map((n) => pool.run("echo", n, { signal })));
      await pool.map("echo", range(100), { signal });

      assert.equal(getEventListeners(signal, "abort").length, 0);
      assert.deepEqual(warnings, []);
    });
  });
}
