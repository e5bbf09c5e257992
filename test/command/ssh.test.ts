// Workers at the other end of a real ssh connection.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { command, ssh } from "../../src/backends/command/index.ts";
import { Pool } from "../../src/index.ts";
import type { Tasks } from "../../src/testing/stage.ts";
import { closedGate, isAlive, scratch, started, tasksModule, until, witness } from "../../src/testing/stage.ts";
import { startSshd } from "./sshd.ts";

const program = fileURLToPath(new URL("../fixtures/programs/serve-module.ts", import.meta.url));
const remote = `'${process.execPath}' '${program}' '${tasksModule.href}'`;

describe("workers over ssh", () => {
  it("do tasks as those on this machine do", async (t) => {
    const { argv } = await startSshd(t);
    const pool = new Pool<Tasks>(command([...argv, remote], { size: 2 }));
    t.after(() => pool.terminate());

    assert.deepEqual(await pool.map("double", [1, 2, 3]), [2, 4, 6]);
    const { pid } = await pool.run("whoami", undefined);
    await pool.close();

    assert.notEqual(pid, process.pid);
    await until(() => !isAlive(pid), "the far program to end");
  });

  it("whose connection is cut leave no process behind and lose no task", async (t) => {
    const sshd = await startSshd(t);
    const directory = scratch(t);
    const gate = closedGate(directory);
    const ran = witness(directory);
    const pool = new Pool<Tasks>(command([...sshd.argv, remote], { size: 1 }));
    t.after(() => pool.terminate());
    const { pid } = await pool.run("whoami", undefined);
    const task = pool.run("sleepUntil", { file: ran.file, gate: gate.gate, succeedOn: 2 });
    await ran.until(1);

    sshd.cut();

    assert.equal(await task, 2);
    await until(() => !isAlive(pid), "the first far program to be gone");
  });

  it("that are busy when the connection is cut leave no process behind either", async (t) => {
    const sshd = await startSshd(t);
    const pool = new Pool<Tasks>(command([...sshd.argv, remote], { size: 1 }));
    t.after(() => pool.terminate());
    const { pid } = await pool.run("whoami", undefined);
    const task = pool.run("spin", undefined as never, { retries: 0 });
    await started(task);

    sshd.cut();

    await assert.rejects(task, { name: "WorkerLostError" });
    await until(() => !isAlive(pid), "the far program to be gone");
  });

  it("end with this process's pool, however it ends", async (t) => {
    const { argv } = await startSshd(t);
    const pool = new Pool<Tasks>(command([...argv, remote], { size: 1 }));
    const { pid } = await pool.run("whoami", undefined);
    const task = pool.run("spin", undefined as never);
    task.catch(() => {});
    await started(task);

    await pool.terminate();

    await until(() => !isAlive(pid), "the far program to be gone");
  });

  it("are given their words, variables and folder by ssh()", async (t) => {
    const { argv } = await startSshd(t);
    const client = argv.slice(0, -1);
    const host = argv.at(-1)!;
    const pool = new Pool<Tasks>(
      command(
        ssh(host, [process.execPath, program, tasksModule.href], { ssh: client, cwd: "/", env: { ODD: "a 'b'\n" } }),
        {
          size: 1,
        },
      ),
    );
    t.after(() => pool.terminate());
    assert.equal(await pool.run("double", 21), 42);
    const [file = "", ...words] = ssh(host, ["sh", "-c", 'pwd; printf "%s" "$ODD"'], {
      ssh: client,
      cwd: "/no/such/folder",
      env: { ODD: "a 'b'\n!" },
    });
    const { stdout } = spawnSync(file, words, { encoding: "utf8" });
    assert.equal(stdout, `${homedir()}\na 'b'\n!`);
  });
});
