// Laws 1, 4 and 5 over a backend that misbehaves: late, repeated and invented replies, and workers that are killed at random.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { Pool } from "../../index.ts";
import { type Faults, faulty } from "../faulty.ts";
import { seed } from "../random.ts";
import { assertAllSettledOnce, collect, it, range, settlements, type Tasks, tasksModule } from "../stage.ts";
import type { Subject } from "../subject.ts";

export function faults(subject: Subject): void {
  const { traits } = subject;

  /** 600 tasks one by one, then 600 items in chunks: every one settles once, with its own value. */
  async function assertUnharmed(
    t: { after(fn: () => Promise<void>): void },
    count: number,
    odds: Faults,
  ): Promise<void> {
    const backend = subject.open(tasksModule, traits.startsWorkers ? { size: 2 } : {});
    const pool = new Pool<Tasks>(faulty(backend, odds), { retries: 100, retryDelayMs: 1, poisonLimit: 100 });
    t.after(() => pool.terminate());
    const times = settlements(pool);

    const results = await Promise.all(range(count).map((n) => pool.run("echo", { n })));
    await pool.idle();

    assert.deepEqual(
      results,
      range(count).map((n) => ({ n })),
    );
    assertAllSettledOnce(pool, times, count);
    assert.deepEqual(await collect(pool.imap("echo", range(count), { chunkSize: 20 })), range(count));
    await pool.close();
  }

  describe("whatever a backend does to its messages", () => {
    const seeded = seed();

    it(`late, repeated and invented replies change nothing (seed ${seeded})`, async (t) => {
      await assertUnharmed(t, 600, { seed: seeded, delay: 0.3, repeat: 0.3, invent: 0.3 });
    });

    if (traits.canKill) {
      it(`workers killed at random, and their replies after their death, change nothing (seed ${seeded})`, async (t) => {
        // Each that is killed with many tasks sends them on alone, one message each, and any of those may kill the next.
        await assertUnharmed(t, 150, { seed: seeded, kill: 0.1, delay: 0.1, repeat: 0.1, invent: 0.1, haunt: 1 });
      });
    }
  });
}
