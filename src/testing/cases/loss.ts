// Law 4: the death of a worker harms only what ran on it, is repaired, and is told.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { WorkerLostError } from "../../index.ts";
import {
  allUp,
  assertAllSettledOnce,
  closedGate,
  collect,
  eventsOf,
  it,
  nextEvent,
  openPool,
  range,
  rejectionOf,
  scratch,
  settlements,
  started,
  until,
  witness,
} from "../stage.ts";
import type { Subject } from "../subject.ts";

export function loss(subject: Subject): void {
  const { traits } = subject;
  if (!traits.losesWorkers) return;

  describe("law 4: a worker's death harms only what ran on it", () => {
    for (const code of [0, 3]) {
      it(`settles a task that exits with code ${code}, and the next one runs`, async (t) => {
        const pool = openPool(t, subject, { size: 1 });

        const error = await rejectionOf(WorkerLostError, pool.run("exit", code, { id: "exiting", retries: 0 }));

        assert.deepEqual(
          {
            code: error.code,
            taskId: error.taskId,
            attempt: error.attempt,
            exitCode: error.exitCode,
            outOfMemory: error.outOfMemory,
          },
          { code: "ERR_WORKER_LOST", taskId: "exiting", attempt: 1, exitCode: code, outOfMemory: false },
        );
        assert.equal(typeof error.workerId, "string");
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }

    it("tries the task again on a new worker", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });

      const task = pool.run("exitUntil", { file: seen.file, succeedOn: 3, code: 1 });

      assert.equal(await task, 3);
      assert.equal(task.attempt, 3);
      assert.deepEqual(seen.lines(), ["1", "2", "3"]);
    });

    it("gives a task that always exits two more tries, then says why it failed", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });

      const error = await rejectionOf(
        WorkerLostError,
        pool.run("recordAndExit", { file: seen.file, line: "ran", code: 4 }),
      );

      assert.deepEqual({ attempt: error.attempt, exitCode: error.exitCode }, { attempt: 3, exitCode: 4 });
      assert.deepEqual(seen.lines(), ["ran", "ran", "ran"]);
    });

    it("condemns a task at the poison limit, however many retries it has", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1, pool: { poisonLimit: 2, retryDelayMs: 1 } });

      await rejectionOf(
        WorkerLostError,
        pool.run("recordAndExit", { file: seen.file, line: "ran", code: 4 }, { retries: 20 }),
      );

      assert.deepEqual(seen.lines(), ["ran", "ran"]);
    });

    it("never sends an atMostOnce task twice", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      const options = { retries: 5, atMostOnce: true };

      await rejectionOf(WorkerLostError, pool.run("recordAndExit", { file: seen.file, line: "ran", code: 4 }, options));

      assert.deepEqual(seen.lines(), ["ran"]);
    });

    it("lets innocent neighbours of a poison task run, without retries of their own", async (t) => {
      const pool = openPool(t, subject, { size: 1, pool: { retries: 0 } });
      const times = settlements(pool);

      const settled = await Promise.allSettled(range(60).map((n) => pool.run("exitIf", { n, bad: n === 30 })));

      settled.forEach((outcome, n) => {
        if (n !== 30) assert.deepEqual(outcome, { status: "fulfilled", value: n });
        else assert.ok(outcome.status === "rejected" && outcome.reason instanceof WorkerLostError);
      });
      assertAllSettledOnce(pool, times, 60);
    });

    it("charges none of several tasks that ran on a lost worker: each goes again alone", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { size: 1, concurrency: 3, pool: { retries: 0 } });
      const neighbours = range(2).map((n) => pool.run("hold", { gate: gate.gate, value: n }));
      await Promise.all(neighbours.map(started));

      const poison = rejectionOf(WorkerLostError, pool.run("recordAndExit", { file: seen.file, line: "ran", code: 8 }));
      await seen.until(1);
      gate.open();

      assert.equal((await poison).exitCode, 8);
      assert.deepEqual(await Promise.all(neighbours), [0, 1]);
      assert.deepEqual(seen.lines(), ["ran", "ran"]);
    });

    it("a poison item of a map condemns only itself", async (t) => {
      const pool = openPool(t, subject, { size: 2, pool: { retries: 0 } });
      const items = range(60).map((n) => ({ n, bad: n === 11 || n === 42 }));

      const outcomes = await collect(pool.imap("exitIf", items, { onError: "collect", chunkSize: 10 }));

      outcomes.forEach((outcome, n) => {
        if (!items[n]?.bad) assert.deepEqual(outcome, { ok: true, value: n, index: n });
        else assert.ok(!outcome.ok && outcome.error instanceof WorkerLostError && outcome.index === n);
      });
    });

    it("replaces a worker that dies while idle, and says that it died", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const down = nextEvent(pool, "workerDown");
      assert.equal(await pool.run("exitSoon", 1), "still here");

      const { workerId, expected } = await down;

      assert.equal(expected, false);
      const { workerId: next } = await pool.run("whoami", undefined);
      assert.notEqual(next, workerId);
    });

    it("settles a task whose worker is gone a moment after it answered", async (t) => {
      const pool = openPool(t, subject, { size: 2 });

      assert.deepEqual(
        await Promise.all(range(6).map((n) => pool.run("exitAfterReturn", `value ${n}`))),
        range(6).map((n) => `value ${n}`),
      );
    });

    it("survives several workers that die in one tick", async (t) => {
      const directory = scratch(t);
      const pool = openPool(t, subject, { size: 3 });
      const times = settlements(pool);
      await allUp(pool);

      const dying = range(3).map((n) => pool.run("exitUntil", { file: `${directory}/${n}`, succeedOn: 2, code: 1 }));
      const others = range(50).map((n) => pool.run("echo", n));

      assert.deepEqual(await Promise.all(dying), [2, 2, 2]);
      assert.deepEqual(await Promise.all(others), range(50));
      assertAllSettledOnce(pool, times, 53);
      await until(() => pool.workers().length === 3, "three workers again");
    });

    it("settles a task whose worker dies while the pool closes", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      await allUp(pool);
      const lost = rejectionOf(WorkerLostError, pool.run("exit", 6, { retries: 0 }));
      const after = pool.run("echo", "after");

      await pool.close();

      assert.equal((await lost).exitCode, 6);
      assert.equal(await after, "after");
    });

    it("has the last lines that the worker wrote to stderr", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      pool.on("output", () => {});

      const error = await rejectionOf(
        WorkerLostError,
        pool.run("complainAndExit", "the disk is on fire", { retries: 0 }),
      );

      if (traits.capturesOutput) assert.match(error.stderr, /the disk is on fire/);
      assert.equal(error.exitCode, 7);
    });

    it("keeps the events in order: lost, replaced, run", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject, { size: 1 });
      await allUp(pool);
      const downs = eventsOf(pool, "workerDown");
      const ups = eventsOf(pool, "workerUp");
      const retried = eventsOf(pool, "taskRetried");

      await pool.run("exitUntil", { file: seen.file, succeedOn: 2, code: 1 });

      assert.equal(downs.length, 1);
      assert.equal(ups.length, 1);
      assert.equal(retried.length, 1);
      assert.ok(retried[0]?.error instanceof WorkerLostError);
    });

    if (traits.limitsMemory) {
      it("a task that runs out of memory is lost with that verdict, and the next one runs", async (t) => {
        const pool = openPool(t, subject, { size: 1, resourceLimits: { maxOldGenerationSizeMb: 24 } });

        const error = await rejectionOf(WorkerLostError, pool.run("exhaust", undefined as never, { retries: 0 }));

        assert.equal(error.outOfMemory, true);
        assert.match(error.message, /out of memory/);
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }

    if (traits.ownProcess) {
      for (const signal of ["SIGKILL", "SIGSEGV", "SIGTERM"] as const) {
        it(`settles a task whose process gets ${signal}`, async (t) => {
          const pool = openPool(t, subject, { size: 1 });

          const error = await rejectionOf(WorkerLostError, pool.run("sendMyself", signal, { retries: 0 }));

          assert.equal(error.signal, signal);
          assert.equal(await pool.run("echo", "next"), "next");
        });
      }

      it("settles a task that aborts its process", async (t) => {
        const pool = openPool(t, subject, { size: 1 });
        pool.on("output", () => {});

        const error = await rejectionOf(WorkerLostError, pool.run("abort", undefined as never, { retries: 0 }));

        assert.equal(error.signal, "SIGABRT");
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("tries again what ran on a process that is killed from outside", async (t) => {
        const directory = scratch(t);
        const gate = closedGate(directory);
        const pool = openPool(t, subject, { size: 2 });
        const first = pool.run("hold", { gate: gate.gate, value: "first" });
        const second = pool.run("hold", { gate: gate.gate, value: "second" });
        await Promise.all([started(first), started(second)]);
        const pids = pool.workers().map(({ pid }) => pid);

        for (const pid of pids) process.kill(pid as number, "SIGKILL");
        gate.open();

        assert.deepEqual(await Promise.all([first, second]), ["first", "second"]);
        assert.deepEqual([first.attempt, second.attempt], [2, 2]);
      });
    }

    it("a stream whose worker dies ends with an error after what came before, and nothing comes twice", async (t) => {
      const pool = openPool(t, subject, { size: 1 });
      const got: number[] = [];

      const error = await rejectionOf(
        WorkerLostError,
        (async () => {
          for await (const value of pool.stream("countThenExit", 6, { retries: 0 })) got.push(value);
        })(),
      );

      assert.equal(error.exitCode, 2);
      assert.deepEqual(got, [0, 1, 2]);
    });
  });
}
