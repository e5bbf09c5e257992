// clients/shell over the bare protocol, and what a worker of POSIX shell can do at all.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Conversation, type Message, talk, task } from "./conversation.ts";

/** Texts that a careless worker takes for the end of something. */
const tricky = [
  '","taskId":"',
  '{"type":"drain"}',
  ',"input":1',
  "\\",
  '\\"',
  '"',
  "\\n",
  "\n\t",
  "%s%d%%",
  "$HOME `id`",
  "-n",
  "/é – 日本",
];

function open(t: TestContext, name: string, ...args: readonly string[]): Conversation {
  return talk(t, ["sh", name, ...args]);
}

function scratch(t: TestContext): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "manyhands-")));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe("clients/shell/worker.sh", () => {
  it("doubles whole numbers", async (t) => {
    const worker = open(t, "clients/shell/worker.sh");
    await worker.hello();

    for (const n of [0, 21, -4, 999_999_999_999_999]) assert.equal(await worker.value("double", n), n * 2);
    assert.deepEqual(await worker.drain(), { code: 0, signal: null });
  });

  it("says of anything else what it is not, in messages that are sound", async (t) => {
    const worker = open(t, "clients/shell/worker.sh");
    await worker.hello();
    const errorFor = async (input: unknown): Promise<unknown> =>
      ((await worker.run("double", input, { taskId: ',"taskId":', stream: 4 }))["error"] as Message)["message"];

    for (const text of tricky) assert.equal(await errorFor(text), `${text} is not a number`);
    for (const value of [0.5, 1e300, true, null, [1], { id: 1, input: 2, taskId: 3 }, 1234567890123456]) {
      assert.equal(await errorFor(value), "the input is no whole number");
    }
    assert.equal(await errorFor(undefined), "there is no input");
    assert.equal(await worker.value("double", 1), 2);
  });

  it("ends when its input does, and not by Ctrl-C", async (t) => {
    const worker = open(t, "clients/shell/worker.sh");
    await worker.hello();

    process.kill(worker.pid, "SIGINT");

    assert.equal(await worker.value("double", 1), 2);
    assert.deepEqual(await worker.close(), { code: 0, signal: null });
  });
});

describe("clients/shell/wrap.sh", () => {
  it("gives the program any text as one argument, and what it prints back", async (t) => {
    const worker = open(t, "clients/shell/wrap.sh", "printf", "%s\\n");
    await worker.hello();

    for (const text of [...tricky, "", "a\n\n"]) {
      // As a shell's own $(…) does, line feeds at the end are left out.
      assert.equal(await worker.value("run", text), text.replace(/\n+$/, ""));
    }
  });

  it("refuses what it cannot read", async (t) => {
    const worker = open(t, "clients/shell/wrap.sh", "printf", "%s\\n");
    await worker.hello();
    const errorFor = async (input: unknown): Promise<unknown> =>
      ((await worker.run("run", input))["error"] as Message)["message"];

    assert.equal(await errorFor("\u0001"), "the input has a character that this worker cannot read");
    assert.equal(await errorFor(7), "the input is not a text");
    assert.equal(await errorFor(undefined), "the input is not a text");
    assert.equal(await worker.value("run", "\\u0001"), "\\u0001");
  });

  it("fails with the program's exit code, and passes on what it says on standard error", async (t) => {
    const worker = open(t, "clients/shell/wrap.sh", "ls", "--");
    await worker.hello();

    const { error } = await worker.run("run", "/nowhere/at-all");

    const { name, message, exitCode } = error as Message;
    assert.deepEqual({ name, message }, { name: "Error", message: `ls: exit code ${exitCode as number}` });
    assert.ok((exitCode as number) > 0);
    await worker.until(() => worker.stderr.includes("/nowhere/at-all"));
  });

  it("keeps the pool's messages from the program", async (t) => {
    const worker = open(t, "clients/shell/wrap.sh", "cat", "-");
    await worker.hello();

    assert.equal(await worker.value("run", "/dev/null"), "");
    assert.equal(await worker.value("run", "/dev/null"), "");
  });
});

