import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bash, manyhands, numbers, scratch, start, tasks } from "./program.ts";

const { path, file } = scratch();
const quietly = (name: string, ...args: readonly string[]) => ["map", `${tasks}#${name}`, "-q", ...args];

describe("--out value", { concurrency: 2 }, () => {
  it("is a line of JSON for an item that succeeds, and nothing for one that fails", async () => {
    const { status, lines } = await manyhands(quietly("failAt5", "-k"), { input: numbers(7) });
    assert.deepEqual([status, lines], [1, ["1", "2", "3", "4", "6", "7"]]);
  });
  it("writes what JSON has no form for", async () => {
    const { lines } = await manyhands(quietly("odd", "-k", ":::", "bigint", "map", "bytes", "date", "nan"));
    assert.deepEqual(lines, ['"12"', '[["a",[1]]]', '"AQID"', '"1970-01-01T00:00:00.000Z"', "null"]);
  });
  it("writes undefined as null", async () => {
    assert.deepEqual((await manyhands(quietly("nothing"), { input: "1" })).lines, ["null"]);
  });
  it("makes a value without a form the failure of its item", async () => {
    const { status, stdout, stderr } = await manyhands(["map", `${tasks}#cycle`], { input: "1\n2" });
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, /2 × TypeError: .*circular/);
  });
  it("never breaks a line in the middle, however long results are", async () => {
    const input = `${Array.from({ length: 50 }, (_, at) => at * 5000).join("\n")}\n`;
    const { lines } = await manyhands(quietly("long"), { input });
    assert.deepEqual(
      lines.map((line) => line.length - 2).toSorted((a, b) => a - b),
      input.trim().split("\n").map(Number),
    );
  });
});

describe("--out raw", { concurrency: 2 }, () => {
  it("writes strings as they are, bytes without a newline, nothing for undefined, the rest as JSON", async () => {
    const text = await manyhands(quietly("echo", "-k", "--out", "raw"), { input: '"a\\"b"\n{"c":1}\nnull\n' });
    assert.equal(text.stdout, 'a"b\n{"c":1}\nnull\n');
    const bytes = await manyhands(quietly("bytes", "-k", "--out", "raw", ":::", "ab", "c"));
    assert.equal(bytes.stdout, "abc");
    const nothing = await manyhands(quietly("nothing", "--out", "raw"), { input: "1\n2\n" });
    assert.equal(nothing.stdout, "");
  });
});

describe("--out record", { concurrency: 2 }, () => {
  it("is a line for every item", async () => {
    const { status, lines } = await manyhands(quietly("failAt5", "-k", "--out", "record"), { input: "4\n5\nbad\n" });
    assert.equal(status, 1);
    const [good, failed, unreadable] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const { key, worker, queuedMs, ms, ...rest } = good ?? {};
    assert.deepEqual(rest, { seq: 1, ok: true, value: 4, attempt: 1, host: "local" });
    assert.match(String(key), /^[0-9a-f]{16}$/);
    assert.match(String(worker), /^\S+-\d+$/);
    assert.equal(typeof queuedMs, "number");
    assert.equal(typeof ms, "number");
    assert.deepEqual(Object.keys(good ?? {}), [
      "seq",
      "key",
      "ok",
      "value",
      "attempt",
      "worker",
      "host",
      "queuedMs",
      "ms",
    ]);

    const { error, ...facts } = failed as { error: Record<string, string> };
    assert.deepEqual(Object.keys(failed ?? {}), [
      "seq",
      "key",
      "ok",
      "error",
      "attempt",
      "worker",
      "host",
      "queuedMs",
      "ms",
    ]);
    assert.equal((facts as Record<string, unknown>)["ok"], false);
    assert.deepEqual([error["name"], error["message"], error["code"]], ["Error", "number 5 is bad", "EBAD"]);
    assert.match(error["stack"] ?? "", /failAt5/);

    assert.deepEqual(
      [unreadable?.["attempt"], unreadable?.["worker"], (unreadable?.["error"] as { code: string } | undefined)?.code],
      [0, null, "ERR_BAD_INPUT"],
    );
  });
  it("gives equal items equal keys, wherever they stand", async () => {
    const { lines } = await manyhands(quietly("echo", "-k", "--out", "record"), {
      input: '{"a":1,"b":2}\n{"b":2,"a":1}\n3\n',
    });
    const keys = lines.map((line) => (JSON.parse(line) as { key: string }).key);
    assert.deepEqual([keys[0] === keys[1], keys[1] === keys[2]], [true, false]);
  });
  it("writes undefined as null", async () => {
    assert.match(
      (await manyhands(quietly("nothing", "--out", "record"), { input: "1" })).stdout,
      /"ok":true,"value":null,/,
    );
  });
  it("measures how long the item ran, in the worker", async () => {
    const { lines } = await manyhands(quietly("sleep", "--out", "record"), { input: "60" });
    const { ms } = JSON.parse(lines[0] ?? "") as { ms: number };
    assert.ok(ms >= 58 && ms < 1000, String(ms));
  });
});

