// Programs that know nothing of this library, through the API.
import assert from "node:assert/strict";
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type CommandOptions, command, type ProgramResult } from "../../src/backends/command/index.ts";
import { Pool } from "../../src/index.ts";
import { BackendUnavailableError, ConfigError, TaskTimeoutError } from "../../src/protocol/errors.ts";
import { isAlive, rejection, rejectionOf, scratch, until, witness } from "../../src/testing/stage.ts";

interface Tasks {
  run(input: unknown): ProgramResult;
}

function open(t: TestContext, argv: Parameters<typeof command>[0], options: CommandOptions = {}): Pool<Tasks> {
  const pool = new Pool<Tasks>(command(argv, { protocol: "none", ...options }));
  t.after(() => pool.terminate());
  return pool;
}

const sh = (script: string) => ["sh", "-c", script, "sh"];

describe("programs without a protocol", () => {
  it("get the input in the place of {}, whatever it is", async (t) => {
    const pool = open(t, ["printf", "<%s>", "{}", "a{}b{}", "-"]);
    const { stdout, stderr, exitCode } = await pool.run("run", "it's\n");
    assert.deepEqual([stdout, stderr, exitCode], ["<it's\n><ait's\nbit's\n><->", "", 0]);
    assert.equal((await pool.run("run", { a: [1] })).stdout, '<{"a":[1]}><a{"a":[1]}b{"a":[1]}><->');
    assert.equal((await pool.run("run", ["x", 2])).stdout, '<x><2><a["x",2]b["x",2]><->');
  });
  it("get bytes as they are, and give bytes where they are asked to", async (t) => {
    const bytes = Uint8Array.of(0xff, 1, 0x81, 10);
    const filled = open(t, ["printf", "%s", "{}"], { output: "bytes" });
    assert.deepEqual((await filled.run("run", bytes)).stdout, bytes);
    const read = open(t, ["cat"], { output: "bytes" });
    assert.deepEqual((await read.run("run", Uint8Array.of(0, ...bytes))).stdout, Uint8Array.of(0, ...bytes));
  });
  it("read the input where no {} is: text as it is, values as JSON, nothing where there is none", async (t) => {
    const pool = open(t, ["cat"]);
    const written = await pool.map("run", ["text\n", [1, "ü"], null, undefined]);
    assert.deepEqual(
      written.map(({ stdout }) => stdout),
      ["text\n", '[1,"ü"]', "null", ""],
    );
    const long = "x".repeat(1_000_000);
    assert.equal((await pool.run("run", long)).stdout, long);
  });
  it("that fail tell how, and all that they wrote", async (t) => {
    const pool = open(t, sh("echo out; echo one >&2; echo two >&2; exit $0"), { size: 1 });
    const failing = open(t, [...sh("echo out; echo one >&2; echo two >&2; exit $1"), "{}"]);
    const error = (await rejection(failing.run("run", 3))) as Error & Record<string, unknown>;
    const { name, code, exitCode, signal, stdout, stderr, message } = error;
    assert.deepEqual(
      { name, code, exitCode, signal, stdout, stderr, message },
      {
        name: "ProgramError",
        code: "EXIT_3",
        exitCode: 3,
        signal: undefined,
        stdout: "out\n",
        stderr: "one\ntwo\n",
        message: "sh exited with 3: two",
      },
    );
    const killed = (await rejection(open(t, sh("kill -s SEGV $$")).run("run", ""))) as Record<string, unknown>;
    assert.deepEqual([killed["code"], killed["signal"], killed["exitCode"]], ["SIGSEGV", "SIGSEGV", undefined]);
    await pool.close();
  });
  it("succeed with the exit codes that are said to be no failure", async (t) => {
    const pool = open(t, ["grep", "-c", "x"], { exitCodes: [0, 1] });
    const found = await pool.map("run", ["x\n", "y\n"]);
    assert.deepEqual(
      found.map(({ exitCode, stdout }) => [exitCode, stdout]),
      [
        [0, "1\n"],
        [1, "0\n"],
      ],
    );
  });
  it("say nothing on this process's standard error", async (t) => {
    const pool = open(t, sh("echo loud >&2"));
    const heard: unknown[] = [];
    pool.on("output", (event) => void heard.push(event));
    assert.equal((await pool.run("run", "")).stderr, "loud\n");
    assert.deepEqual(heard, []);
    assert.equal(command(["true"], { protocol: "none" }).traits.capturesOutput, false);
  });
  it("that write too much fail, and take no memory", async (t) => {
    const pool = open(t, ["head", "-c", "{}", "/dev/zero"], { maxOutputBytes: 1_000 });
    assert.equal((await pool.run("run", 1_000)).stdout.length, 1_000);
    const error = (await rejection(pool.run("run", 200_000))) as Record<string, unknown>;
    assert.equal(error["code"], "ERR_OUTPUT_TOO_LONG");
    assert.match(String(error["message"]), /output of head: it is 200000 bytes, and maxOutputBytes 1000/);
  });
  it("are of several kinds, each where and with what its entry says", async (t) => {
    const folder = realpathSync(scratch(t));
    mkdirSync(join(folder, "deep"));
    const script = 'pwd; printf "%s %s" "$ALL" "$OWN"; cat';
    const entries = [
      { argv: sh(script), series: "one", cwd: folder, env: { OWN: "1" } },
      { argv: sh(script), series: "two", cwd: join(folder, "deep"), count: 2 },
    ];
    const pool = open(t, entries, { env: { ALL: "all" } });
    assert.equal(pool.workers().length, 3);
    assert.equal((await pool.run("run", "", { series: "one" })).stdout, `${folder}\nall 1`);
    assert.equal((await pool.run("run", "", { series: "two" })).stdout, `${join(folder, "deep")}\nall `);
  });
  it("that take too long are ended, with all that they started", async (t) => {
    const ran = witness(scratch(t));
    const pool = open(t, [...sh('sleep 60 & echo "$! $$" >> "$1"; wait'), "{}"], { size: 1 });
    const task = pool.run("run", ran.file, { timeoutMs: 1_000 });
    const [line = ""] = await ran.until(1);
    await rejectionOf(TaskTimeoutError, task);
    for (const pid of line.split(" ").map(Number)) await until(() => !isAlive(pid), "it to be gone");
  });
  it("that are not there make the backend unavailable, at once", async (t) => {
    const error = await rejectionOf(BackendUnavailableError, open(t, ["no-such-program", "{}"]).run("run", 1));
    assert.match(error.message, /no-such-program: there is no such program/);
  });
  it("are refused an input that has no form", async (t) => {
    const pool = open(t, ["echo", "{}"]);
    await assert.rejects(pool.run("run", undefined), /fill in \{\}: there is no input/);
    await assert.rejects(pool.run("run", { a: 1n }), /JSON has no BigInt \(at \.a\)/);
    await assert.rejects(pool.run("run", "a\0b"), /null bytes/);
  });
  it("have no options of those that speak one, and those have none of theirs", () => {
    const given: readonly CommandOptions[] = [
      { protocol: "none", data: 1 },
      { protocol: "none", channel: "fd3" },
      { protocol: "none", concurrency: 2 },
      { exitCodes: [1] },
      { protocol: "stdio", output: "bytes" },
    ];
    for (const options of given) {
      const wrong = Object.keys(options).find((name) => name !== "protocol");
      assert.throws(
        () => command(["true"], options),
        (error) => error instanceof ConfigError && error.message.includes(`"${wrong}" of command() with protocol`),
      );
    }
    for (const wrong of [{ exitCodes: [256] }, { output: "json" }, { maxOutputBytes: 0 }, { protocol: "http" }]) {
      assert.throws(() => command(["true"], { protocol: "none", ...wrong } as never), ConfigError);
    }
  });
});
