import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bash, manyhands, numbers, scratch, start } from "./program.ts";

const { path, file } = scratch();
const shell = (script: string, ...flags: readonly string[]) => ["map", "-q", ...flags, "-c", script];

describe("what a program writes", { concurrency: 2 }, () => {
  it("is written as it is, bytes and missing newlines included", async () => {
    const { stdout } = await bash(`printf 'a\\nb\\n' | manyhands map -q -k -c 'printf "\\377\\0%s" {}' | od -An -tx1`);
    assert.equal(stdout.trim(), "ff 00 61 ff 00 62");
  });
  it("is never mixed with another's, though both write for a while", async () => {
    const { lines } = await manyhands(shell("for i in 1 2 3 4 5; do echo {} $i; sleep 0.01; done", "-j", "4"), {
      input: numbers(12),
    });
    assert.equal(lines.length, 60);
    for (let at = 0; at < 60; at += 5) {
      const [item] = (lines[at] ?? "").split(" ");
      assert.deepEqual(
        lines.slice(at, at + 5),
        ["1", "2", "3", "4", "5"].map((i) => `${item} ${i}`),
      );
    }
  });
  it("comes as programs end, and in the order of the input with -k", async () => {
    const gates = ["a", "b", "c"].map(path);
    const script = "until [ -e {} ]; do sleep 0.02; done; echo {/}";
    const ordered = manyhands([...shell(script, "-j", "3", "-k"), ":::", ...gates]);
    const running = start([...shell(script, "-j", "3"), ":::", ...gates]);
    for (const name of ["b", "c", "a"]) {
      file(name, "");
      await running.seen("stdout", new RegExp(`^${name}$`, "m"));
    }
    assert.deepEqual((await running.ended).lines, ["b", "c", "a"]);
    assert.deepEqual((await ordered).lines, ["a", "b", "c"]);
  });
  it("is written where it failed, too, as its program wrote it", async () => {
    const { status, stdout } = await manyhands([...shell("echo {}; exit {}", "-k"), ":::", "0", "3"]);
    assert.deepEqual([status, stdout], [1, "0\n3\n"]);
  });
  it("is whole however much it is, and takes no memory", async () => {
    const size = 60_000_000;
    const { stdout } = await bash(
      `manyhands map -k -q -j 2 -c 'yes {} | head -c ${size}; echo' ::: a b c | { head -c ${size} | md5sum; tail -c +2 | cksum; };
       yes a | head -c ${size} | md5sum; { yes b | head -c ${size}; echo; yes c | head -c ${size}; echo; } | cksum`,
    );
    const [first, rest, ...same] = stdout.trimEnd().split("\n");
    assert.deepEqual(same, [first, rest]);
    const { stderr } = await bash(
      `manyhands map -q -j 1 -c 'yes {} | head -c 300000000; grep VmHWM /proc/$PPID/status >&2' ::: a > /dev/null`,
    );
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(stderr) ?? [];
    assert.ok(Number(kilobytes) < 200_000, stderr);
  });
  it("on stderr goes there, whole and in lines, whatever becomes of it", async () => {
    const { stdout, stderr } = await manyhands([
      ...shell("for i in 1 2 3; do echo {} $i >&2; sleep 0.01; done; printf end >&2; exit {}", "-j", "2", "-k"),
      ":::",
      "0",
      "1",
    ]);
    assert.equal(stdout, "");
    assert.ok(stderr.includes("0 1\n0 2\n0 3\nend\n"), stderr);
    assert.ok(stderr.includes("1 1\n1 2\n1 3\nend\n"), stderr);
  });
  it("on stderr without end is passed on whole", async () => {
    const { stderr } = await bash(`manyhands map -q -c ': {}; yes ü | head -c 3000000 >&2' ::: 1 2>&1 | wc -c >&2`);
    assert.equal(Number(stderr), 3_000_000);
  });
  it("before it is ended is shown on stderr", async () => {
    const { stderr } = await manyhands([...shell("echo begun >&2; sleep 60", "--timeout", "1s"), ":::", "1"]);
    assert.equal(stderr, "begun\n");
  });
  it("has an empty standard input, and not ours", async () => {
    assert.deepEqual((await manyhands(shell("cat; echo {}"), { input: "1\n2\n" })).lines.toSorted(), ["1", "2"]);
  });
  it("goes to -o", async () => {
    const output = path("out");
    const { stdout } = await manyhands([...shell("echo {}", "-o", output), ":::", "a"]);
    assert.deepEqual([stdout, readFileSync(output, "utf8")], ["", "a\n"]);
  });
  it("of a program that leaves something running in the background is not waited for", async () => {
    const { lines } = await manyhands([...shell(": {}; sleep 30 & echo $!"), ":::", "1"]);
    process.kill(Number(lines[0]), "SIGKILL");
  });
});

