import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { bash, manyhands, numbers, scratch, start, startBash, tasks } from "./program.ts";

const { path, file } = scratch();
const echo = ["map", `${tasks}#echo`, "-k", "-q"];

describe("manyhands map reads", { concurrency: 2 }, () => {
  it("standard input, as NDJSON", async () => {
    const { status, lines } = await manyhands(echo, { input: '{"a":1}\n\n[2]\n"x"' });
    assert.deepEqual([status, lines], [0, ['{"a":1}', "[2]", '"x"']]);
  });
  it("nothing, and succeeds", async () => {
    const { status, stdout, stderr } = await manyhands(["map", `${tasks}#echo`], { input: "" });
    assert.deepEqual([status, stdout], [0, ""]);
    assert.match(stderr, /^0 ok, 0 failed, /);
  });
  it("files in the order given, each to its own end, and - as standard input", async () => {
    const one = file("one.ndjson", "1\n2");
    const two = file("two.ndjson", "3\n");
    const { lines } = await manyhands([...echo, two, "-", one, "-a", two], { input: "9" });
    assert.deepEqual(lines, ["3", "9", "1", "2", "3"]);
  });
  it("flags before, between and after the files", async () => {
    const one = file("a.txt", "a\n");
    const { lines } = await manyhands(["map", "-k", "./tasks.mjs#echo", one, "--in", "lines", one, "-q"]);
    assert.deepEqual(lines, ['"a"', '"a"']);
  });
  it("a pipe that the shell names", async () => {
    const { stdout } = await bash("manyhands map ./tasks.mjs#echo -q -k <(echo 1) <(echo 2)");
    assert.equal(stdout, "1\n2\n");
  });
  it("the words after ::: as strings, whatever they look like", async () => {
    const { lines } = await manyhands([...echo, ":::", "1", "-k", "", "--", "a b"]);
    assert.deepEqual(lines, ['"1"', '"-k"', '""', '"--"', '"a b"']);
  });
  it("an empty list of words as no items", async () => {
    const { status, stdout } = await manyhands([...echo, ":::"]);
    assert.deepEqual([status, stdout], [0, ""]);
  });
  it("lines", async () => {
    const { lines } = await manyhands([...echo, "--in", "lines"], { input: "a b\r\n\n{}\nend" });
    assert.deepEqual(lines, ['"a b"', '""', '"{}"', '"end"']);
  });
  for (const flag of [["-0"], ["--null"], ["--in", "nul"], ["-0", "--in", "nul"]]) {
    it(`NUL-ended names with ${flag.join(" ")}`, async () => {
      const { lines } = await manyhands([...echo, ...flag], { input: "a\nb\0c d\0" });
      assert.deepEqual(lines, ['"a\\nb"', '"c d"']);
    });
  }
  it("the names that find writes", async () => {
    const folder = path("names");
    mkdirSync(folder);
    for (const name of ["a b", "c\nd", "'e\"", "ü"]) writeFileSync(`${folder}/${name}`, "");
    const { lines } = await bash(
      `find '${folder}' -type f -print0 | sort -z | manyhands map ./tasks.mjs#echo -0 -k -q`,
    );
    assert.deepEqual(lines.map((line) => (JSON.parse(line) as string).split("/").at(-1)).toSorted(), [
      "'e\"",
      "a b",
      "c\nd",
      "ü",
    ]);
  });
  it("CSV", async () => {
    const { lines } = await manyhands([...echo, "--in", "csv"], { input: 'name,n\n"x, y",1\nz,2\n' });
    assert.deepEqual(lines, ['{"name":"x, y","n":"1"}', '{"name":"z","n":"2"}']);
  });
  it("tab-separated values", async () => {
    const { lines } = await manyhands([...echo, "--in", "tsv"], { input: "name\tn\nx, y\t1\n" });
    assert.deepEqual(lines, ['{"name":"x, y","n":"1"}']);
  });
  it("one JSON array, or one value", async () => {
    const { lines } = await manyhands([...echo, "--in", "json", "-", file("v.json", '{"b":2}')], {
      input: '[1,\n{"a":[]}]',
    });
    assert.deepEqual(lines, ["1", '{"a":[]}', '{"b":2}']);
  });
  it("several items a call with -n", async () => {
    const { lines } = await manyhands([...echo, "-n", "2"], { input: numbers(5) });
    assert.deepEqual(lines, ["[1,2]", "[3,4]", "[5]"]);
    const single = await manyhands([...echo, "--max-args", "1"], { input: numbers(2) });
    assert.deepEqual(single.lines, ["[1]", "[2]"]);
  });
});

