// The capabilities of a list of work that is spread over programs; and the faults of the system they come from, which are none here.
// What ssh has to do with it is in test/command/ssh.test.ts, and that each language passes the same suite in the conformance tests.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { type CommandOptions, command, type Tail } from "../../src/backends/command/index.ts";
import { BackendUnavailableError, Pool, TaskTimeoutError, WorkerLostError } from "../../src/index.ts";
import {
  allUp,
  closedGate,
  eventsOf,
  isAlive,
  it,
  range,
  rejectionOf,
  scratch,
  started,
  type Tasks,
  tasksModule,
  until,
  witness,
} from "../../src/testing/stage.ts";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const node = [process.execPath, file("../fixtures/programs/serve-module.ts"), tasksModule.href];
const python = ["python3", file("../clients/fixtures/conformance_tasks.py")];
const shell = (...words: readonly string[]): string[] => ["sh", file("../command/fixtures/worker.sh"), ...words];

describe("spread_jobs", () => {
  function open(
    t: { after(what: () => unknown): void },
    argv: Parameters<typeof command>[0],
    options?: CommandOptions,
  ): Pool<Tasks> {
    const pool = new Pool<Tasks>(command(argv, options));
    t.after(() => pool.terminate());
    return pool;
  }

  it("C1 results are in the order of the inputs, whatever the workers did", async (t) => {
    const pool = open(t, [node, python]);
    assert.deepEqual(await pool.map("sleep", [40, 1, 20, 2, 30, 3], { chunkSize: 1 }), [40, 1, 20, 2, 30, 3]);
  });

  it("C2 preparation items reach each worker in order before its first task", async (t) => {
    const pool = open(t, [shell("a"), shell("b")], { prepare: ["x", "y"] });
    const said: unknown[] = await Promise.all(range(20).map(() => pool.run("who" as never, 1 as never)));
    assert.ok(said.every((one) => one === "a x y" || one === "b x y"));
  });

  it("C3 a busy worker is left alone, given up when others live, and the last one never is", async (t) => {
    const pool = open(t, [shell("busy", "busy"), shell("free")]);
    assert.equal(await pool.run("who" as never, 1 as never), "free ");
    const alone = open(t, shell("busy", "busy"), { size: 1 });
    await rejectionOf(TaskTimeoutError, alone.run("who" as never, 1 as never, { deadlineMs: 600 }));
    assert.equal(alone.workers().length, 1);
  });

  it("C4 a worker that dies loses only its task, which is tried again elsewhere", async (t) => {
    const ran = witness(scratch(t));
    const pool = open(t, [node, python]);
    assert.equal(await pool.run("exitUntil", { file: ran.file, succeedOn: 2, code: 3 }), 2);
    assert.deepEqual(ran.lines(), ["1", "2"]);
  });

  it("C5 workers that cannot start are skipped; none at all is BackendUnavailableError", async (t) => {
    assert.equal(await open(t, [["no-such-program-here"], node]).run("double", 2), 4);
    const error = await rejectionOf(BackendUnavailableError, open(t, [["no-such-program-here"]]).run("double", 2));
    assert.match(error.message, /no-such-program-here/);
  });

  it("C6 the tail is returned, and stderr lines belong to their worker and task", async (t) => {
    const tails: Tail[] = [];
    const pool = open(t, shell("one", "chats"), { size: 1, onTail: (tail) => void tails.push(tail) });
    const written = eventsOf(pool, "output");
    await pool.run("who" as never, 1 as never, { id: "t1" });
    await until(() => written.length > 0, "what was written");
    await pool.close();
    assert.deepEqual([written[0]?.taskId, written[0]?.text], ["t1", "at work\n"]);
    assert.deepEqual(tails[0]?.lines, ["goodbye from one", "and so long"]);
  });

  it("C7 times of each task are reported as they happen", async (t) => {
    const pool = open(t, node, { size: 1 });
    const [begun, settled] = [eventsOf(pool, "taskStarted"), eventsOf(pool, "taskSettled")];
    await pool.run("sleep", 30);
    assert.deepEqual([begun.length, settled.length], [1, 1]);
    assert.ok(settled[0]!.runMs >= 25 && settled[0]!.queuedMs >= 0);
  });

  it("C8 past performance is kept in a file, whole or not at all", async (t) => {
    const pastPerformance = join(scratch(t), "past.json");
    const pool = open(t, node, { size: 1, pastPerformance });
    await pool.run("double", 1);
    await pool.close();
    assert.ok(goodOf(pastPerformance) > 0);
    assert.deepEqual(readdirSync(dirname(pastPerformance)), ["past.json"]);
  });

  it("C9 workers of Node, Python and shell, and threads, are one pool", async (t) => {
    const { threads } = await import("../../src/backends/threads/index.ts");
    const pool = new Pool<Tasks>([
      command([node, python, ["sh", file("../clients/fixtures/conformance_tasks.sh")]]),
      threads(tasksModule, { size: 1 }),
    ]);
    t.after(() => pool.terminate());
    await allUp(pool);
    const seen = await Promise.all(range(40).map(() => pool.run("sleepHere", 5)));
    assert.equal(new Set(seen).size, 4);
    assert.deepEqual(
      await pool.map("double", range(100)),
      range(100).map((n) => 2 * n),
    );
  });

  it("F1 all workers dead is an error, not a standstill", async (t) => {
    const pool = open(t, ["sh", "-c", "exit 7"], { size: 2 });
    const error = await rejectionOf(BackendUnavailableError, pool.run("double", 1));
    assert.match(error.message, /exited with code 7/);
  });

  it("F2 a poison task kills no more workers than its budget", async (t) => {
    const ran = witness(scratch(t));
    const pool = open(t, node, { size: 2 });
    await rejectionOf(WorkerLostError, pool.run("recordAndExit", { file: ran.file, line: "x", code: 1 }));
    assert.ok(ran.lines().length <= 3);
    assert.equal(await pool.run("double", 1), 2);
  });

  it("F3 nothing that is received is evaluated, and no result chooses its class", async (t) => {
    const pool = open(t, python, { size: 1 });
    for (const value of ['{"__class__":"os.system"}', "__import__('os')", { type: "result", toString: "x" }]) {
      assert.deepEqual(await pool.run("echo", value), value);
    }
  });

  it("F4 a worker with a channel of its own prints freely", async (t) => {
    const pool = open(t, [process.execPath, file("../command/fixtures/prints.mjs")], { size: 1, channel: "fd3" });
    const written = eventsOf(pool, "output");
    assert.deepEqual(await Promise.all(range(5).map((n) => pool.run("echo", n))), range(5));
    await until(
      () =>
        written
          .map(({ text }) => text)
          .join("")
          .split("\n").length === 6,
      "all that it printed",
    );
  });

  it("F5 past performance is recorded as it was, also after a pool that was ended, and grows from run to run", async (t) => {
    const pastPerformance = join(scratch(t), "past.json");
    let known = 0;
    for (const end of ["close", "terminate", "close"] as const) {
      const pool = open(t, node, { size: 1, pastPerformance });
      await pool.run("double", 1);
      await pool[end]();
      const now = goodOf(pastPerformance);
      assert.ok(now > known, `${now} after ${known}`);
      known = now;
    }
  });

  it("F6 one exception ends one task, and is an exception", async (t) => {
    const outcomes = await open(t, [node, python]).map("failIfOdd", range(6), { onError: "collect" });
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      [true, false, true, false, true, false],
    );
  });

  it("F7 a worker that hangs is found out, and its task goes on elsewhere", async (t) => {
    const directory = scratch(t);
    const gate = closedGate(directory);
    const pool = open(t, python, { size: 1, heartbeatMs: 100 });
    const task = pool.run("hold", { gate: gate.gate, value: "done" });
    await started(task);
    const lost = new Promise<unknown>((resolve) => void pool.on("taskRetried", ({ error }) => resolve(error)));
    process.kill(pool.workers()[0]!.pid!, "SIGSTOP");
    assert.ok((await lost) instanceof WorkerLostError);
    gate.open();
    assert.equal(await task, "done");
  });

  it("no program outlives the pool's own process, however that ends", async (t) => {
    const pidFile = join(scratch(t), "pid");
    const owner = spawn(process.execPath, [file("../command/fixtures/owner.ts"), pidFile], { stdio: "ignore" });
    await until(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n"), "the worker to begin");
    const pid = Number(readFileSync(pidFile, "utf8"));
    assert.ok(isAlive(pid));
    owner.kill("SIGKILL");
    await until(() => !isAlive(pid), "the worker to be gone");
  });
});

function goodOf(file: string): number {
  const { words } = JSON.parse(readFileSync(file, "utf8")) as { words: Record<string, { good: number }> };
  return words[process.execPath]!.good;
}