describe("--tag", { concurrency: 2 }, () => {
  it("begins each line of stdout and stderr with the item, and ends the last one", async () => {
    const { stdout, stderr } = await manyhands([
      ...shell("printf 'a\\n\\nb'; printf 'c\\nd' >&2; printf {} > /dev/null", "--tag", "-k"),
      ":::",
      "x y",
      "tab\tnewline\n.",
    ]);
    assert.equal(stdout, "x y\ta\nx y\t\nx y\tb\ntab newline .\ta\ntab newline .\t\ntab newline .\tb\n");
    for (const line of ["x y\tc\nx y\td\n", "tab newline .\tc\ntab newline .\td\n"])
      assert.ok(stderr.includes(line), stderr);
  });
  it("does so with output that comes in pieces, of any bytes", async () => {
    const { lines } = await bash(
      `manyhands map -q --tag -c ': {}; yes aaaaaaaaaaa | head -n 20000; printf "\\377"; head -c 70000 /dev/zero | tr "\\0" z' ::: ü > '${path("tagged")}'; head -n 20000 '${path("tagged")}' | uniq -c`,
    );
    assert.deepEqual(lines, ["  20000 ü\taaaaaaaaaaa"]);
    const last = readFileSync(path("tagged")).subarray(-70_005).toString("latin1");
    assert.equal(last, `${Buffer.from("ü").toString("latin1")}\t\xff${"z".repeat(70_000)}\n`.slice(-70_005));
  });
  it("is whole for a long name, and of a group its items", async () => {
    const long = "x".repeat(200);
    assert.equal((await manyhands([...shell("echo 1 # {}", "--tag"), ":::", long])).stdout, `${long}\t1\n`);
    assert.equal((await manyhands([...shell("echo {}", "--tag", "-n", "2"), ":::", "a", "b"])).stdout, "a b\ta b\n");
  });
});

describe("--out", { concurrency: 2 }, () => {
  it("record writes a line of JSON for each item", async () => {
    const { lines } = await manyhands([
      ...shell("echo {}; echo sorry >&2; [ {} != kill ] || kill -9 $$; exit {}", "-k", "--out", "record", "-j", "1"),
      ":::",
      "0",
      "3",
      "kill",
    ]);
    const [good, bad, killed] = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
    assert.deepEqual([good?.["seq"], good?.["ok"], good?.["value"], good?.["attempt"]], [1, true, "0\n", 1]);
    const { code, exitCode, name, message } = bad?.["error"] ?? {};
    assert.deepEqual([bad?.["ok"], bad?.["value"], code, exitCode, name], [false, "3\n", "EXIT_3", 3, "ProgramError"]);
    assert.match(String(message), /exited with 3: sorry$/);
    assert.deepEqual([killed?.["error"]?.["code"], killed?.["error"]?.["signal"]], ["SIGKILL", "SIGKILL"]);
  });
  it("raw is the output as it is, as value is", async () => {
    const { stdout } = await manyhands([...shell("printf {}", "-k", "--out", "raw"), ":::", "a", "b"]);
    assert.equal(stdout, "ab");
  });
});