describe("the order", { concurrency: 2 }, () => {
  it("is that of completion", async () => {
    const gate = path("gate");
    const running = start(quietly("waitFor", "--in", "lines", "-j", "2"));
    running.child.stdin.end(`${gate}\n${tasks}\n`);
    // The second item is done while the first one waits.
    await running.seen("stdout", /tasks\.mjs/);
    file("gate", "");
    const { lines } = await running.ended;
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as string),
      [tasks, gate],
    );
  });
  it("is that of the input with -k", async () => {
    const input = Array.from({ length: 60 }, (_, at) => (at % 7 === 0 ? 20 : 0)).join("\n");
    const { lines } = await manyhands(quietly("sleep", "--keep-order", "-j", "2", "--out", "record"), { input });
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { seq: number }).seq),
      Array.from({ length: 60 }, (_, at) => at + 1),
    );
  });
  it("with -k is kept in bounded memory: reading waits for the first item", async () => {
    const gate = path("slow-first");
    const running = start([
      "map",
      `${tasks}#waitFor`,
      "--in",
      "lines",
      "-k",
      "-j",
      "2",
      "--window",
      "10",
      "--progress",
      "json",
    ]);
    running.child.stdin.write(`${gate}\n${`${tasks}\n`.repeat(5000)}`);
    running.child.stdin.end();
    await running.seen("stderr", /"done":9,/);
    await running.seen("stderr", /"read":1\d,/);
    file("slow-first", "");
    const { lines, stderr } = await running.ended;
    assert.equal(lines.length, 5001);
    assert.equal(JSON.parse(lines[0] ?? ""), gate);
    const before = stderr.split("\n").filter((line) => line.includes('"done":9,'));
    assert.ok(
      before.every((line) => (JSON.parse(line) as { read: number }).read <= 12),
      before.at(-1),
    );
  });
});

describe("-o", { concurrency: 2 }, () => {
  it("writes to a file, and nothing to standard output", async () => {
    const output = file("out.ndjson", "old\n");
    const { status, stdout } = await manyhands(quietly("double", "-k", "-o", output), { input: numbers(3) });
    assert.deepEqual([status, stdout, readFileSync(output, "utf8")], [0, "", "2\n4\n6\n"]);
  });
  it("writes while it runs", async () => {
    const output = path("streamed");
    const running = start(quietly("double", "-o", output));
    running.child.stdin.write("1\n");
    while (!(await bash(`cat '${output}' 2>/dev/null || true`)).stdout.includes("2\n"));
    running.child.stdin.end();
    assert.equal((await running.ended).status, 0);
  });
  it("says when the disk is full, stops, and exits with 3", async () => {
    const { status, stderr } = await manyhands(["map", `${tasks}#long`, "-o", "/dev/full"], {
      input: "1000\n".repeat(5000),
    });
    assert.equal(status, 3, stderr);
    assert.match(stderr, /Cannot write "\/dev\/full": ENOSPC/);
  });
  it("says so for a full standard output and a full file of failed items, too", async () => {
    const output = await bash("yes 1 | head -n 5000 | manyhands map ./tasks.mjs#echo > /dev/full");
    assert.deepEqual(
      [output.status, /Cannot write "standard output": ENOSPC/.test(output.stderr)],
      [3, true],
      output.stderr,
    );
    const failed = await bash("yes 1 | head -n 5000 | manyhands map ./tasks.mjs#fail --failed /dev/full");
    assert.deepEqual(
      [failed.status, /Cannot write "\/dev\/full": ENOSPC/.test(failed.stderr)],
      [3, true],
      failed.stderr,
    );
  });
});

