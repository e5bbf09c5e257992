// The built program and the examples, on whatever Node runs this.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { analyse } from "../../examples/source-stats.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = join(root, "dist", "cli", "main.js");
const folder = mkdtempSync(join(tmpdir(), "manyhands-built-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function run(args, input = "") {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, timeout: 60_000, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr, lines: stdout.trimEnd().split("\n") }));
    child.stdin.end(input);
  });
}

const map = (...args) => [program, "map", ...args];

function file(name, text) {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("the built program", { concurrency: 2 }, () => {
  it("can be started by itself", () => {
    assert.match(readFileSync(program, "utf8"), /^#!\/usr\/bin\/env node\n/);
  });
  for (const backend of ["threads", "processes", "inline"]) {
    it(`maps on ${backend}`, async () => {
      const module = file(`${backend}.mjs`, "export const double = (n) => n * 2;");
      const { status, stdout, stderr } = await run(map(module, "-k", "--backend", backend), "1\n2\n3\n");
      assert.deepEqual([status, stdout], [0, "2\n4\n6\n"], stderr);
    });
  }
  it("maps with a CommonJS module", async () => {
    const module = file("common.cjs", "exports.double = (n) => n * 2;");
    const { status, stdout, stderr } = await run(map(module), "21");
    assert.deepEqual([status, stdout], [0, "42\n"], stderr);
  });
  it("refuses what is wrong", async () => {
    const { status, stderr } = await run(map("./missing.mjs"), "1");
    assert.deepEqual([status, stderr], [2, 'manyhands: Cannot load module "./missing.mjs": there is no such file\n']);
  });
  it("draws progress", async () => {
    const module = file("sleep.mjs", "export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));");
    const { stderr } = await run(map(module, "--progress", "bar", "-j", "1"), "400");
    assert.match(stderr, /sleep\.mjs .*1 thread \d+% busy/);
  });
});

describe("source-stats", { concurrency: 2 }, () => {
  it("counts tokens as a reader of the language does", async () => {
    const sources = [
      ["", 0],
      ["// nothing\n/* at all */", 0],
      ["#!/usr/bin/env node\nlet a = 1;", 5],
      ["a / b / c", 5],
      ["x = /[/]\\/+/gi.test(y)", 8],
      ["return /re/", 2],
      ["a = b ? /x/ : c / d / e", 11],
      ["`plain`", 1],
      ["`a${b}c${ {d: `${e}`} }f`", 11],
      ["'it\\'s' + \"a\\\"b\"", 3],
      ["a?.b ?? c ??= d", 7],
      ["0xff_ff + 1_000.5e-3 + .5 + 10n", 7],
      ["x => ({ ...y })", 8],
      ["a >>>= b ** c", 5],
      ["class A { #p = 1; @dec m() {} }", 14],
      ["type A<T> = T extends `x${infer U}` ? U : never", 16],
      ["naïve = 'ü'", 3],
      ["a\n++\nb", 3],
    ];
    for (const [at, [text, tokens]] of sources.entries()) {
      const path = file(`tokens-${at}.ts`, text);
      assert.equal((await analyse(path)).tokens, tokens, text);
    }
  });
  it("tells sizes, lines and how small it gets", async () => {
    const text = "const a = 1;\n".repeat(1000);
    const { bytes, lines, tokens, gzipBytes, brotliBytes, ratio } = await analyse(file("repeated.js", text));
    assert.deepEqual([bytes, lines, tokens], [13_000, 1000, 5000]);
    assert.ok(brotliBytes < gzipBytes && gzipBytes < 200);
    assert.equal(ratio, bytes / gzipBytes);
    const empty = await analyse(file("empty.js", ""));
    assert.deepEqual([empty.bytes, empty.lines, empty.tokens, empty.ratio], [0, 0, 0, 1]);
  });
  it("goes over the sources of this project", async () => {
    const { status, lines, stderr } = await run(
      map("examples/source-stats.mjs#analyse", "--in", "lines"),
      "package.json\nexamples/source-stats.mjs\nno-such-file\n",
    );
    assert.equal(status, 1, stderr);
    assert.deepEqual(lines.map((line) => JSON.parse(line).file).toSorted(), [
      "examples/source-stats.mjs",
      "package.json",
    ]);
    assert.match(stderr, /1 × ENOENT: .*no-such-file/);
  });
});

describe("the other examples", { concurrency: 2 }, () => {
  it("mandelbrot draws a picture", async () => {
    const { status, lines, stderr } = await run(
      map("examples/mandelbrot.mjs", "-k", "--out", "raw", "--data", '{"rows":9,"columns":31,"limit":200}'),
      "0\n1\n2\n3\n4\n5\n6\n7\n8\n",
    );
    assert.equal(status, 0, stderr);
    assert.ok(lines.every((line) => line.length <= 31) && lines.length === 9);
    assert.deepEqual(lines.toReversed(), lines, "it is the same above and below");
    assert.match(lines[4], /@{5}/);
  });
  it("word-count counts words", async () => {
    const text = file("words.txt", "the cat\nThe dog, the Ärger\n");
    const { status, stdout, stderr } = await run(map("examples/word-count.mjs#count", ":::", text));
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      file: text,
      lines: 2,
      words: 6,
      different: 4,
      top: [
        ["the", 3],
        ["cat", 1],
        ["dog", 1],
        ["ärger", 1],
      ],
    });
  });
  it("queue-sim simulates shops from CSV, the same each time, and says what is impossible", async () => {
    const csv = "arrivals,served,tills\n30,10,4\n30,10,2\n10,10,4\n";
    const [one, two] = await Promise.all(
      [1, 2].map(() => run(map("examples/queue-sim.mjs", "--in", "csv", "-k", "--retries", "3"), csv)),
    );
    assert.deepEqual([one.status, one.stdout], [1, two.stdout], one.stderr);
    const [busy, calm] = one.lines.map((line) => JSON.parse(line));
    assert.equal(busy.load, 0.75);
    // The formula of Erlang gives 3.06 minutes for the first shop, and next to nothing for the second.
    assert.ok(busy.meanWaitMinutes > 2.5 && busy.meanWaitMinutes < 3.6, String(busy.meanWaitMinutes));
    assert.ok(calm.meanWaitMinutes < 0.1);
    assert.match(one.stderr, /1 × PermanentError: 2 tills cannot serve 30 customers an hour/);
  });
  it("parameter-sweep finds the cheapest shop", async () => {
    const { status, lines, stderr } = await run(["examples/parameter-sweep.mjs", "30"]);
    assert.equal(status, 0, stderr);
    assert.ok(lines.some((line) => line.startsWith("impossible: 1 tills cannot serve 30")));
    const found = lines.find((line) => line.includes("the cheapest is"));
    assert.match(found ?? "", /^\d+ simulated, \d+ keep 95 % of waits within 5 minutes/);
  });
  it("long-lines shows three lines and stops", async () => {
    const text = file("long.txt", `${"short\n".repeat(5)}${`${"x".repeat(200)}\n`.repeat(100_000)}`);
    const { status, lines, stderr } = await run(["examples/long-lines.mjs", text, "150"]);
    assert.deepEqual([status, lines], [0, [6, 7, 8].map((number) => `${number}: ${"x".repeat(60)}… (200)`)], stderr);
  });
});