describe("--dry-run", { concurrency: 2 }, () => {
  it("prints what would run, as a shell reads it, and runs nothing", async () => {
    const { status, stdout, stderr } = await manyhands([
      "map",
      "--dry-run",
      "--",
      "touch",
      path("harm"),
      "{}",
      "{.}-{#}",
      "{%}",
      ":::",
      "a b.c",
      "it's",
    ]);
    assert.deepEqual([status, stderr], [0, ""]);
    const harm = path("harm");
    assert.equal(stdout, `touch ${harm} 'a b.c' 'a b-1' '{%}'\ntouch ${harm} 'it'\\''s' 'it'\\''s-2' '{%}'\n`);
    const { stdout: script } = await manyhands(["map", "--dry-run", "-c", `touch ${harm} | cat {}`, ":::", "a b"]);
    assert.equal(script, `touch ${harm} | cat 'a b'\n`);
    assert.throws(() => readFileSync(harm), /ENOENT/);
  });
});

describe("--joblog", { concurrency: 2 }, () => {
  it("has the nine columns of GNU parallel, a line for each item that ran", async () => {
    const log = path("joblog");
    const before = Date.now() / 1000;
    await manyhands([
      "map",
      "-q",
      "-j",
      "1",
      "--joblog",
      log,
      "--timeout",
      "2s",
      "-c",
      "printf {}; case {} in kill) kill -TERM $$;; slow) sleep 60;; 'a\nb') exit 3;; esac; echo {%}",
      ":::",
      "fine",
      "a\nb",
      "kill",
      "slow",
    ]);
    const [header, ...lines] = readFileSync(log, "utf8").trimEnd().split("\n");
    assert.equal(header, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand");
    const rows = lines.map((line) => line.split("\t"));
    const columns = (at: number) => rows.map((row) => row[at]);
    assert.deepEqual([...new Set(rows.map((row) => row.length))], [9]);
    assert.deepEqual(
      [columns(0), columns(1), columns(4)],
      [
        ["1", "2", "3", "4"],
        [":", ":", ":", ":"],
        ["0", "0", "0", "0"],
      ],
    );
    for (const [, , startedAt = "", runtime = ""] of rows) {
      assert.match(startedAt, /^\d{10}\.\d{3}$/);
      assert.ok(Number(startedAt) >= before - 0.001 && Number(startedAt) <= Date.now() / 1000);
      assert.match(runtime, /^ {1,9}\d+\.\d{3}$/);
      assert.equal(runtime.length, 10);
    }
    assert.ok(Number(columns(3)[3]) >= 2, "the one that timed out took as long");
    // 4 bytes of "fine" and "1\n"; the others' as far as they came.
    assert.deepEqual(
      [columns(5), columns(6), columns(7)],
      [
        ["6", "3", "4", "0"],
        ["0", "3", "0", "-1"],
        ["0", "0", "15", "15"],
      ],
    );
    assert.ok(columns(8)[0]?.startsWith("printf fine; case fine in kill"));
    assert.ok(columns(8)[0]?.endsWith("esac; echo 1"), columns(8)[0]);
    assert.ok(columns(8)[1]?.startsWith("printf 'a\0b'; case"), "a newline is a NUL, as there");
  });
  it("tells of the last attempt, and of programs that could not be started", async () => {
    const log = path("retries");
    const { status } = await manyhands([
      "map",
      "-q",
      "--joblog",
      log,
      "--retries",
      "2",
      "--retry-delay",
      "1ms",
      "--",
      "{}",
      ":::",
      "/no/such",
      fixturesFolder,
      "false",
    ]);
    assert.equal(status, 1);
    const rows = readFileSync(log, "utf8")
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.split("\t"));
    const ends = rows.map((row) => [row[0], row[6], row[8]]).toSorted();
    assert.deepEqual(ends, [
      ["1", "127", "/no/such"],
      ["2", "126", fixturesFolder],
      ["3", "1", "false"],
    ]);
  });
  it("cannot be what is read or written otherwise", async () => {
    const input = file("input", "a\n");
    const { status, stderr } = await manyhands(["map", "-a", input, "--joblog", input, "--", "true"]);
    assert.equal(status, 2);
    assert.match(stderr, /Cannot write --joblog ".*": it is the input/);
  });
});

const fixturesFolder = path("");
