// What `command()` does with the programs it is given.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type CommandOptions, command, type Tail } from "../../src/backends/command/index.ts";
import { BackendUnavailableError, ConfigError, Pool } from "../../src/index.ts";
import { nextEvent, rejectionOf, scratch, until } from "../../src/testing/stage.ts";

const script = fileURLToPath(new URL("fixtures/worker.sh", import.meta.url));
const worker = (name: string, way = ""): string[] => ["sh", script, name, way];

function open(t: TestContext, argv: Parameters<typeof command>[0], options?: CommandOptions): Pool {
  const pool = new Pool(command(argv, options));
  t.after(() => pool.terminate());
  return pool;
}

/** Programs that cannot start are warned about. */
function warnings(t: TestContext): string[] {
  const heard: string[] = [];
  const listen = ({ message }: Error): void => void heard.push(message);
  process.on("warning", listen);
  t.after(() => process.off("warning", listen));
  return heard;
}

describe("command", { concurrency: 2 }, () => {
  it("takes one argument list, or several, or entries with a count", async (t) => {
    assert.equal(await open(t, worker("one"), { size: 2 }).run("who", 1), "one ");
    const pool = open(t, [worker("a"), { argv: worker("b"), count: 2, host: "far", series: "gpu" }]);
    await pool.ready();
    assert.deepEqual(
      pool.workers().map(({ host, series }) => [host === "far", series.includes("gpu")]),
      [
        [false, false],
        [true, true],
        [true, true],
      ],
    );
    assert.equal(await pool.run("who", 1, { series: "gpu" }), "b ");
  });

  it("sends preparation items in order before the first task", async (t) => {
    const pool = open(t, worker("one"), { size: 1, prepare: ["first", "second", "third"] });
    assert.equal(await pool.run("who", 1), "one first second third");
  });

  it("goes on elsewhere when a worker dies at a preparation item", async (t) => {
    const heard = warnings(t);
    const pool = open(t, [worker("bad", "dies at second"), worker("good")], { prepare: ["first", "second"] });
    assert.deepEqual(await pool.map("who", [1, 2, 3]), new Array(3).fill("good first second"));
    await until(() => heard.some((message) => /without one worker.*exited with code 3/.test(message)), "the warning");
  });

  it("leaves a busy worker alone while another takes its tasks", async (t) => {
    const pool = open(t, [worker("busy", "busy"), worker("free")]);
    assert.deepEqual(
      await Promise.all(Array.from({ length: 8 }, () => pool.run("who", 1))),
      new Array(8).fill("free "),
    );
  });

  it("skips workers that cannot start, and says so", async (t) => {
    const heard = warnings(t);
    const pool = open(t, [["no-such-program-at-all"], worker("refuses", "refuses"), worker("good")]);
    assert.equal(await pool.run("who", 1), "good ");
    const all = (): string => heard.join("\n");
    await until(() => all().includes("refuses has no GPU"), "both warnings");
    assert.match(all(), /Cannot start no-such-program-at-all: there is no such program/);
    assert.equal(pool.workers().length, 1);
  });

  it("is unavailable when none can start, and names each one's reason", async (t) => {
    warnings(t);
    const pool = open(t, [["no-such-program-at-all"], ["/etc/passwd"], worker("refuses", "refuses")]);
    const failed = nextEvent(pool as never, "backendFailed");
    const error = await rejectionOf(BackendUnavailableError, pool.run("who", 1));
    assert.match(error.message, /no-such-program-at-all: .*there is no such program/);
    assert.match(error.message, /\/etc\/passwd: .*it is not executable/);
    assert.match(error.message, /refuses has no GPU/);
    await failed;
    await rejectionOf(BackendUnavailableError, pool.run("who", 2));
  });

  it("gives each worker's last words, after the drain, as its tail", async (t) => {
    const tails: Tail[] = [];
    const pool = open(t, worker("one"), { size: 1, onTail: (tail) => void tails.push(tail) });
    await pool.run("who", 1);
    await pool.close();
    assert.deepEqual(
      tails.map(({ argv, lines }) => [argv[2], lines]),
      [["one", ["goodbye from one", "and so long"]]],
    );
  });

  it("attributes lines on stderr to the task that runs", async (t) => {
    const pool = open(t, worker("one", "chats"), { size: 1 });
    const said = nextEvent(pool as never, "output");
    await pool.run("who", 1, { id: "mine" });
    const { taskId, stream, text } = await said;
    assert.deepEqual([taskId, stream, text], ["mine", "stderr", "at work\n"]);
  });

  it("says which tasks a worker has, where it has not the one", async (t) => {
    const error = await rejectionOf(Error, open(t, worker("one"), { size: 1 }).run("what", 1));
    assert.equal(error.name, "UnknownTaskError");
    assert.match(error.message, /"who", "words"/);
  });

  it("remembers in a file who did well, and starts that one first", async (t) => {
    const pastPerformance = join(scratch(t), "past.json");
    warnings(t);
    const first = open(t, [worker("bad", "refuses"), worker("good")], { pastPerformance });
    await first.run("who", 1);
    await until(() => first.workers().length === 1, "the bad one to be given up");
    await first.close();
    assert.equal((JSON.parse(readFileSync(pastPerformance, "utf8")) as { version: number }).version, 1);
    // One worker only: the better one, though it stands second.
    const second = open(t, [worker("bad", "refuses"), worker("unknown"), worker("good")], { pastPerformance, size: 1 });
    assert.equal(await second.run("who", 1), "good ");
  });

  it("goes on without a memory that cannot be read", async (t) => {
    const pastPerformance = join(scratch(t), "past.json");
    writeFileSync(pastPerformance, "{broken");
    const heard = warnings(t);
    assert.equal(await open(t, worker("one"), { size: 1, pastPerformance }).run("who", 1), "one ");
    await until(() => heard.length > 0, "the warning");
    assert.match(heard[0]!, /^Cannot read past performance from /);
  });

  it("refuses what is no command", () => {
    for (const wrong of [
      [],
      "ls",
      [1],
      [[]],
      [["a", 1]],
      [{ count: 1 }],
      [{ argv: ["a"], count: 0 }],
      [["a\0b"]],
      null,
    ]) {
      assert.throws(() => command(wrong as never), ConfigError, JSON.stringify(wrong));
    }
    assert.throws(() => command(["a"], { channel: "fd4" } as never), /option "channel" of command\(\)/);
  });
});
