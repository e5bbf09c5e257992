import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { describe, it } from "node:test";
import { bash, manyhands, numbers, scratch, start } from "./program.ts";

const { path, file } = scratch();
const shell = (script: string, ...flags: readonly string[]) => ["map", ...flags, "-c", script];

/** Resolves when no process has that id any more. A dead one is one that only waits to be collected, too. */
async function gone(pid: number): Promise<void> {
  assert.ok(pid > 1, String(pid));
  const state = () => {
    try {
      return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    } catch {
      return undefined;
    }
  };
  for (let left = 200; left > 0 && state() !== undefined && state() !== "Z"; left--) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.ok(state() === undefined || state() === "Z", `process ${pid} still runs`);
}

const pidsIn = (text: string) => [...text.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));

/** A program that starts another one, tells both pids, and ends by itself only after a minute. */
const LONG = "sleep 60 & echo pid $$ pid $! >> {}; wait";

/** Resolves when that program, started for this file, has told its pids. */
async function pidsOf(name: string, count = 2): Promise<readonly number[]> {
  for (;;) {
    const pids = pidsIn(readFileSync(name, "utf8"));
    if (pids.length >= count) return pids;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("a program that fails", { concurrency: 2 }, () => {
  it("fails its item, is named with its last words, and the others are done", async () => {
    const { status, lines, stderr } = await manyhands([
      ...shell("echo {}; echo first >&2; echo no {} >&2; exit $(({} == 2 ? 7 : 0))", "-k"),
      ":::",
      "1",
      "2",
      "3",
    ]);
    assert.deepEqual([status, lines], [1, ["1", "2", "3"]]);
    assert.match(stderr, /^2 ok, 1 failed, /m);
    assert.match(stderr, /1 × EXIT_7: \S+sh exited with 7: no 2 {3}first: item 2: 2\n/);
  });
  it("by a signal is named by it", async () => {
    const { status, stderr } = await manyhands([...shell("kill -SEGV $$ {}"), ":::", "99999999"]);
    assert.equal(status, 1);
    assert.match(stderr, /1 × SIGSEGV: \S+sh was ended by SIGSEGV/);
  });
  it("is tried again with --retries, its output is that of the last try", async () => {
    const flaky = path("flaky");
    const { status, stdout, stderr } = await manyhands([
      ...shell(`printf x >> {}; head -c 200000 /dev/zero; wc -c < {}; [ $(wc -c < {}) = 3 ]`, "-v", "--retries", "2"),
      "--retry-delay",
      "1ms",
      ":::",
      flaky,
    ]);
    assert.deepEqual([status, stdout.replaceAll("\0", "")], [0, "3\n"], stderr);
    assert.match(stderr, /again in \S+: \S+ after attempt 2: \S+ exited with 1/);
  });
  it("is tried no more often than that", async () => {
    const tries = path("tries");
    const { status } = await manyhands([
      ...shell("printf x >> {}; exit 1", "-q", "--retries", "2", "--retry-delay", "1ms"),
      ":::",
      tries,
    ]);
    assert.deepEqual([status, readFileSync(tries, "utf8")], [1, "xxx"]);
  });
  it("has its input in --failed, and the command that goes on runs it again", async () => {
    const failed = path("again");
    const input = file("numbers", "1\n2 3\n");
    const { stderr } = await manyhands([
      "map",
      "-k",
      "-j",
      "1",
      "-a",
      input,
      "--failed",
      failed,
      "--",
      "sh",
      "-c",
      "exit 5",
      "a b",
    ]);
    assert.equal(readFileSync(failed, "utf8"), "1\n2 3\n");
    assert.ok(
      stderr.includes(`\nagain: manyhands map -a ${failed} -j 1 -k --failed ${failed}-2 -- sh -c 'exit 5' 'a b'\n`),
      stderr,
    );
    const of = await manyhands([...shell("exit 5 {}", "--failed", failed), ":::", "1"]);
    assert.ok(
      of.stderr.includes(`\nagain: manyhands map -a ${failed} --in ndjson --failed ${failed}-2 -c 'exit 5 {}'\n`),
      of.stderr,
    );
  });
  it("for want of room for its arguments fails alone", async () => {
    const { status, lines, stderr } = await manyhands(["map", "-k", "--", "echo", "{}"], {
      input: `a\n${"x".repeat(3_000_000)}\nb\n`,
    });
    assert.deepEqual([status, lines], [1, ["a", "b"]]);
    assert.match(stderr, /1 × E2BIG: Cannot run "echo": its arguments are too long/);
  });
});

describe("a program that", { concurrency: 2 }, () => {
  const refused = async (words: readonly string[], env: Record<string, string> = {}) => {
    const mark = path("began");
    const { status, stdout, stderr } = await manyhands(["map", "--env", `MARK=${mark}`, "--", ...words, ":::", "1"], {
      env,
    });
    assert.equal(stdout, "");
    return { status, stderr };
  };
  it("is not there is exit 127 before the first item, and before outputs are emptied", async () => {
    for (const name of ["no-such-program", "./no-such-program", "/no/such/program", ""]) {
      const { status, stderr } = await refused([name]);
      assert.deepEqual([status, stderr], [127, `manyhands: Cannot run "${name}": there is no such program\n`]);
    }
    const output = file("kept", "precious");
    assert.equal((await manyhands(["map", "-o", output, "--", "no-such-program", ":::", "1"])).status, 127);
    assert.equal(readFileSync(output, "utf8"), "precious");
  });
  it("may not be run is exit 126", async () => {
    const plain = file("plain.txt", "text");
    chmodSync(plain, 0o644);
    for (const name of [plain, path("")]) {
      const { status, stderr } = await refused([name]);
      assert.deepEqual([status, stderr], [126, `manyhands: Cannot run "${name}": it is not executable\n`]);
    }
  });
  it("is looked for as the system does, in the PATH of --env, too", async () => {
    const tool = file("own-tool", "#!/bin/sh\necho ran $1\n");
    chmodSync(tool, 0o755);
    file("own-data", "no program");
    const folder = path("").replace(/\/$/, "");
    const PATH = `${folder}${delimiter}${process.env["PATH"]}`;
    assert.equal(
      (await manyhands(["map", "-q", "--env", `PATH=${PATH}`, "--", "own-tool", ":::", "1"])).stdout,
      "ran 1\n",
    );
    assert.equal((await manyhands(["map", "-q", "--", "./own-tool", ":::", "1"], { cwd: folder })).stdout, "ran 1\n");
    assert.equal((await refused(["own-data"], { PATH })).status, 126);
    assert.equal((await refused(["own-tool"])).status, 127);
  });
  it("only the items name is known to be missing when its item runs", async () => {
    const { status, lines, stderr } = await manyhands([
      "map",
      "-k",
      "--",
      "{}",
      "ok",
      ":::",
      "echo",
      "no-such-program",
    ]);
    assert.deepEqual([status, lines], [1, ["ok"]]);
    assert.match(stderr, /1 × ENOENT: Cannot run "no-such-program": there is no such program/);
  });
  it("is a shell's own business is a failure of its item", async () => {
    const { status, stderr } = await manyhands([...shell("no-such-program {}"), ":::", "1"]);
    assert.equal(status, 1);
    assert.match(stderr, /1 × EXIT_127: /);
  });
  it("is given --env finds it there, beside ours", async () => {
    const { stdout } = await manyhands([...shell("echo $A $B {}", "-q", "--env", "A=x y"), ":::", "1"], {
      env: { B: "b" },
    });
    assert.equal(stdout, "x y b 1\n");
  });
  it("is a shell is the user's where that reads quotes as POSIX says, and /bin/sh otherwise", async () => {
    const run = async (SHELL: string) =>
      (await manyhands([...shell("echo $0 {}", "-q"), ":::", "1"], { env: { SHELL } })).stdout;
    assert.equal(await run("/bin/bash"), "/bin/bash 1\n");
    assert.equal(await run("/usr/bin/env"), "/bin/sh 1\n");
    assert.equal(await run(""), "/bin/sh 1\n");
  });
});

describe("--timeout", { concurrency: 2 }, () => {
  it("ends a program and all that it started, and says so", async () => {
    const pids = file("pids-1", "");
    const { status, stderr } = await manyhands([...shell(LONG, "--timeout", "1500ms"), ":::", pids]);
    assert.equal(status, 1);
    assert.match(stderr, /1 × ERR_TASK_TIMEOUT: .* 1500 ms/);
    for (const pid of pidsIn(readFileSync(pids, "utf8"))) await gone(pid);
  });
  it("asks first, then kills", async () => {
    const pids = file("pids-2", "");
    const script = `file={}; trap 'echo asked >> $file' TERM; sleep 60 & echo pid $$ pid $! >> {}; while :; do sleep 0.1; done`;
    const { status } = await manyhands([...shell(script, "-q", "--timeout", "1500ms"), ":::", pids]);
    assert.equal(status, 1);
    const text = readFileSync(pids, "utf8");
    assert.match(text, /asked/);
    for (const pid of pidsIn(text)) await gone(pid);
  });
  it("kills what a program that ended when it was asked has left behind", async () => {
    const pids = file("pids-left-behind", "");
    const script = `sh -c 'trap "" TERM; echo pid $$ >> $0; sleep 60; sleep 60' {} & echo pid $$ pid $! >> {}; wait`;
    const { status } = await manyhands([...shell(script, "-q", "--timeout", "2s"), ":::", pids]);
    assert.equal(status, 1);
    const found = pidsIn(readFileSync(pids, "utf8"));
    assert.equal(found.length, 3);
    for (const pid of found) await gone(pid);
  });
  it("gives the slot of one that had to be killed to the next, and no other", async () => {
    const lock = path("lock");
    const script = `case {} in 0) trap '' TERM; sleep 60; sleep 60;; *) mkdir ${lock}{%} && sleep 0.1 && rmdir ${lock}{%} && echo {%};; esac`;
    const { status, lines, stderr } = await manyhands(shell(script, "-j", "2", "--timeout", "2s", "--retries", "0"), {
      input: `first\n0\n${numbers(39)}`,
    });
    assert.deepEqual([status, lines.length], [1, 40], stderr);
    assert.deepEqual([...new Set(lines)].toSorted(), ["1", "2"]);
  });
  it("leaves the slot to the next item", async () => {
    const { lines } = await manyhands([
      ...shell("sleep {}; echo {} {%}", "-q", "-j", "1", "--timeout", "1500ms"),
      ":::",
      "60",
      "0",
      "0.1",
    ]);
    assert.deepEqual(lines, ["0 1", "0.1 1"]);
  });
  it("keeps what the program wrote until it had ended, in its place", async () => {
    const script = "n={}; trap 'echo bye $n' TERM; echo out $n; sleep $n";
    const kept = await manyhands([...shell(script, "-q", "-k", "--timeout", "1500ms"), ":::", "60", "0", "59"]);
    assert.deepEqual([kept.status, kept.lines], [1, ["out 60", "bye 60", "out 0", "out 59", "bye 59"]], kept.stderr);
    const killed = await manyhands([
      ...shell("trap '' TERM; echo out {}; sleep {}; sleep {}", "-q", "--timeout", "1500ms", "--tag"),
      ":::",
      "60",
    ]);
    assert.deepEqual([killed.status, killed.stdout], [1, "60\tout 60\n"]);
    const record = await manyhands([...shell(script, "-q", "--out", "record", "--timeout", "1500ms"), ":::", "60"]);
    const { ok, value, error } = JSON.parse(record.stdout) as { ok: boolean; value: string; error: { code: string } };
    assert.deepEqual([ok, value, error.code], [false, "out 60\nbye 60\n", "ERR_TASK_TIMEOUT"]);
  });
  it("keeps what the last try wrote", async () => {
    const tries = path("counted");
    const script = "printf x >> {}; cat {}; echo; sleep 60";
    const { status, lines } = await manyhands([
      ...shell(script, "-q", "--timeout", "1500ms", "--retries", "1", "--retry-delay", "1ms"),
      ":::",
      tries,
    ]);
    assert.deepEqual([status, lines], [1, ["xx"]]);
  });
  it("is tried again with --retries", async () => {
    const tries = path("slow-tries");
    const script = "printf x >> {}; [ $(wc -c < {}) = 2 ] || sleep 60; echo done";
    const { status, stdout } = await manyhands([
      ...shell(script, "-q", "--timeout", "1500ms", "--retries", "3", "--retry-delay", "1ms"),
      ":::",
      tries,
    ]);
    assert.deepEqual([status, stdout, readFileSync(tries, "utf8")], [0, "done\n", "xx"]);
  });
  it("of a percent of the median ends what is far slower than the rest", async () => {
    const { status, lines, stderr } = await manyhands([
      ...shell("echo pid $$; sleep {}", "--timeout", "600%", "-j", "2"),
      ":::",
      "60",
      "0.2",
      "0.2",
      "0.2",
      "0.2",
    ]);
    assert.deepEqual([status, lines.length], [1, 5], stderr);
    assert.match(stderr, /1 × ERR_TASK_TIMEOUT: .*600% of the median, \d+ ms {3}first: item 1: 60\n/);
  });
});

describe("--halt", { concurrency: 2 }, () => {
  const halted = async (
    rule: string,
    script: string,
    items: readonly string[],
    flags: readonly string[] = ["-j", "1"],
  ) => manyhands([...shell(script, "--halt", rule, "--window", "1", ...flags), ":::", ...items]);

  for (const [rule, items, done] of [
    ["soon,fail=1", "0 1 0 0 0 0", 2],
    ["soon,fail=2", "1 0 1 0 0 0 0", 3],
    ["soon,success=1", "1 1 0 0 0 0 0", 3],
    ["soon,done=2", "0 0 0 0 0 0", 2],
    ["soon,fail=50%", "1 0 1 0 0 0", 6],
    ["soon,done=50%", "0 0 0 0 0 0 0 0", 4],
    ["now,fail=1", "0 1 0 0 0 0", 2],
    ["now,done=25%", "0 0 0 0 0 0 0 0", 2],
  ] as const) {
    it(`${rule} stops after what it says`, async () => {
      const { status, lines, stderr } = await halted(rule, "echo {}; exit {}", items.split(" "));
      const failed = items.split(" ").slice(0, done).includes("1");
      const isWhole = done === items.split(" ").length;
      assert.equal(status, isWhole ? (failed ? 1 : 0) : 3, stderr);
      assert.ok(lines.length >= done && lines.length <= done + 1, `${lines}`);
    });
  }
  it("now kills what runs, and all that it started", async () => {
    const pids = file("pids-3", "");
    const script = `case {} in /*) ${LONG};; *) until [ -s '${pids}' ]; do sleep 0.02; done; exit 1;; esac`;
    const { status, stderr } = await halted("now,fail=1", script, [pids, "x"], ["-j", "2", "--window", "2"]);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /^0 ok, 1 failed, 1 not finished/m);
    for (const pid of pidsIn(readFileSync(pids, "utf8"))) await gone(pid);
  });
});

describe("the end of the run", { concurrency: 2 }, () => {
  it("by Ctrl-C lets programs finish, which the terminal's signal does not reach", async () => {
    const [began, gate, said] = [path("began"), path("gate"), path("int")];
    const wait = (what: string) => `until ${what}; do sleep 0.02; done`;
    const { stdout } = await bash(
      `set -m; (echo x; exec sleep 40) | manyhands map -j 1 -c 'touch ${began}; ${wait(`[ -e ${gate} ]`)}; echo {}' 2> ${said} & pid=$!
       ${wait(`[ -e ${began} ]`)}; kill -INT -$pid; ${wait(`grep -q stopping ${said}`)}; touch ${gate}; wait $pid; echo "status $?"`,
    );
    assert.equal(stdout, "x\nstatus 130\n", readFileSync(said, "utf8"));
  });
  for (const [signal, status] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    it(`by ${signal} kills what takes longer than --grace`, async () => {
      const pids = file(`pids-${signal}`, "");
      const running = start(shell(LONG, "--grace", "100ms", "-j", "1", "--failed", path(`failed-${signal}`)));
      running.child.stdin.write(`${pids}\n`);
      const found = await pidsOf(pids);
      running.child.kill(signal);
      const ended = await running.ended;
      assert.equal(ended.status, status, ended.stderr);
      assert.match(ended.stderr, /0 ok, 0 failed, 1 not finished/);
      assert.equal(readFileSync(path(`failed-${signal}`), "utf8"), `${pids}\n`);
      for (const pid of found) await gone(pid);
    });
  }
  it("by a second signal kills at once", async () => {
    const pids = file("pids-second", "");
    const running = start(shell(LONG, "--grace", "1h", "-j", "1"));
    running.child.stdin.write(`${pids}\n`);
    const found = await pidsOf(pids);
    running.child.kill("SIGINT");
    await running.seen("stderr", /stopping/);
    running.child.kill("SIGINT");
    assert.equal((await running.ended).status, 130);
    for (const pid of found) await gone(pid);
  });
  it("by a signal that cannot be caught leaves nothing behind", async () => {
    const [one, two] = [file("pids-kill-1", ""), file("pids-kill-2", "")];
    const running = start(shell(LONG, "-j", "2"));
    running.child.stdin.write(`${one}\n${two}\n`);
    const found = [...(await pidsOf(one)), ...(await pidsOf(two))];
    running.child.kill("SIGKILL");
    assert.equal((await running.ended).signal, "SIGKILL");
    for (const pid of found) await gone(pid);
  });
  it("does not come by a program that kills what started it", async () => {
    const { status, lines, stderr } = await manyhands([
      ...shell("case {} in kill) kill -9 $PPID;; *) echo {};; esac", "-j", "1", "-k"),
      ":::",
      "a",
      "kill",
      "b",
      "c",
    ]);
    assert.deepEqual([status, lines], [1, ["a", "b", "c"]], stderr);
    assert.match(stderr, /1 × ERR_WORKER_LOST: /);
  });
  it("leaves alone what had ended long before", async () => {
    const pids = file("pids-left", "");
    const running = start(shell("sleep 60 & echo pid $! >> {}", "-j", "1"));
    running.child.stdin.write(`${pids}\n`);
    const [left = 0] = await pidsOf(pids, 1);
    await running.seen("stdout", /^/);
    running.child.stdin.end();
    assert.equal((await running.ended).status, 0);
    assert.equal(process.kill(left, "SIGKILL"), true);
  });
  it("of the reader kills what runs, and is silent", async () => {
    const pids = file("pids-head", "");
    const { stdout, stderr } = await bash(
      `{ seq 1 500; echo '${pids}'; cat; } | { manyhands map -k -j 2 -c 'case {} in /*) ${LONG};; *) yes {} | head -n 1000;; esac'; echo "status $?" >&2; } | head -n 2`,
    );
    assert.deepEqual([stdout, stderr], ["1\n1\n", "status 141\n"]);
    for (const pid of pidsIn(readFileSync(pids, "utf8"))) await gone(pid);
  });
  it("by --max-time stops as a signal does", async () => {
    const { status, stderr } = await manyhands([
      ...shell("sleep {}", "-j", "1", "--window", "1", "--max-time", "1s", "--grace", "50ms"),
      ":::",
      "0",
      "60",
      "1",
    ]);
    assert.equal(status, 3);
    assert.match(stderr, /^1 ok, 0 failed, 1 not finished/m);
  });
  it("leaves no file of its own behind", async () => {
    const folder = path("");
    await manyhands(
      [
        ...shell("head -c 100000 /dev/zero; echo >&2; [ {} = 1 ] || sleep 9", "-q", "--timeout", "300ms"),
        ":::",
        "1",
        "2",
      ],
      {
        env: { TMPDIR: folder },
      },
    );
    const { stdout } = await bash(`ls '${folder}' | grep -c '^manyhands-'`);
    assert.equal(stdout, "0\n");
  });
});

describe("many programs", () => {
  it("are counted, and their progress shown", async () => {
    const { status, stderr } = await manyhands(["map", "--progress", "json", "--", "true"], { input: numbers(300) });
    assert.equal(status, 0);
    assert.match(stderr, /"done":300,"ok":300,/);
    assert.match(stderr, /^300 ok, 0 failed, /m);
  });
});
