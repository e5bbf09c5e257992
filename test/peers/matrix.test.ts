// The cases in which one pool of the field or another hangs, wedges or crashes its caller. Every one must settle, and the next task run.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe } from "node:test";
import {
  NotSerializableError,
  Pool,
  PoolClosedError,
  QueueFullError,
  TaskCancelledError,
  WorkerLostError,
} from "../../src/index.ts";
import {
  allUp,
  assertIs,
  closedGate,
  it,
  openPool,
  range,
  rejection,
  rejectionOf,
  scratch,
  started,
  until,
  witness,
  writeModule,
} from "../../src/testing/stage.ts";
import { subject as inline } from "../fixtures/subjects/inline.ts";
import { subject as processes } from "../fixtures/subjects/processes.ts";
import { subject as threads } from "../fixtures/subjects/threads.ts";

for (const subject of [inline, threads, processes]) {
  const { traits } = subject;

  describe(`the matrix of failures, on ${subject.name}`, () => {
    if (traits.isolates) {
      it("process.exit(0) in a task", async (t) => {
        const pool = openPool(t, subject);
        assert.equal((await rejectionOf(WorkerLostError, pool.run("exit", 0, { retries: 0 }))).exitCode, 0);
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("an unhandled rejection in a task", async (t) => {
        const pool = openPool(t, subject);
        const error = await rejectionOf(Error, pool.run("rejectUnheard", { gate: `${import.meta.dirname}/never` }));
        assert.equal(error.message, "rejected unheard");
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a stray throw after the return, with nobody listening: the next innocent task runs, and nothing escapes here", async (t) => {
        const pool = openPool(t, subject);
        const warnings: Error[] = [];
        const onWarning = (warning: Error): void => void warnings.push(warning);
        process.on("warning", onWarning);
        t.after(() => process.off("warning", onWarning));

        assert.equal(await pool.run("throwAfterReturn", undefined as never), "returned");
        for (const n of range(30)) assert.equal(await pool.run("echo", n), n);
        await until(() => warnings.length > 0, "the warning");

        assert.match(warnings.map(({ message }) => message).join(), /a stray throw/);
      });

      it("the heap limit is hit", async (t) => {
        const pool = openPool(t, subject, { resourceLimits: { maxOldGenerationSizeMb: 24 } });
        const error = await rejectionOf(WorkerLostError, pool.run("exhaust", undefined as never, { retries: 0 }));
        assert.match(error.message, /out of memory/);
        assert.equal(await pool.run("echo", "next"), "next");
      });

      it("a for(;;) is aborted, soon", async (t) => {
        const pool = openPool(t, subject);
        const controller = new AbortController();
        const spinning = pool.run("spin", undefined, { signal: controller.signal });
        await started(spinning);
        const at = performance.now();
        controller.abort();
        await rejection(spinning);
        assert.ok(performance.now() - at < 2_000, `${performance.now() - at} ms`);
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }

    it("a result that cannot be cloned says so", async (t) => {
      const pool = openPool(t, subject);
      const error = await rejectionOf(NotSerializableError, pool.run("give", "a function"));
      assert.ok(error.message.length > 10, error.message);
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("an argument that cannot be cloned", async (t) => {
      const pool = openPool(t, subject);
      await rejectionOf(
        NotSerializableError,
        pool.run("echo", () => 1),
      );
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("a thrown error that holds a function", async (t) => {
      const pool = openPool(t, subject);
      assert.equal((await rejectionOf(Error, pool.run("fail", "an error that holds a function"))).message, "holder");
      assert.equal(await pool.run("echo", "next"), "next");
    });

    for (const [what, value] of [
      ["null", null],
      ["undefined", undefined],
      ["a string", "just text"],
    ] as const) {
      it(`throw ${what}`, async (t) => {
        const pool = openPool(t, subject);
        assert.equal(await rejection(pool.run("fail", what)), value);
        assert.equal(await pool.run("echo", "next"), "next");
      });
    }

    it("the task module has a syntax error: every task rejects", async (t) => {
      const pool = openPool(t, subject, { module: writeModule(scratch(t), "broken.mjs", "export function (") });
      for (const n of range(3)) {
        assert.equal(((await rejection(pool.run("echo", n))) as { code?: string }).code, "ERR_BACKEND_UNAVAILABLE");
      }
      await pool.close();
    });

    it("an async sleep in a function that is not async is aborted, soon", async (t) => {
      const pool = openPool(t, subject, {
        module: writeModule(
          scratch(t),
          "sleeps.mjs",
          "export const echo = (ms) => new Promise((end) => setTimeout(end, ms));",
        ),
      });
      await allUp(pool);
      const controller = new AbortController();
      const sleeping = pool.run("echo", 4_000, { signal: controller.signal });
      await until(() => sleeping.state === "running", "the start");
      const at = performance.now();
      controller.abort();
      await rejection(sleeping);
      assert.ok(performance.now() - at < 2_000, `${performance.now() - at} ms`);
    });

    it("a function that is not async but returns a promise", async (t) => {
      assert.equal(await openPool(t, subject).run("promised", 41), 42);
    });

    it("500 tasks on one signal leave no listener on it", async (t) => {
      const pool = openPool(t, subject);
      const { signal } = new AbortController();
      await Promise.all(range(500).map((n) => pool.run("echo", n, { signal })));
      assert.equal(getEventListeners(signal, "abort").length, 0);
    });

    it("a setInterval in an idle worker beats on", async (t) => {
      const pool = openPool(t, subject, {
        module: new URL("../fixtures/beats.ts", import.meta.url),
      }) as unknown as Pool<typeof import("../fixtures/beats.ts")>;
      await pool.run("start", undefined as never);
      const first = await pool.run("count", undefined as never);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.ok((await pool.run("count", undefined as never)) - first >= 5);
    });

    it("300 tasks on one worker start in order", async (t) => {
      const seen = witness(scratch(t));
      const pool = openPool(t, subject);
      await Promise.all(range(300).map((n) => pool.run("record", { file: seen.file, line: `${n}` })));
      assert.deepEqual(seen.lines(), range(300).map(String));
    });

    it("a hard close with one running and one queued rejects both", async (t) => {
      const pool = openPool(t, subject);
      const running = pool.run("obey", closedGate(scratch(t)));
      await started(running);
      const both = [running, pool.run("echo", 1)].map((task) => rejectionOf(PoolClosedError, task));
      await pool.terminate();
      await Promise.all(both);
    });

    it("a result of Map, Set, Date, BigInt and undefined", async (t) => {
      const pool = openPool(t, subject);
      const value = { map: new Map([[1n, new Set(["x"])]]), date: new Date(0), none: undefined };
      assert.deepEqual(await pool.run("echo", value), value);
    });

    it("a result of 200 MB", async (t) => {
      const pool = openPool(t, subject);
      const result = await pool.run("bytes", 200_000_000);
      assert.deepEqual([result.byteLength, result[199_999_999]], [200_000_000, 7]);
      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("a class of error with name, code, properties and a cause", async (t) => {
      const error = await rejectionOf(
        TypeError,
        openPool(t, subject).run("fail", "an error class with a code, properties and a cause"),
      );
      const { name, code, extra } = error as unknown as Record<string, unknown>;
      assert.deepEqual(
        { name, code, extra },
        { name: "BrokenTask", code: "E_BROKEN", extra: { list: [1, 2], when: "now" } },
      );
      assertIs(RangeError, error.cause);
    });

    it("a full queue counts tasks with a signal too, and never runs what it rejected", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const gate = closedGate(directory);
      const pool = openPool(t, subject, { pool: { maxQueue: 2 } });
      const held = pool.run("hold", gate);
      await started(held);
      const { signal } = new AbortController();
      const settled = Promise.allSettled(
        range(20).map((n) => pool.run("record", { file: seen.file, line: `${n}` }, { signal })),
      );
      gate.open();
      const rejected = (await settled).filter(
        (one) => one.status === "rejected" && one.reason instanceof QueueFullError,
      );
      await held;
      await pool.close();
      assert.deepEqual([rejected.length, seen.lines()], [18, ["0", "1"]]);
    });

    it("close waits for the slowest of several workers", async (t) => {
      const directory = scratch(t);
      const pool = openPool(t, subject, { size: 3 });
      const gates = range(2).map(() => closedGate(directory));
      const tasks = gates.map((gate, value) => pool.run("hold", { gate: gate.gate, value }));
      await Promise.all(tasks.map(started));
      const closed = pool.close();
      gates[0]?.open();
      await tasks[0];
      setTimeout(() => gates[1]?.open(), 50);
      await closed;
      assert.deepEqual(await Promise.all(tasks), [0, 1]);
    });

    it("twenty queued tasks on one signal bring no MaxListenersExceededWarning", async (t) => {
      const pool = openPool(t, subject);
      const warnings: Error[] = [];
      const onWarning = (warning: Error): void => void warnings.push(warning);
      process.on("warning", onWarning);
      t.after(() => process.off("warning", onWarning));
      const { signal } = new AbortController();
      pool.pause();
      const tasks = range(20).map((n) => pool.run("echo", n, { signal }));
      await new Promise(setImmediate);
      pool.resume();
      await Promise.all(tasks);
      assert.deepEqual(warnings, []);
    });

    it("a module that throws while loading is evaluated once a start, and its own error is the cause", async (t) => {
      const directory = scratch(t);
      const seen = witness(directory);
      const module = writeModule(
        directory,
        "throws.cjs",
        `require("node:fs").appendFileSync(${JSON.stringify(seen.file)}, process.pid + "/" + require("node:worker_threads").threadId + "\\n"); throw new Error("the first error");`,
      );
      const pool = openPool(t, subject, { module });
      const error = (await rejection(pool.run("echo", 1))) as Error;
      assert.match(String(error.cause), /the first error/);
      if (traits.isolates) assert.equal(new Set(seen.lines()).size, seen.lines().length);
    });
  });
}

for (const subject of [threads, processes]) {
  describe(`more of what breaks pools, on ${subject.name}`, () => {
    const isolated = subject.traits.ownProcess;
    it(`a worker cut off from its pool ${isolated ? "is lost" : "by its parentPort works on"}, and its task settles`, async (t) => {
      const module = new URL("../fixtures/closes-its-channel.ts", import.meta.url);
      const pool = openPool(t, subject, { module }) as unknown as Pool<
        typeof import("../fixtures/closes-its-channel.ts")
      >;

      const task = pool.run("cutOff", undefined as never, { retries: 0 });

      if (isolated) await rejectionOf(WorkerLostError, task);
      else assert.equal(await task, "nobody hears this");

      assert.equal(await pool.run("echo", "next"), "next");
    });

    it("a crash between dispatch and the first byte: every task of the burst settles", async (t) => {
      const pool = openPool(t, subject, { size: 2 });
      await Promise.all(range(20).map((n) => pool.run("echo", n)));

      const settled = await Promise.allSettled(
        range(100).map((n) => pool.run("exitIf", { n, bad: n % 25 === 0 }, { retries: 0 })),
      );

      settled.forEach((outcome, n) => {
        if (n % 25 !== 0) assert.deepEqual(outcome, { status: "fulfilled", value: n });
        else assertIs(WorkerLostError, outcome.status === "rejected" && outcome.reason);
      });
    });

    it("a task that is cancelled between the queue and its worker runs on no worker, or is ended", async (t) => {
      const pool = openPool(t, subject);
      await Promise.all(range(100).map((n) => pool.run("echo", n)));
      for (const _ of range(50)) {
        const task = pool.run("echo", 1);
        task.cancel();
        await rejectionOf(TaskCancelledError, task);
      }
      assert.equal(await pool.run("echo", "next"), "next");
      assert.equal(pool.snapshot().cancelled, 50);
    });

    it("what a task prints reaches this process when nobody listens", async (t) => {
      const pool = openPool(t, subject);
      const written: string[] = [];
      const write = process.stderr.write;
      process.stderr.write = ((text: string | Uint8Array, ...rest: [() => void]): boolean => {
        written.push(String(text));
        rest.find((one) => typeof one === "function")?.();
        return true;
      }) as typeof process.stderr.write;
      t.after(() => {
        process.stderr.write = write;
      });

      await pool.run("print", { text: "passed on\n", stream: "stderr" });
      await until(() => written.join("").includes("passed on\n"), "the line");
      process.stderr.write = write;
    });
  });
}

describe("100,000 tasks on one signal", () => {
  it("leave no listener and bring no warning", async (t) => {
    const pool = openPool(t, threads, { size: 2 });
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    const { signal } = new AbortController();

    const results = await Promise.all(range(100_000).map((n) => pool.run("echo", n, { signal })));

    assert.deepEqual(results, range(100_000));
    assert.equal(getEventListeners(signal, "abort").length, 0);
    assert.deepEqual(warnings, []);
  });
});
