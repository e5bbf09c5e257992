import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { manyhands, numbers, scratch, start, tasks } from "./program.ts";

const { path, file } = scratch();
const map = (name: string, ...args: readonly string[]) => ["map", `${tasks}#${name}`, ...args];

describe("an item that fails", { concurrency: 2 }, () => {
  it("makes the exit status 1, and the others are done", async () => {
    const { status, lines, stderr } = await manyhands(map("failAt5", "-k"), { input: numbers(12) });
    assert.deepEqual([status, lines.length], [1, 10]);
    assert.match(stderr, /^10 ok, 2 failed, /);
  });
  it("is tried again with --retries, and counts once", async () => {
    const item = { file: path("flaky"), failures: 2 };
    const { status, stdout, stderr } = await manyhands(
      map("flaky", "--retries", "2", "--retry-delay", "1ms", "--out", "record", "-v"),
      {
        input: JSON.stringify(item),
      },
    );
    assert.equal(status, 0, stderr);
    const { value, attempt } = JSON.parse(stdout) as { value: number; attempt: number };
    assert.deepEqual([value, attempt], [3, 3]);
    assert.match(stderr, /again in \S+: flaky after attempt 1: call 1 fails/);
    assert.match(stderr, /again in \S+: flaky after attempt 2: call 2 fails/);
    assert.match(stderr, /^1 ok, 0 failed/m);
  });
  it("is tried no more often than that", async () => {
    const item = { file: path("flakier"), failures: 9 };
    const { status } = await manyhands(map("flaky", "--retries", "2", "--retry-delay", "1ms"), {
      input: JSON.stringify(item),
    });
    assert.deepEqual([status, readFileSync(item.file, "utf8")], [1, "xxx"]);
  });
  it("waits for --retry-delay", async () => {
    const item = { file: path("slowly"), failures: 1 };
    const { lines } = await manyhands(map("flaky", "--retries", "1", "--retry-delay", "600ms", "--progress", "json"), {
      input: JSON.stringify(item),
    });
    assert.deepEqual(lines, ["2"]);
  });
  it("by taking its worker with it is named, and the others are done", async () => {
    const { status, lines, stderr } = await manyhands(
      map("command", "--backend", "processes", "-j", "2", "--in", "lines", "-k"),
      {
        input: "true\nkill -9 $PPID\nfalse\ntrue\n",
      },
    );
    assert.deepEqual([status, lines], [1, ["0", "1", "0"]], stderr);
    assert.match(stderr, /1 × ERR_WORKER_LOST: .*SIGKILL.* first: item 2, stdin:2: kill -9 \$PPID\n/);
  });
});

describe("--timeout", { concurrency: 2 }, () => {
  for (const backend of ["threads", "processes"]) {
    it(`ends a busy loop on ${backend}`, async () => {
      const { status, lines, stderr } = await manyhands(
        map("spin", "-k", "--backend", backend, "--timeout", "1200ms", "-j", "2"),
        {
          input: "1\n60000\n2\n",
        },
      );
      assert.deepEqual([status, lines], [1, ["1", "2"]], stderr);
      assert.match(stderr, /1 × ERR_TASK_TIMEOUT: .*1200/);
    });
  }
  it("of a percent of the median ends what is far slower than the rest", async () => {
    const { status, lines, stderr } = await manyhands(map("sleep", "-k", "--timeout", "500%", "-j", "2"), {
      input: `60000\n${"200\n".repeat(8)}`,
    });
    assert.deepEqual([status, lines], [1, new Array(8).fill("200")], stderr);
    assert.match(
      stderr,
      /1 × ERR_TASK_TIMEOUT: Task took longer than 500% of the median, \d+ ms {3}first: item 1, stdin:1: 60000\n/,
    );
  });
  it("of a percent lets everything through that is about as fast as the rest", async () => {
    const { status, lines } = await manyhands(map("sleep", "--timeout", "1000%", "-q"), {
      input: "100\n150\n125\n100\n110\n140\n",
    });
    assert.deepEqual([status, lines.length], [0, 6]);
  });
});

