// A hundred thousand tasks while workers die, by seed; and the reckoning afterwards.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Backend } from "../../src/backends/backend.ts";
import { Pool, type Task, TaskCancelledError, TaskTimeoutError, WorkerLostError } from "../../src/index.ts";
import { random } from "../../src/testing/random.ts";
import { assertIs, type ErrorClass, isAlive, until } from "../../src/testing/stage.ts";
import type * as tasks from "./storm-tasks.ts";

export interface Weather {
  readonly seed: number;
  readonly tasks: number;
  /** So many tasks end their worker. */
  readonly exits: number;
  /** So many workers are killed from outside; only where workers are processes. */
  readonly kills: number;
  /** So many tasks never give way until they time out. */
  readonly spins: number;
}

/** Rejects with what went wrong first. */
export async function storm(open: () => Backend, weather: Weather): Promise<void> {
  const dice = random(weather.seed);
  const resources = (): string => process.getActiveResourcesInfo().toSorted().join();
  const listeners = (): number => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  const before = { resources: resources(), listeners: listeners() };

  const pool = new Pool<typeof tasks>(open(), { abortGraceMs: 10, retryDelayMs: 2 });
  const settled = new Map<number, number>();
  pool.on("taskSettled", ({ id }) => void settled.set(id as number, (settled.get(id as number) ?? 0) + 1));
  pool.on("stray", () => {});
  pool.on("output", () => {});
  const pids = new Set<number>();
  pool.on("workerUp", ({ worker }) => {
    if (worker.pid !== undefined && worker.pid !== process.pid) pids.add(worker.pid);
  });
  const { signal } = new AbortController();
  const acts = schedule(weather, dice);
  let inFlight = 0;
  let failure: unknown;

  const perform = async (id: number): Promise<void> => {
    const options = { id, signal };
    switch (acts[id]) {
      case "exit":
        return await expectError(pool.run("exit", id, { ...options, retries: 0 }), WorkerLostError);
      case "spin":
        return await expectError(
          pool.run("spin", undefined, { ...options, timeoutMs: 15, retries: 0 }),
          TaskTimeoutError,
        );
      case "time out":
        return await expectError(
          pool.run("wait", id, { ...options, timeoutMs: 5 + (id % 10), retries: 0 }),
          TaskTimeoutError,
        );
      case "cancel": {
        const task = pool.run(
          id % 2 === 0 ? "wait" : "work",
          (id % 2 === 0 ? id : { id, payload: "" }) as never,
          options,
        );
        if (id % 3 === 0) task.cancel("at once");
        else void delay(id % 12).then(() => task.cancel("a little later"));
        // Honest work may well be done before it is cancelled.
        return await task.then(
          (value) => assert.equal((value as { id: number }).id, id),
          (error) => assertIs(TaskCancelledError, error),
        );
      }
      case "fail":
        return await (pool.run("fail", id, options) as Task<unknown>).then(
          () => assert.fail(`task ${id} did not fail`),
          (error: unknown) => {
            assertIs(RangeError, error);
            assert.equal(error.message, `task ${id} failed`);
          },
        );
      case "flaky":
        return assert.deepEqual(await pool.run("flaky", id, { ...options, retries: 3 }), { id, isRepeated: true });
      case "overflow":
        return await expectError(pool.run("overflow", id, options), RangeError);
      case "stray":
        return assert.equal(await pool.run("leaveStray", id, options), id);
      default: {
        const payload = "x".repeat(id % 50);
        const value = await pool.run("work", { id, payload }, { ...options, priority: id % 3 });
        // A comparison of its own: assert.deepEqual would take more time than all else.
        if (value.id !== id || value.length !== id % 50) assert.fail(`task ${id} got ${JSON.stringify(value)}`);
        return;
      }
    }
  };

  const thunder = kill(pool, weather.kills, dice);
  for (let id = 0; id < weather.tasks && failure === undefined; id += 1) {
    inFlight += 1;
    perform(id)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        inFlight -= 1;
      });
    // Some thousands at a time: the storm is to last while workers come and go.
    if (inFlight >= 3_000)
      await until(
        () => inFlight < 1_500 || failure !== undefined,
        `tasks to settle: ${JSON.stringify(pool.snapshot())}`,
      );
  }
  await until(
    () => inFlight === 0 || failure !== undefined,
    `the last tasks to settle: ${JSON.stringify(pool.snapshot())}`,
  );
  thunder.stop();
  if (failure !== undefined) {
    await pool.terminate();
    throw failure;
  }

  await pool.idle();
  const { queued, running, done, failed, cancelled } = pool.snapshot();
  assert.deepEqual({ queued, running, all: done + failed + cancelled }, { queued: 0, running: 0, all: weather.tasks });
  assert.equal(settled.size, weather.tasks);
  assert.deepEqual(
    [...settled].filter(([, times]) => times !== 1),
    [],
  );
  await pool.close();
  assert.deepEqual(pool.workers(), []);
  await until(() => ![...pids].some(isAlive), "all children to be gone");
  await until(
    () => resources() === before.resources,
    `nothing to be left: ${resources()} instead of ${before.resources}`,
  );
  assert.equal(listeners(), before.listeners);
}

type Act = "work" | "exit" | "spin" | "time out" | "cancel" | "fail" | "flaky" | "overflow" | "stray";

function schedule(weather: Weather, dice: ReturnType<typeof random>): Act[] {
  const acts = Array.from({ length: weather.tasks }, (): Act => {
    const drawn = dice.below(1_000);
    if (drawn < 3) return "time out";
    if (drawn < 10) return "cancel";
    if (drawn < 30) return "fail";
    if (drawn < 40) return "flaky";
    if (drawn < 42) return "overflow";
    if (drawn < 45) return "stray";
    return "work";
  });
  for (let n = 0; n < weather.exits; n += 1) acts[dice.below(weather.tasks)] = "exit";
  for (let n = 0; n < weather.spins; n += 1) acts[dice.below(weather.tasks)] = "spin";
  return acts;
}

/** Kills a worker chosen at random, now and then: the next one when all are up again. */
function kill(pool: Pool<typeof tasks>, times: number, dice: ReturnType<typeof random>): { stop(): void } {
  let left = times;
  const timer = setInterval(() => {
    const workers = pool.workers();
    if (left === 0 || workers.length < 4 || workers.some(({ state }) => state === "starting")) return;
    const { pid } = workers[dice.below(workers.length)] as { readonly pid?: number };
    if (pid === undefined) return;
    left -= 1;
    process.kill(pid, dice.chance(0.5) ? "SIGKILL" : "SIGSEGV");
  }, 50);
  return { stop: () => clearInterval(timer) };
}

async function expectError(settling: PromiseLike<unknown>, kind: ErrorClass<Error>): Promise<void> {
  await settling.then(
    (value) => assert.fail(`Resolved with ${String(value)}`),
    (error: unknown) => assertIs(kind, error),
  );
}
