// The backend behind `manyhands map -- program`, by itself.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Ended, type Program, programs, SLOT } from "../src/backends/command/programs/index.ts";
import { Pool } from "../src/index.ts";
import { scratch, witness } from "../src/testing/stage.ts";

interface Tasks {
  run(program: Program): Ended;
}

function textOf({ stdout }: Ended): string {
  const text = Buffer.concat([...stdout.pieces()]).toString("latin1");
  stdout.close();
  return text;
}

async function run(program: Program, options?: Parameters<typeof programs>[0]): Promise<string> {
  const pool = new Pool<Tasks>(programs(options));
  try {
    return textOf(await pool.run("run", program));
  } finally {
    await pool.close();
  }
}

describe("a program", { concurrency: 2 }, () => {
  it("is given arguments, text or bytes, and the number of its slot", async () => {
    const argv = ["printf", "<%s>", "a b", Buffer.from([0xff, 0x0a]), ["n", SLOT, "-", Buffer.from("ü")]];
    assert.equal(await run({ argv }, { size: 1 }), "<a b><\xff\n><n1-\xc3\xbc>");
  });
  it("reads what it is given, and else nothing", async () => {
    assert.equal(await run({ argv: ["cat"], stdin: "text ü\n" }), "text \xc3\xbc\n");
    assert.equal(await run({ argv: ["cat"], stdin: Uint8Array.of(0, 255) }), "\0\xff");
    const long = "x".repeat(300_000);
    assert.equal(await run({ argv: ["cat"], stdin: long }), long);
    assert.equal(await run({ argv: ["cat"] }), "");
  });
  it("has the environment of the backend, and changes of its own", async () => {
    const argv = ["sh", "-c", "echo $A ${B-none} $C"];
    assert.equal(await run({ argv }, { env: { A: "1", B: undefined } }), "1 none\n");
    assert.equal(await run({ argv, env: { A: undefined, C: "3" } }, { env: { A: "1", B: "2" } }), "2 3\n");
    assert.equal(await run({ argv: ["own-tool"], env: { PATH: "/no/such" } }).catch(({ code }) => code), "ENOENT");
  });
  it("that fails is an error that tells how it ended and what it wrote", async () => {
    const pool = new Pool<Tasks>(programs({ size: 1 }));
    const error = await pool
      .run("run", { argv: ["sh", "-c", "echo out; echo one >&2; echo two >&2; exit 4"] })
      .catch((thrown: unknown) => thrown as { ended: Ended } & Record<string, unknown>);
    assert.ok("code" in error && "ended" in error);
    assert.deepEqual(
      [error["name"], error["code"], error["exitCode"], error["signal"], error["stderr"], error["message"]],
      ["ProgramError", "EXIT_4", 4, undefined, "one\ntwo", "sh exited with 4: two"],
    );
    assert.equal(textOf(error["ended"] as Ended), "out\n");
    await pool.close();
  });
  it("must be one", async () => {
    for (const input of [undefined, {}, { argv: [] }, { argv: "ls" }]) {
      await assert.rejects(run(input as unknown as Program), /Cannot run a program: expected \{ argv \}/);
    }
    await assert.rejects(run({ argv: ["echo", "a\0b"] }), /null bytes/);
  });
});