describe("--halt", { concurrency: 2 }, () => {
  it("soon finishes what runs, starts nothing more, and exits with 3", async () => {
    const [one, two] = [path("gate-1"), path("gate-2")];
    const running = start(map("waitFor", "-j", "2", "--in", "lines", "--halt", "soon,done=1", "--window", "2"));
    running.child.stdin.write(`${one}\n${two}\n/never\n`);
    await Promise.all([one, two].map((gate) => running.seen("stderr", new RegExp(`waits for ${gate}\n`))));
    file("gate-1", "");
    await running.seen("stdout", /gate-1/);
    file("gate-2", "");
    const { status, lines, stderr } = await running.ended;
    assert.deepEqual([status, lines], [3, [JSON.stringify(one), JSON.stringify(two)]], stderr);
    assert.ok(!stderr.includes("/never"), stderr);
    assert.match(stderr, /^2 ok, 0 failed, /m);
    assert.match(stderr, /^stopped by --halt soon,done=1$/m);
  });
  it("now ends what runs", async () => {
    const running = start(
      map("waitFor", "-j", "2", "--in", "lines", "--halt", "now,success=1", "--failed", path("halted")),
    );
    running.child.stdin.write("/never/1\n");
    await running.seen("stderr", /waits for \/never\/1/);
    running.child.stdin.write(`${tasks}\n`);
    const { status, lines, stderr } = await running.ended;
    assert.deepEqual([status, lines], [3, [JSON.stringify(tasks)]], stderr);
    assert.match(stderr, /^1 ok, 0 failed, 1 not finished, /m);
    assert.equal(readFileSync(path("halted"), "utf8"), "/never/1\n");
  });
  it("counts failures, and exits with 3 although some failed", async () => {
    const { status, stderr } = await manyhands(map("failAt5", "-j", "1", "--halt", "soon,fail=3", "--window", "4"), {
      input: numbers(10_000),
    });
    assert.equal(status, 3);
    const [, failed] = /(\d+) failed/.exec(stderr) ?? [];
    assert.ok(Number(failed) >= 3 && Number(failed) <= 5, stderr);
  });
  it("that comes when all is done has stopped nothing", async () => {
    const { status, stderr } = await manyhands(map("failAt5", "-j", "1", "--halt", "soon,done=6"), {
      input: numbers(6),
    });
    assert.equal(status, 1, stderr);
  });
  it("takes a percent of --total, and of the words after :::", async () => {
    const total = await manyhands(
      map("sleep", "-j", "1", "--window", "1", "--halt", "now,success=10%", "--total", "50", "-q"),
      { input: "1\n".repeat(50) },
    );
    assert.equal(total.status, 3);
    assert.ok(total.lines.length >= 5 && total.lines.length <= 8, String(total.lines.length));
    const words = await manyhands(
      map("echo", "-j", "1", "--window", "1", "--halt", "soon,done=50%", "-q", ":::", ..."abcdefgh".split("")),
    );
    assert.equal(words.status, 3);
    assert.ok(words.lines.length >= 4 && words.lines.length <= 6, String(words.lines.length));
  });
  it("never is the default, and lets all fail", async () => {
    const { status, stderr } = await manyhands(map("fail", "--halt", "never"), { input: numbers(100) });
    assert.equal(status, 1);
    assert.match(stderr, /^0 ok, 100 failed/);
  });
});

describe("--max-time", { concurrency: 2 }, () => {
  it("stops the run as a first signal does, and exits with 3", async () => {
    const { status, lines, stderr } = await manyhands(
      map("sleep", "-j", "1", "--window", "2", "--max-time", "2500ms"),
      {
        input: "200\n".repeat(100),
      },
    );
    assert.equal(status, 3);
    assert.ok(lines.length >= 1 && lines.length <= 13, String(lines.length));
    assert.match(stderr, /^stopped by --max-time 2\.5s$/m);
    assert.match(stderr, /what follows stdin line \d+ was not read/);
  });
  it("gives what runs --grace, and then ends it", async () => {
    const { status, stdout, stderr } = await manyhands(map("spin", "-j", "1", "--max-time", "3s", "--grace", "100ms"), {
      input: "60000\n",
    });
    assert.deepEqual([status, stdout], [3, ""], stderr);
    assert.match(stderr, /0 ok, 0 failed, 1 not finished/);
  });
  it("that is not reached changes nothing", async () => {
    assert.equal((await manyhands(map("echo", "--max-time", "1h", "-q"), { input: "1" })).status, 0);
  });
});

describe("no worker", { concurrency: 2 }, () => {
  it("that can be started is exit 4, with the reason", async () => {
    const { status, stdout, stderr } = await manyhands(["map", "./setup-throws.mjs"], { input: "1" });
    assert.deepEqual([status, stdout], [4, ""], stderr);
    assert.match(stderr, /^manyhands: Cannot start a worker for "\.\/setup-throws\.mjs": .*no database here\n$/);
  });
});
