import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bash, manyhands, numbers, scratch, start, tasks } from "./program.ts";

const { path, file } = scratch();
const map = (name: string, ...args: readonly string[]) => ["map", `${tasks}#${name}`, ...args];
const escape = "\u001b";

/** Runs a line in a terminal of its own, 100 columns wide; gives what it showed. The line finds that in the file $SHOWN. */
async function inTerminal(line: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const program = `"${process.execPath}" ../../../src/cli/main.ts map`;
  const command = `stty cols 100; ${line.replace("manyhands map", program)}`;
  const shown = path(`shown-${++terminals}`);
  const { stdout } = await bash(`script -qefc "$LINE" "$SHOWN"`, {
    env: { TERM: "xterm", SHOWN: shown, LINE: command, ...env },
  });
  return stdout;
}
let terminals = 0;

describe("the summary", { concurrency: 2 }, () => {
  it("counts, times and rates", async () => {
    const { stderr } = await manyhands(map("sleep", "-j", "2"), { input: "100\n".repeat(20) });
    assert.match(stderr, /^20 ok, 0 failed, \d+(\.\d)?m?s, \d+(\.\d)?\/s, speed-up [01]\.\d×\n$/);
    const [, speedUp] = /speed-up (\S+)×/.exec(stderr) ?? [];
    assert.ok(Number(speedUp) > 0.4 && Number(speedUp) <= 2, stderr);
  });
  it("groups errors by their cause, the most frequent first, each with an example", async () => {
    const input = '"file 1 is bad"\n"file 2 is bad"\nnot json\n"other"\n"file 3 is bad"\n';
    const { stderr } = await manyhands(map("fail", "-k", "-j", "1"), { input });
    const [first, ...lines] = stderr.split("\n");
    assert.match(first ?? "", /^0 ok, 5 failed, /);
    assert.equal(lines[0], "  3 × Error: file 1 is bad   first: item 1, stdin:1: file 1 is bad");
    assert.match(
      lines[1] ?? "",
      /^ {2}1 × ERR_BAD_INPUT: Cannot read stdin line 3 as JSON: .* {3}first: item 3, stdin:3: not json$/,
    );
    assert.equal(lines[2], "  1 × Error: other   first: item 4, stdin:4: other");
  });
  it("lets no input do anything to a terminal", async () => {
    const { stderr } = await manyhands(map("fail", ":::", `${escape}[31mred\u0007\nline`));
    assert.ok(!stderr.includes(escape) && !stderr.includes("\u0007"));
    assert.match(stderr, /1 × Error: \[31mred line {3}first: item 1: \[31mred line\n/);
  });
  it("is not there with -q; what stopped the run is", async () => {
    assert.equal((await manyhands(map("failAt5", "-q"), { input: numbers(5) })).stderr, "");
    const { stderr } = await manyhands(map("failAt5", "-q", "--halt", "now,fail=1"), { input: numbers(500) });
    assert.equal(stderr, "stopped by --halt now,fail=1\n");
  });
  it("tells how to keep failed inputs", async () => {
    const { stderr } = await manyhands(map("fail"), { input: "1" });
    assert.match(stderr, /^--failed FILE keeps the inputs of items that did not succeed, ready to be fed again$/m);
  });
});

/** The command that the program gives to go on with. */
function continuation(stderr: string): string {
  const [, command = ""] = /^(?:again|go on): (.*)$/m.exec(stderr) ?? [];
  return command;
}

describe("the command that goes on", { concurrency: 2 }, () => {
  it("feeds the failed inputs again, and adds to the results there are", async () => {
    const [input, failed, output] = [file("in 1.txt", "5\n6\n10\n"), path("failed.txt"), path("out's")];
    const { stderr } = await manyhands(
      map("failAt5", "-k", "-j", "1", input, "--failed", failed, "-o", output, "--in", "ndjson"),
    );
    const command = continuation(stderr);
    assert.equal(
      command,
      `manyhands map ${tasks}#failAt5 ${failed} -j 1 -k --failed ${path("failed-2.txt")} >> '${output.replace("'", "'\\''")}'`,
    );
    const again = await bash(command.replace("#failAt5", "#echo"));
    assert.deepEqual([again.status, readFileSync(output, "utf8")], [0, "6\n5\n10\n"], again.stderr);
  });
  it("says how the inputs are written", async () => {
    const failed = path("failed.nul");
    const { stderr } = await manyhands(
      map("fail", "-0", "--failed", failed, "--retries", "1", "--retry-delay", "1ms"),
      { input: "a b\0" },
    );
    assert.equal(
      continuation(stderr),
      `manyhands map ${tasks}#fail ${failed} --retries 1 --retry-delay 1ms --in nul --failed ${path("failed-2.nul")}`,
    );
  });
  it("reads on where a stopped run ended, and leaves nothing out", async () => {
    const [one, two, failed, output] = [file("one", numbers(30)), file("two", "31\n32\n"), path("cut"), path("all")];
    const stopped = await manyhands(
      map("failAt5", one, two, "-j", "1", "--window", "4", "--halt", "soon,fail=2", "--failed", failed, "-o", output),
    );
    assert.equal(stopped.status, 3);
    const command = continuation(stopped.stderr);
    assert.match(
      command,
      /^\{ cat \S+cut; tail -n \+\d+ \S+one; cat \S+two; \} \| manyhands map \S+#failAt5 -j 1 --window 4 --halt soon,fail=2 --failed \S+cut-2 >> \S+all$/,
    );
    const rest = await bash(command.replace("#failAt5", "#echo").replace("--halt soon,fail=2", ""));
    assert.equal(rest.status, 0, rest.stderr);
    const all = readFileSync(output, "utf8").trim().split("\n").map(Number);
    assert.deepEqual(
      all.toSorted((a, b) => a - b),
      Array.from({ length: 32 }, (_, at) => at + 1),
    );
  });
  it("is not there where all is done", async () => {
    const { stderr } = await manyhands(map("echo", "--failed", path("unused")), { input: "1" });
    assert.equal(stderr.trim().split("\n").length, 1);
  });
});

describe("progress on a terminal", { concurrency: 2 }, () => {
  it("is two lines, drawn in place, and gone at the end", async () => {
    const input = file("sleeps", "40\n".repeat(60));
    const shown = await inTerminal(`manyhands map ./tasks.mjs#sleep ${input} -j 2 -o /dev/null`);
    assert.match(shown, /tasks\.mjs \S*━+/);
    assert.match(shown, /\d+(\/60)? \d+% {2}\d+(\.\d)?\/s {2}eta \d+:\d\d {2}2 threads \d+% busy/);
    assert.match(shown, /✓ \d+.*▸ 2 running/s);
    assert.match(shown, /p50 \d+ms p99 \d+ms/);
    const drawn = shown.split(`\r${escape}[1A`).length - 1;
    assert.ok(drawn >= 5 && drawn <= 40, `drawn ${drawn} times in about 1.3 s`);
    // The last thing drawn is nothing, and then the summary.
    assert.match(shown, new RegExp(`${escape}\\[J60 ok, 0 failed, [^${escape}]*$`));
  });
  it("counts what is done while the end is unknown, and what failed in red", async () => {
    const shown = await inTerminal(
      '(seq 1 9; until grep -qa "9 d[o]ne" "$SHOWN"; do sleep 0.05; done) | manyhands map ./tasks.mjs#failAt5 -j 1 -o /dev/null',
    );
    assert.match(shown, /tasks\.mjs 9 done {2}/);
    assert.match(shown, new RegExp(`${escape}\\[31m✗ 1${escape}\\[39m`));
  });
  it("lets what tasks print pass above it", async () => {
    const shown = await inTerminal("manyhands map ./tasks.mjs#slow -j 1 -o /dev/null ::: 300 301");
    assert.match(shown, new RegExp(`${escape}\\[Jended 300\\r?\\n`));
    assert.match(shown, new RegExp(`${escape}\\[Jended 301\\r?\\n`));
  });
  it("has no colours with NO_COLOR", async () => {
    const shown = await inTerminal("manyhands map ./tasks.mjs#sleep -j 1 -o /dev/null ::: 300", { NO_COLOR: "1" });
    assert.match(shown, /✓ 0/);
    assert.ok(!new RegExp(`${escape}\\[3\\dm`).test(shown));
  });
  for (const env of [{ CI: "true" }, { TERM: "dumb" }]) {
    it(`is plain with ${JSON.stringify(env)}`, async () => {
      const shown = await inTerminal("manyhands map ./tasks.mjs#sleep -j 1 -o /dev/null ::: 300", env);
      assert.ok(!shown.includes(escape), JSON.stringify(shown));
      assert.match(shown, /^1 ok/m);
    });
  }
  it("fits into a narrow one", async () => {
    const shown = await inTerminal("stty cols 30; manyhands map ./tasks.mjs#sleep -j 1 -o /dev/null ::: 300");
    const drawn = shown.replaceAll(new RegExp(`${escape}\\[[\\d;]*[A-Za-z]`, "g"), "").split(/\r\n|\r|\n/);
    assert.ok(
      drawn.some((line) => line.includes("0/1")),
      JSON.stringify(drawn),
    );
    for (const line of drawn.filter((text) => /tasks\.mjs|✓/.test(text)))
      assert.ok(line.length < 30, JSON.stringify(line));
  });
});

describe("progress elsewhere", { concurrency: 2 }, () => {
  it("is silent in a short run", async () => {
    const { stderr } = await manyhands(map("sleep", "-j", "1"), { input: "300\n".repeat(3) });
    assert.match(stderr, /^3 ok[^\n]*\n$/);
  });
  it("is JSON, one object a line, with the last one at the end", async () => {
    const { stderr } = await manyhands(map("failAt5", "--progress", "json", "-q"), { input: numbers(10) });
    const last = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as Record<string, number>;
    assert.deepEqual(
      [last["done"], last["ok"], last["failed"], last["total"], last["share"], last["running"]],
      [10, 8, 2, 10, 1, 0],
    );
  });
  it("knows its share from the bytes of a regular file", async () => {
    const gate = path("gate");
    const input = file("paths", `${tasks}\n${gate}\n${"x".repeat(gate.length)}\n`);
    const running = start(map("waitFor", input, "--in", "lines", "-j", "1", "--window", "1", "--progress", "json"));
    await running.seen("stderr", /"total":null,"share":0\.[3-7]/);
    running.child.kill("SIGINT");
    running.child.kill("SIGINT");
    running.child.kill("SIGKILL");
    await running.ended;
  });
  it("none is none, and a bar where it is asked for", async () => {
    assert.match((await manyhands(map("sleep", "--progress", "none"), { input: "300" })).stderr, /^1 ok/);
    assert.match((await manyhands(map("sleep", "--progress", "bar"), { input: "300" })).stderr, /▸ 1 running/);
  });
});

describe("-v", { concurrency: 2 }, () => {
  it("says what fails when it happens", async () => {
    const running = start(map("failAt5", "-v", "-j", "1"));
    running.child.stdin.write("5\n");
    await running.seen("stderr", /^manyhands: failed: item 1, stdin:1: 5: number 5 is bad$/m);
    running.child.stdin.end();
    assert.equal((await running.ended).status, 1);
  });
  it("says when a worker is lost", async () => {
    const { stderr } = await manyhands(map("exit", "-v", "--retries", "0", "-j", "1", "--backend", "processes"), {
      input: "7",
    });
    assert.match(stderr, /^manyhands: lost \S+: .*7/m);
  });
});

describe("--dry-run", { concurrency: 2 }, () => {
  it("writes what each call would be given, and runs nothing", async () => {
    const { status, lines, stderr } = await manyhands(["map", "./throws-at-import.mjs#x", "--dry-run", "-n", "2"], {
      input: numbers(3),
    });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.deepEqual(lines, [
      '{"seq":1,"task":"./throws-at-import.mjs#x","input":[1,2]}',
      '{"seq":2,"task":"./throws-at-import.mjs#x","input":[3]}',
    ]);
  });
  it("names what cannot be read", async () => {
    const { status, lines, stderr } = await manyhands(map("echo", "--dry-run"), { input: "1\nx\n" });
    assert.deepEqual([status, lines.length], [1, 1]);
    assert.match(stderr, /^manyhands: Cannot read stdin line 2 as JSON: /);
  });
  it("stops when its reader goes away, and says when its input breaks off", async () => {
    const gone = await bash('yes 1 | manyhands map ./tasks.mjs#echo --dry-run | head -n 1; echo "${PIPESTATUS[1]}"');
    assert.deepEqual([gone.lines.at(-1), gone.stderr], ["141", ""]);
    const broken = await manyhands(map("echo", "--dry-run", "/proc/self/mem"));
    assert.equal(broken.status, 2);
    assert.match(broken.stderr, /^manyhands: Cannot read the input: EIO[^\n]*\n$/);
  });
  it("leaves the output alone", async () => {
    const output = file("kept", "old");
    await manyhands(map("echo", "--dry-run", "-o", output), { input: "1" });
    assert.equal(readFileSync(output, "utf8"), "old");
  });
});
