import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bash, manyhands, numbers, scratch, start, tasks } from "./program.ts";

const { path, file } = scratch();
const map = (name: string, ...args: readonly string[]) => ["map", `${tasks}#${name}`, ...args];

const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

describe("the first signal", { concurrency: 2 }, () => {
  for (const [signal, status] of Object.entries(statuses) as [NodeJS.Signals, number][]) {
    it(`${signal} finishes what runs, reads and starts nothing more, says so, and exits with ${status}`, async () => {
      const gate = path(`gate-${signal}`);
      const failed = path(`failed-${signal}`);
      const running = start(map("waitFor", "--in", "lines", "-j", "1", "--failed", failed));
      running.child.stdin.write(`${gate}\n/never\n`);
      await running.seen("stderr", /waits for .*gate/);
      running.child.kill(signal);
      await running.seen(
        "stderr",
        new RegExp(`^manyhands: ${signal}: stopping, 1 running may take up to 5\\.0s; .*\\n`, "m"),
      );
      file(`gate-${signal}`, "");
      const ended = await running.ended;
      assert.deepEqual([ended.status, ended.lines], [status, [JSON.stringify(gate)]], ended.stderr);
      assert.ok(!ended.stderr.includes("waits for /never"), "nothing more was started");
      assert.match(ended.stderr, /^1 ok, 0 failed, 1 not finished, /m);
      assert.match(ended.stderr, new RegExp(`^stopped by ${signal}$`, "m"));
      assert.match(ended.stderr, /^what follows stdin line 2 was not read$/m);
      assert.equal(readFileSync(failed, "utf8"), "/never\n");
    });
  }
  for (const backend of ["threads", "processes"]) {
    it(`to the whole group, as a terminal sends it, leaves the ${backend} to finish`, async () => {
      // Job control gives the program a group of its own.
      const { stdout } = await bash(
        `set -m; (echo 700; cat) | manyhands map ./tasks.mjs#slow --backend ${backend} -j 1 2> '${path(backend)}' & pid=$!
         until grep -q began '${path(backend)}' 2>/dev/null; do sleep 0.02; done
         kill -INT -$pid; wait $pid; echo "status $?"`,
      );
      assert.equal(stdout, "700\nstatus 130\n", readFileSync(path(backend), "utf8"));
    });
  }
  it("ends what takes longer than --grace", async () => {
    const running = start(map("spin", "-j", "1", "--grace", "150ms"));
    running.child.stdin.write("60000\n");
    await running.seen("stderr", /spins/);
    running.child.kill("SIGINT");
    const { status, stdout, stderr } = await running.ended;
    assert.deepEqual([status, stdout], [130, ""]);
    assert.match(stderr, /may take up to 150ms/);
    assert.match(stderr, /0 ok, 0 failed, 1 not finished/);
  });
  it("ends the program while it still starts", async () => {
    const module = file(
      "slow-start.mjs",
      "console.error('loading'); await new Promise((r) => setTimeout(r, 60000)); export const a = () => 1;",
    );
    const running = start(["map", module]);
    await running.seen("stderr", /loading/);
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).status, 143);
  });
  it("ends the program while it waits for input", async () => {
    const running = start(map("double", "-j", "1"));
    running.child.stdin.write("1\n");
    await running.seen("stdout", /2/);
    running.child.kill("SIGINT");
    const { status, stderr } = await running.ended;
    assert.equal(status, 130);
    assert.match(stderr, /^1 ok, 0 failed, /m);
  });
  it("is reported although items failed", async () => {
    const running = start(map("fail", "-j", "1", "-v"));
    running.child.stdin.write("1\n");
    await running.seen("stderr", /failed: item 1/);
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).status, 143);
  });
});

describe("the second signal", { concurrency: 2 }, () => {
  for (const backend of ["threads", "processes"]) {
    it(`ends what runs at once on ${backend}, a busy loop too`, async () => {
      const running = start(map("spin", "-j", "1", "--backend", backend, "--grace", "1h"));
      running.child.stdin.write("60000\n");
      await running.seen("stderr", /spins/);
      running.child.kill("SIGINT");
      await running.seen("stderr", /stopping/);
      running.child.kill("SIGINT");
      const { status, stderr } = await running.ended;
      assert.equal(status, 130, stderr);
      assert.match(stderr, /0 ok, 0 failed, 1 not finished/);
    });
  }
});