describe("input that is bad", { concurrency: 2 }, () => {
  it("is one failed item that names file and line, and the rest is done", async () => {
    const bad = file("bad.ndjson", "1\n{oops\n3\n");
    const { status, lines, stderr } = await manyhands(["map", `${tasks}#echo`, "-k", bad]);
    assert.deepEqual([status, lines], [1, ["1", "3"]]);
    assert.match(stderr, /^2 ok, 1 failed, /);
    assert.match(
      stderr,
      /1 × ERR_BAD_INPUT: Cannot read .*bad\.ndjson line 2 as JSON: .* first: item 2, .*bad\.ndjson:2: \{oops\n/,
    );
  });
  it("keeps its place in the order, in every record", async () => {
    const { lines } = await manyhands(["map", `${tasks}#echo`, "-k", "-q", "--out", "record"], {
      input: "x\n1\ny\nz\n2\nw",
    });
    const records = lines.map((line) => JSON.parse(line) as { seq: number; ok: boolean; attempt: number });
    assert.deepEqual(
      records.map(({ seq, ok, attempt }) => [seq, ok, attempt]),
      [
        [1, false, 0],
        [2, true, 1],
        [3, false, 0],
        [4, false, 0],
        [5, true, 1],
        [6, false, 0],
      ],
    );
  });
  it("may be all there is, however much", async () => {
    const { status, stderr, lines } = await manyhands(["map", `${tasks}#echo`, "-k", "--out", "record"], {
      input: "x\n".repeat(20_000),
    });
    assert.deepEqual([status, lines.length], [1, 20_000]);
    assert.match(stderr, /^0 ok, 20,000 failed/);
  });
  it("may be thousands before and after one slow item, in order", async () => {
    const input = `${"x\n".repeat(5000)}30\n${"y\n".repeat(5000)}1\n`;
    const { lines } = await manyhands(["map", `${tasks}#sleep`, "-k", "-q", "--out", "record"], { input });
    const seqs = lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
    assert.deepEqual(
      seqs,
      Array.from({ length: 10_002 }, (_, at) => at + 1),
    );
  });
  it("in CSV is the row alone", async () => {
    const { status, lines, stderr } = await manyhands(["map", `${tasks}#echo`, "-k", "--in", "csv"], {
      input: "a,b\n1,2\n3\n4,5\n",
    });
    assert.deepEqual([status, lines], [1, ['{"a":"1","b":"2"}', '{"a":"4","b":"5"}']]);
    assert.match(stderr, /stdin line 3 as a row/);
  });
  it("that is a folder on standard input is exit 2", async () => {
    const { status, stderr } = await bash("manyhands map ./tasks.mjs#echo < .");
    assert.deepEqual([status, stderr], [2, "manyhands: Cannot read standard input: it is a directory\n"]);
  });
  it("that cannot be read to its end stops the run with exit 2, after what was read", async () => {
    // A connection as standard input, which breaks once both lines have been answered.
    const server = createServer((socket) => socket.write("1\n2\n")).listen(0, "127.0.0.1");
    const connection = once(server, "connection") as Promise<[Socket]>;
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const running = startBash(`manyhands map ./tasks.mjs#echo -k < /dev/tcp/127.0.0.1/${port}`);
    await running.seen("stdout", /^2$/m);
    const [socket] = await connection;
    socket.resetAndDestroy();
    server.close();
    const { status, lines, stderr } = await running.ended;
    assert.deepEqual([status, lines], [2, ["1", "2"]], stderr);
    assert.match(stderr, /^2 ok, 0 failed/);
    assert.match(stderr, /^Cannot read the input: .*ECONNRESET.*\n/m);
  });
});

describe("input is read lazily", { concurrency: 2 }, () => {
  it("from an endless source, no more than the window ahead", async () => {
    const { stdout, stderr } = await bash(
      `(i=0; while echo $((++i)); do echo $i > '${path("fed")}'; done) 2>/dev/null | manyhands map ./tasks.mjs#echo -q -k --window 4 | head -n 3`,
    );
    assert.equal(stdout, "1\n2\n3\n", stderr);
  });
  it("item by item, as they come", async () => {
    const running = start(["map", `${tasks}#double`, "-q"]);
    for (let n = 1; n <= 3; n++) {
      running.child.stdin.write(`${n}\n`);
      await running.seen("stdout", new RegExp(`^${2 * n}$`, "m"));
    }
    running.child.stdin.end();
    assert.equal((await running.ended).status, 0);
  });
  it("and reads on only when results are taken", async () => {
    const running = start(["map", `${tasks}#long`, "--window", "16", "-j", "1", "--progress", "json"]);
    running.child.stdout.pause();
    running.child.stdin.end("100000\n".repeat(5000));
    // Two seconds of standstill: what is read waits for who reads the results.
    await running.seen("stderr", /"read":(\d+),[^\n]*\n[^\n]*"read":\1,/);
    running.child.stdout.resume();
    const { lines, stderr } = await running.ended;
    assert.equal(lines.length, 5000);
    const [, read] = /"read":(\d+),[^\n]*\n[^\n]*"read":\1,/.exec(stderr) ?? [];
    assert.ok(Number(read) < 60, `${read} items were read`);
  });
});

describe("a million lines", () => {
  it("go through in flat memory, each once and in order", async () => {
    const input = path("million.ndjson");
    writeFileSync(input, numbers(1_000_000));
    // The peak of the resident set is what GNU time would tell; the kernel tells it too.
    const running = start(["map", `${tasks}#double`, input, "-k", "-j", "2", "-o", path("doubled")]);
    let peakKb = 0;
    const watching = setInterval(() => {
      const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${running.child.pid}/status`, "utf8")) ?? [];
      peakKb = Math.max(peakKb, Number(kb ?? 0));
    }, 50);
    const { status, stderr } = await running.ended.finally(() => clearInterval(watching));
    assert.equal(status, 0, stderr);
    assert.match(stderr, /1,000,000 ok, 0 failed/);
    // All of the numbers alone, as objects in a queue, would be more.
    assert.ok(peakKb > 40_000 && peakKb < 350_000, `peak ${peakKb} kB`);
    const sum = execFileSync(
      "awk",
      ['{ if ($1 != 2 * NR) { print "line", NR; exit } n++ } END { print n }', path("doubled")],
      { encoding: "utf8" },
    );
    assert.equal(sum.trim(), "1000000");
  });
});