describe("the conformance suite's tasks in POSIX shell", () => {
  const tasks = "test/clients/fixtures/conformance_tasks.sh";

  it("echo gives back any JSON, letter by letter", async (t) => {
    const worker = open(t, tasks);
    await worker.hello();
    const values = [
      null,
      true,
      0,
      -0.5,
      1e300,
      "",
      [],
      {},
      [[1, { a: [] }]],
      { input: 1, taskId: 2, name: "x", id: 3 },
    ];

    for (const value of [...values, ...tricky, tricky, { deep: tricky }]) {
      assert.deepEqual(await worker.value("echo", value, { taskId: '",' }), value);
    }
    assert.ok(!("value" in (await worker.run("echo"))));
  });

  it("tell who and when", async (t) => {
    const worker = open(t, tasks);
    await worker.hello({ workerId: "command-3" });

    assert.deepEqual(await worker.value("whoami", null, { taskId: "a,b", attempt: 2, priority: -1, stream: 4 }), {
      pid: worker.pid,
      threadId: 0,
      workerId: "command-3",
      taskId: "a,b",
      attempt: 2,
      priority: -1,
    });
    assert.equal(await worker.value("callsHere"), 1);
    assert.equal(await worker.value("callsHere"), 2);
    assert.equal(await worker.value("sleepHere", 5), "command-3");
    assert.equal(await worker.value("sleep", 5), 5);
  });

  it("wait for gates, and leave lines", async (t) => {
    const directory = scratch(t);
    const [file, gate] = [join(directory, "witness"), join(directory, "gate")];
    const worker = open(t, tasks);
    await worker.hello({ workerId: "w" });

    const held = worker.task("hold", { gate, value: { any: [1, "}"] } });
    assert.equal((await worker.said("progress", held))["value"], "started");
    writeFileSync(gate, "");
    assert.deepEqual((await worker.answer(held))["value"], { any: [1, "}"] });
    assert.ok(!("value" in (await worker.run("labelled", { gate, label: "page 7" }))));
    assert.equal((await worker.said("label"))["text"], "page 7");
    assert.equal(await worker.value("record", { file, line: "a b" }), "a b");
    assert.equal(await worker.value("recordWorker", { file, line: "c" }), "w");
    assert.equal(await worker.value("recordSlowly", { file, line: "d", ms: 1 }), "d");

    assert.equal(readFileSync(file, "utf8"), "a b\nc w\nd\n");
  });

  it("fail, are busy, put themselves off, and exit", async (t) => {
    const file = join(scratch(t), "witness");
    const worker = open(t, tasks);
    await worker.hello();
    const said = async (name: string, input: unknown, attempt = 1): Promise<unknown> => {
      const { id: _, ...rest } = await worker.run(name, input, { attempt });
      return rest;
    };

    assert.deepEqual(await said("failIfOdd", 3), { type: "error", error: { name: "RangeError", message: "3 is odd" } });
    assert.deepEqual(await said("failUntil", { file, succeedOn: 2 }), {
      type: "error",
      error: { name: "Error", message: "failed on 1" },
    });
    assert.deepEqual(await said("failUntil", { file, succeedOn: 2 }, 2), { type: "result", value: 2 });
    assert.deepEqual(await said("beBusy", { file, times: 1, retryAfterMs: 5 }), { type: "busy", retryAfterMs: 5 });
    const deferral = { file, line: "l", times: 1, delayMs: 3, priority: 2 };
    assert.deepEqual(await said("defer", deferral), { type: "defer", delayMs: 3, priority: 2 });
    assert.deepEqual(await said("defer", { file, line: "l", times: 1 }), { type: "defer" });
    assert.deepEqual(await said("defer", deferral, 2), { type: "result", value: "l" });
    assert.equal(((await said("failForGood", { file, line: "ran" })) as Message)["permanent"], true);
    assert.deepEqual(await said("report", [1, "b", null]), { type: "result", value: "reported" });
    assert.deepEqual((await said("exitIf", { n: 5, bad: false })) as unknown, { type: "result", value: 5 });
    worker.send(task(99, "exitUntil", { file, succeedOn: 2, code: 4 }));

    assert.equal((await worker.ended).code, 4);
    assert.ok(existsSync(file));
  });
});
