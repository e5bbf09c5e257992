// Values that JSON has not, between a pool and workers of Python and Node; and workers that do not speak as they said.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type CommandOptions, command, type Tail } from "../../src/backends/command/index.ts";
import { NotSerializableError, Pool, WorkerLostError } from "../../src/index.ts";
import { rejectionOf, scratch } from "../../src/testing/stage.ts";
import { pythonWithMsgpack } from "./python-with-msgpack.ts";

const python = pythonWithMsgpack();
const client = fileURLToPath(new URL("../../clients/python", import.meta.url));
const serving = new URL("../../src/worker/index.ts", import.meta.url).href;

function open(t: TestContext, file: string, source: string, options: CommandOptions = {}): Pool {
  const path = join(scratch(t), file);
  writeFileSync(path, source);
  const argv = file.endsWith(".py") ? [python, path] : [process.execPath, path];
  const pool = new Pool(command(argv, { size: 1, format: "msgpack", env: { PYTHONPATH: client }, ...options }));
  t.after(() => pool.terminate());
  return pool;
}

const PYTHON = `import datetime
from manyhands import serve

def prepare(item):
    prepared.append(item)
prepared = []

def echo(value): return value
def kind(value): return [type(value).__name__, repr(value)]
def times(_): return [datetime.datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=datetime.timezone.utc)]
def numbers(_): return {"big": -2**70, "safe": 2**53 - 1, "list": [2**53], "float": 1e300}
def keys(_): return {2: b"", None: 1, True: 2, 1.5: 3}
def views(_): return [bytearray(b"a"), memoryview(b"b")]
def tell(value, ctx):
    ctx.progress(b"half")
    return "told"
def stream(_):
    yield b"one"
    yield 2
    yield float("nan")
def refused(what): return {"set": {1}, "deep": deep(), "half": ["\\ud800", b""], "object": [object(), b""], "huge": 10**5000}[what]
def deep():
    value = b""
    for _ in range(2000): value = [value]
    return value
def gave(_): return prepared
serve([echo, kind, times, numbers, keys, views, tell, stream, refused, gave], prepare=prepare)
print("the")
print("end")
`;

describe("a worker of Python that speaks MessagePack", () => {
  it("is given values in its own kinds", async (t) => {
    const pool = open(t, "tasks.py", PYTHON);
    const kinds = await pool.map("kind", [Uint8Array.of(1, 255), new Date(86_400_001), 2n ** 64n, Number.NaN, [1n]]);
    assert.deepEqual(kinds, [
      ["bytes", "b'\\x01\\xff'"],
      ["datetime", "datetime.datetime(1970, 1, 2, 0, 0, 0, 1000, tzinfo=datetime.timezone.utc)"],
      ["int", "18446744073709551616"],
      ["float", "nan"],
      ["list", "[1]"],
    ]);
  });
  it("gives its own kinds", async (t) => {
    const pool = open(t, "tasks.py", PYTHON);
    assert.deepEqual(await pool.run("times", 0), [new Date(-500)]);
    assert.deepEqual(await pool.run("numbers", 0), {
      big: -(2n ** 70n),
      safe: 2 ** 53 - 1,
      list: [2n ** 53n],
      float: 1e300,
    });
    assert.deepEqual(await pool.run("keys", 0), { "2": new Uint8Array(), null: 1, true: 2, "1.5": 3 });
    assert.deepEqual(await pool.run("views", 0), [Uint8Array.of(97), Uint8Array.of(98)]);
  });
  it("tells and streams them, in order among others", async (t) => {
    const pool = open(t, "tasks.py", PYTHON);
    const told: unknown[] = [];
    const task = pool.run("tell", 0);
    void task.onProgress((value) => void told.push(value));
    assert.equal(await task, "told");
    assert.deepEqual(told, [Uint8Array.from(Buffer.from("half"))]);
    const values: unknown[] = [];
    for await (const value of pool.stream("stream", 0)) values.push(value);
    assert.deepEqual(values, [Uint8Array.from(Buffer.from("one")), 2, Number.NaN]);
    const many = Array.from({ length: 500 }, (_, n) => (n % 3 === 0 ? Uint8Array.of(n & 255) : n));
    assert.deepEqual(await pool.map("echo", many), many);
    assert.deepEqual(await Promise.all(many.map((value) => pool.run("echo", value))), many);
  });
  it("fails a task whose value has no form, and goes on", async (t) => {
    const pool = open(t, "tasks.py", PYTHON);
    for (const what of ["set", "deep", "half", "object", "huge"])
      await rejectionOf(NotSerializableError, pool.run("refused", what));
    assert.equal(await pool.run("echo", 1), 1);
  });
  it("is prepared with them, and has a tail of lines", async (t) => {
    const tails: Tail[] = [];
    const pool = open(t, "tasks.py", PYTHON, {
      prepare: [1, Uint8Array.of(2)],
      onTail: (tail) => void tails.push(tail),
    });
    assert.deepEqual(await pool.run("gave", 0), [1, Uint8Array.of(2)]);
    await pool.close();
    assert.deepEqual(
      tails.map(({ lines }) => lines),
      [["the", "end"]],
    );
  });
  it("carries bytes of many megabytes", async (t) => {
    const pool = open(t, "tasks.py", PYTHON);
    const bytes = new Uint8Array(20_000_000).fill(7);
    assert.deepEqual(Buffer.compare((await pool.run("echo", bytes)) as Uint8Array, bytes), 0);
  });
});