describe("--failed", { concurrency: 2 }, () => {
  it("keeps the inputs of failed items as they stood, ready to be fed again", async () => {
    const failed = path("failed.ndjson");
    const input = '{"n":  1}\n5\nbad line\n10\n11\n';
    const first = await manyhands(quietly("failAt5", "-k", "--failed", failed), { input });
    assert.equal(first.status, 1);
    assert.equal(readFileSync(failed, "utf8"), "5\nbad line\n10\n");
    const second = await manyhands(quietly("echo", "-k", failed, "--failed", path("failed-2.ndjson")));
    assert.deepEqual([second.status, second.lines], [1, ["5", "10"]]);
    assert.equal(readFileSync(path("failed-2.ndjson"), "utf8"), "bad line\n");
  });
  it("is empty where nothing fails", async () => {
    const failed = file("none", "old");
    assert.equal((await manyhands(quietly("echo", "--failed", failed), { input: "1" })).status, 0);
    assert.equal(readFileSync(failed, "utf8"), "");
  });
  const forms: Readonly<Record<string, readonly [readonly string[], string, string]>> = {
    lines: [["--in", "lines"], "a b\r\n\n", "a b\n\n"],
    nul: [["-0"], "a\nb\0c\0", "a\nb\0c\0"],
    csv: [["--in", "csv"], 'a,b\r\n"x, y",1\r\nshort\n', 'a,b\n"x, y",1\nshort\n'],
    tsv: [["--in", "tsv"], 'a\tb\n"x\t1\n', 'a\tb\n"x\t1\n'],
    json: [["--in", "json"], '[1, {"a": [2]}]', '1\n{"a":[2]}\n'],
    "-n": [["-n", "2"], "1\n2\n3\n", "1\n2\n3\n"],
    ":::": [[":::", "a\nb", "c"], "", '"a\\nb"\n"c"\n'],
  };
  for (const [name, [flags, input, expected]] of Object.entries(forms)) {
    it(`has the form of ${name}`, async () => {
      const failed = path(`failed-${name}`);
      await manyhands(quietly("fail", "-k", "--failed", failed, ...flags), { input });
      assert.equal(readFileSync(failed, "utf8"), expected);
    });
  }
});

describe("what tasks print", { concurrency: 2 }, () => {
  for (const backend of ["threads", "processes"]) {
    it(`on ${backend} goes to standard error in whole lines, never among the results`, async () => {
      const { stdout, stderr } = await manyhands(
        quietly("print", "-k", "--backend", backend, "-j", "1", ":::", "a", "b"),
      );
      assert.equal(stdout, '"a"\n"b"\n');
      for (const line of ["out a", "err a", "out b", "err b"])
        assert.match(stderr, new RegExp(`^(no end)?${line}$`, "m"), stderr);
    });
  }
  it("inline too", async () => {
    const { stdout, stderr } = await manyhands(quietly("print", "--backend", "inline", ":::", "a"));
    assert.equal(stdout, '"a"\n');
    assert.match(stderr, /^out a$/m);
  });
  it("with ctx.log is shown as console.log shows it", async () => {
    assert.equal((await manyhands(quietly("log", ":::", "a"))).stderr, "says { text: 'a' }\n");
  });
  it("begins with the item where it is tagged", async () => {
    const { stdout, stderr } = await manyhands(quietly("print", "-k", "--tag", "-j", "1", ":::", "a", "b"));
    assert.equal(stdout, '"a"\n"b"\n');
    assert.deepEqual(stderr.trim().split("\n").toSorted(), [
      "a\terr a",
      "a\tno end",
      "a\tout a",
      "b\terr b",
      "b\tno end",
      "b\tout b",
    ]);
    const { stderr: said } = await manyhands(quietly("log", "--tag"), { input: '{"n":1}' });
    assert.equal(said, '{"n":1}\tsays { text: { n: 1 } }\n');
  });
});