describe("the third signal", () => {
  it("leaves at once, whatever cannot end", async () => {
    const running = start(map("long", "-j", "1", "--progress", "json", "--grace", "1h"));
    // Nobody takes the results: what is written waits, and the run with it.
    running.child.stdout.pause();
    running.child.stdin.write("1000000\n".repeat(20));
    await running.seen("stderr", /"read":(\d+),[^\n]*\n[^\n]*"read":\1,/);
    running.child.kill("SIGINT");
    await running.seen("stderr", /stopping/);
    running.child.kill("SIGINT");
    await running.seen("stderr", /"workers":0,/);
    running.child.kill("SIGINT");
    running.child.stdout.resume();
    const { status, stderr } = await running.ended;
    assert.equal(status, 130);
    assert.ok(!/ ok, /.test(stderr), "it says nothing more");
  });
});

describe("a reader that goes away", { concurrency: 2 }, () => {
  it("stops the run, silently, with exit 141", async () => {
    const { stdout, stderr } = await bash(
      `seq 1 1000000 | { manyhands map ./tasks.mjs#double -k -j 2; echo "status $?" >&2; } | head -n 3`,
    );
    assert.equal(stdout, "2\n4\n6\n");
    assert.equal(stderr, "status 141\n");
  });
  it("stops an endless input, and who feeds it", async () => {
    const { stdout, stderr } = await bash(
      `{ yes 1; echo "fed $?" >&2; } 2>&1 | manyhands map ./tasks.mjs#echo | head -n 1; echo "\${PIPESTATUS[1]}"`,
    );
    assert.deepEqual([stdout, stderr], ["1\n141\n", ""]);
  });
  it("is found out by the first result, though it was gone before", async () => {
    const { stdout, stderr } = await bash(
      `echo 1 | { sleep 0.3; manyhands map ./tasks.mjs#echo; echo "status $?" >&2; } | true; echo end`,
    );
    assert.deepEqual([stdout, stderr], ["end\n", "status 141\n"]);
  });
  it("of a named pipe given with -o is the same", async () => {
    const { stderr } = await bash(
      `mkfifo '${path("pipe")}'; head -n 1 '${path("pipe")}' > /dev/null & seq 1 100000 | manyhands map ./tasks.mjs#long -o '${path("pipe")}'; echo "status $?" >&2`,
    );
    assert.equal(stderr, "status 141\n");
  });
  it("ends what runs, too", async () => {
    // The first result is taken, the next one finds out, while an item runs that would take a minute.
    const { stdout, stderr } = await bash(
      `{ printf '60000\\n1\\n'; sleep 0.5; echo 2; } | { manyhands map ./tasks.mjs#spin -j 2 2> /dev/null; echo "status $?" >&2; } | head -n 1`,
    );
    assert.deepEqual([stdout, stderr], ["1\n", "status 141\n"]);
  });
  it("of what is for people changes nothing", async () => {
    const { stdout } = await bash(
      `{ seq 1 1000 | manyhands map ./tasks.mjs#print -k; echo "status $?"; } 2> >(head -n 1 > /dev/null)`,
    );
    assert.deepEqual([stdout.split("\n").length, stdout.endsWith("status 0\n")], [1002, true]);
  });
});

describe("the end", { concurrency: 2 }, () => {
  it("comes although input is left open, once nothing can come of it", async () => {
    const running = start(map("fail", "-j", "1", "--halt", "now,fail=1"));
    running.child.stdin.write("1\n");
    assert.equal((await running.ended).status, 3);
  });
  it("comes although a task left timers and handles behind, inline too", async () => {
    const module = file("leaves.mjs", "export const leave = (x) => { setInterval(() => {}, 1000); return x; };");
    for (const backend of ["threads", "inline", "processes"]) {
      assert.equal((await manyhands(["map", module, "--backend", backend, "-q"], { input: numbers(3) })).status, 0);
    }
  });
});