describe("a worker of Node that speaks MessagePack", () => {
  const NODE = `import { serve } from ${JSON.stringify(serving)};
    const prepared = [];
    serve({ echo: (value) => value, odd: (n) => (n % 2 === 0 ? n : new Map([[n, n]])), give: () => [new Map(), 1], gave: () => prepared,
      async *stream() { yield new Uint8Array(3); yield 1n; } }, { prepare: (item) => prepared.push(item) });`;
  it("has what a pool sends, and gives it back, many in one message", async (t) => {
    const pool = open(t, "tasks.mjs", NODE, { prepare: [new Date(1)] });
    const values = [1, Uint8Array.of(1), undefined, { at: new Date(5), n: 5n }, Number.NEGATIVE_INFINITY, "text"];
    assert.deepEqual(await Promise.all(values.map((value) => pool.run("echo", value))), values);
    assert.deepEqual(await pool.map("echo", values, { chunkSize: 6 }), values);
    assert.deepEqual(await pool.run("gave", 0), [new Date(1)]);
    const streamed: unknown[] = [];
    for await (const value of pool.stream("stream", 0)) streamed.push(value);
    assert.deepEqual(streamed, [new Uint8Array(3), 1n]);
  });
  it("gives no two tasks the same memory", async (t) => {
    const pool = open(t, "tasks.mjs", NODE);
    const bytes = Uint8Array.of(1, 2, 3);
    const [one, two] = (await pool.map("echo", [bytes, bytes], { chunkSize: 2 })) as [Uint8Array, Uint8Array];
    assert.notEqual(one.buffer, two.buffer);
  });
  for (const format of ["json", "msgpack"] as const) {
    it(`loses no other item of a chunk by one whose value has no form, in ${format}`, async (t) => {
      const pool = open(t, "tasks.mjs", NODE, { format });
      const seen: unknown[] = [];
      const options = { chunkSize: 6, onError: "collect" } as const;
      for await (const one of pool.imap("odd", [0, 1, 2, 4, 5, 6], options))
        seen.push(one.ok ? one.value : (one.error as { code?: unknown }).code);
      assert.deepEqual(seen, [0, "ERR_NOT_SERIALIZABLE", 2, 4, "ERR_NOT_SERIALIZABLE", 6]);
    });
  }
  it("refuses what has no form, and says where it stands", async (t) => {
    const pool = open(t, "tasks.mjs", NODE);
    const there = await rejectionOf(NotSerializableError, pool.run("echo", [{ a: new Set() }]));
    assert.match(there.message, /MessagePack has no Set \(at \[0\]\.a\)/);
    const back = await rejectionOf(NotSerializableError, pool.run("give", 0));
    assert.match(back.message, /MessagePack has no Map \(at \[0\]\)/);
    assert.equal(await pool.run("echo", 1), 1);
  });
});

describe("a worker that agreed on frames", () => {
  const talking = (answer: string): string => `
    const hello = { type: "hello", protocol: 1, format: "msgpack" };
    process.stdin.once("data", () => process.stdout.write(JSON.stringify(hello) + "\\n"));
    process.stdin.on("data", (bytes) => { if (bytes.includes("task")) process.stdout.write(${answer}); });`;
  const bad: Readonly<Record<string, readonly [answer: string, said: RegExp]>> = {
    "and prints": ['"Hello, I am no frame"', /unknown format 111 .*"Hello, I am no f"/],
    "and sends bytes that are no MessagePack": ["Buffer.from([1, 0, 0, 0, 3, 0xc1])", /never used stands at byte 0/],
    "and announces more than it may": ["Buffer.from([0, 0, 0, 0xff, 3])", /4278190080 bytes are too many/],
    "and announces a list without end": ["Buffer.from([5, 0, 0, 0, 3, 0xdd, 255, 255, 255, 255])", /ends too early/],
  };
  for (const [way, [answer, said]] of Object.entries(bad)) {
    it(`${way} loses its attempt`, async (t) => {
      const pool = open(t, "worker.mjs", talking(answer), { format: undefined as never });
      const error = await rejectionOf(WorkerLostError, pool.run("any", 1, { retries: 0 }));
      assert.match(`${error.message} ${error.cause instanceof Error ? error.cause.message : ""}`, said);
    });
  }
  it("where that was not offered is none", async (t) => {
    const pool = open(t, "worker.mjs", talking('""'), { format: "json" });
    await assert.rejects(pool.run("any", 1), /a hello of this kind is not known/);
  });
  it("is wanted, and does not, is none", async (t) => {
    const source = talking('""').replace(', format: "msgpack"', "");
    const pool = open(t, "worker.mjs", source);
    await assert.rejects(pool.run("any", 1), /the worker does not speak MessagePack/);
  });
});