describe("programs", { concurrency: 2 }, () => {
  it("are mapped over like any task, in the order of the inputs", async () => {
    const pool = new Pool<Tasks>(programs({ size: 3 }));
    const inputs = Array.from({ length: 40 }, (_, at) => ({ argv: ["echo", String(at)] }));
    const ended = await pool.map("run", inputs);
    assert.deepEqual(
      ended.map(textOf),
      inputs.map((_, at) => `${at}\n`),
    );
    await pool.close();
  });
  it("finish when their slots are taken away, and start in new ones", async () => {
    const pool = new Pool<Tasks>(programs({ size: 2 }));
    const running = [1, 2].map((n) => pool.run("run", { argv: ["sh", "-c", `sleep 0.3; echo ${n}`] }));
    await pool.resize(1);
    assert.deepEqual((await Promise.all(running)).map(textOf), ["1\n", "2\n"]);
    assert.equal(pool.workers().length, 1);
    await pool.resize(2);
    assert.equal(textOf(await pool.run("run", { argv: ["echo", "3"] })), "3\n");
    await pool.close();
  });
  it("leave nothing of a pool that is closed or terminated", async () => {
    for (const how of ["close", "terminate"] as const) {
      const pool = new Pool<Tasks>(programs({ size: 2 }));
      const pid = Number(textOf(await pool.run("run", { argv: ["sh", "-c", "echo $PPID"] })));
      const sleeping = how === "terminate" ? pool.run("run", { argv: ["sleep", "60"] }) : Promise.resolve();
      const ended = sleeping.then(
        () => "done",
        () => "ended",
      );
      await pool[how]();
      assert.equal(await ended, how === "close" ? "done" : "ended");
      assert.throws(() => process.kill(pid, 0), /ESRCH/);
    }
  });
});

// By itself: what is started beside it would have its folder too.
describe("programs with a folder of their own for temporary files", () => {
  function temporaryFolder(t: TestContext, folder: string): void {
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder;
    t.after(() => {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    });
  }

  it("say so where there is no such folder, and it is not the program that is missing", async (t) => {
    temporaryFolder(t, join(scratch(t), "gone"));
    await assert.rejects(run({ argv: ["true"] }), {
      name: "ProgramError",
      code: "ERR_PROGRAM",
      message:
        /^Cannot run "true": there is no file for what it writes: ENOENT: no such file or directory, open '.*gone/,
    });
  });
  it("keep what they have written when it is removed", async (t) => {
    const folder = join(scratch(t), "short-lived");
    mkdirSync(folder);
    temporaryFolder(t, folder);
    assert.equal(await run({ argv: ["sh", "-c", `rm -r '${folder}'; echo written`] }), "written\n");
  });
  it("fail where it is removed and they have written much, which was in a file", async (t) => {
    const folder = join(scratch(t), "short-lived");
    mkdirSync(folder);
    temporaryFolder(t, folder);
    await assert.rejects(run({ argv: ["sh", "-c", `rm -r '${folder}'; head -c 100000 /dev/zero`] }), {
      name: "ProgramError",
      code: "ERR_OUTPUT",
      message: /^Cannot give what the program wrote: ENOENT/,
    });
  });
  it("are told of the end of their launcher when it is removed", async (t) => {
    const folder = join(scratch(t), "short-lived");
    mkdirSync(folder);
    temporaryFolder(t, folder);
    const pool = new Pool<Tasks>(programs({ size: 1 }));
    const task = pool.run("run", { argv: ["sh", "-c", `rm -r '${folder}'; kill -9 $PPID`] }, { retries: 0 });
    await assert.rejects(task, { name: "WorkerLostError" });
    await pool.close();
  });
  it("leave no file behind when their launcher is killed", async (t) => {
    const folder = scratch(t);
    temporaryFolder(t, folder);
    const pool = new Pool<Tasks>(programs({ size: 1 }));
    const ran = witness(folder);
    const task = pool.run("run", { argv: ["sh", "-c", `echo $PPID $$ >> ${ran.file}; sleep 60`] }, { retries: 0 });
    const [line = ""] = await ran.until(1);
    const [launcher = 0, program = 0] = line.split(" ").map(Number);
    assert.ok(readdirSync(folder).some((name) => name.startsWith("manyhands-")));
    process.kill(launcher, "SIGKILL");
    await assert.rejects(task, { name: "WorkerLostError" });
    assert.deepEqual(readdirSync(folder), ["witness"]);
    process.kill(-program, "SIGKILL");
    await pool.close();
  });
});
