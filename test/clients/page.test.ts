// docs/reference/stdio-protocol.md against the workers that follow it: its conversation, and every message it names.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { MessageReader } from "../../src/backends/command/message-reader.ts";
import { Msgpack } from "../../src/protocol/msgpack.ts";
import { jsonFrame, msgpackFrame } from "../../src/worker/message-frames.ts";
import { loadMsgpack } from "../../src/worker/msgpack-library.ts";
import { type Message, root, talk } from "./conversation.ts";
import { pythonWithMsgpack } from "./python-with-msgpack.ts";

const page = readFileSync(join(root, "docs", "reference", "stdio-protocol.md"), "utf8");

const workers: Readonly<Record<string, readonly string[]>> = {
  "clients/python": ["python3", "test/clients/fixtures/page_tasks.py"],
  "clients/shell": ["sh", "clients/shell/worker.sh"],
};

describe("the conversation on the protocol's page", () => {
  const lines = /^```\n((?:[<>] .*\n)+)```$/m.exec(page)?.[1]?.trimEnd().split("\n") ?? [];

  for (const [name, argv] of Object.entries(workers)) {
    it(`is held by the worker of ${name}`, async (t) => {
      const worker = talk(t, argv);
      let heard = 0;

      for (const line of lines) {
        const text = line.slice(2);
        if (line.startsWith(">")) worker.sendBytes(`${text}\n`);
        else {
          heard += 1;
          await worker.until(() => worker.messages.length >= heard);
          assertSays(worker.messages[heard - 1] as Message, JSON.parse(text) as Message);
        }
      }

      assert.ok(heard >= 3, "the page has a conversation");
      assert.deepEqual(await worker.ended, { code: 0, signal: null });
      assert.equal(worker.messages.length, heard);
    });
  }
});

describe("the messages on the protocol's page", () => {
  const isToWorker = /^\| pool → worker \|[\s\S]*?\n\n/m.exec(page)?.[0] ?? "";
  const isFromWorker = /^\| worker → pool \|[\s\S]*?\n\n/m.exec(page)?.[0] ?? "";
  const typesIn = (text: string): Set<string> =>
    new Set([...text.matchAll(/"type":"(\w+)"/g)].map(([, type]) => type as string));
  const conformance = ["python3", "test/clients/fixtures/conformance_tasks.py"];

  it("are all said by the Python worker, where there is reason to", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "manyhands-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, "file");
    const gate = join(directory, "gate");
    const worker = talk(t, conformance);
    await worker.hello();

    await worker.run("echo", 1);
    await worker.run("failIfOdd", 1);
    await worker.run("beBusy", { file, times: 1, retryAfterMs: 500 });
    await worker.run("defer", { file, line: "a", times: 1, delayMs: 1_000, priority: 5 });
    await worker.run("logAll", ["read", 3]);
    await worker.run("labelled", { gate: join(directory, "nowhere", "gate"), label: "page 3" });
    await worker.run("print", { text: "…", stream: "stdout" });
    await worker.run("throwAfterReturn");
    await worker.said("stray");
    const stream = worker.task("count", 10, { stream: 4 });
    await worker.until(() => worker.of(stream).length === 4);
    worker.send({ type: "credit", id: stream, count: 7 });
    await worker.answer(stream);
    const obeying = worker.task("obey", { gate });
    await worker.said("progress", obeying);
    const waiting = worker.task("echo", 2);
    worker.send({ type: "recall", ids: [waiting] }, { type: "ping" }, { type: "cancel", id: obeying });
    await worker.answer(obeying);
    await worker.said("pong");
    await worker.drain();

    const said = new Set(worker.messages.map(({ type }) => type));
    const named = typesIn(isFromWorker);
    assert.ok(named.size >= 12, [...named].join());
    assert.deepEqual(
      [...named].filter((type) => !said.has(type)),
      [],
    );
    assert.deepEqual(
      [...said].filter((type) => type !== "hello" && !named.has(type)),
      [],
    );
  });

  it("are all understood by the Python worker", () => {
    const reader = readFileSync(join(root, "clients", "python", "manyhands", "intake.py"), "utf8");
    const understood = new Set([...reader.matchAll(/kind == "(\w+)"/g)].map(([, type]) => type));
    assert.deepEqual(
      [...typesIn(isToWorker)].filter((type) => !understood.has(type)),
      [],
    );
  });

  it("have the members that the page gives them", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "manyhands-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, "file");
    const worker = talk(t, conformance);
    await worker.hello();
    const told = async (name: string, input: unknown, type: string): Promise<Message> => {
      const id = worker.task(name, input);
      await worker.answer(id);
      return { ...(await worker.said(type, id)), id: 7 };
    };

    assertSays(await told("beBusy", { file, times: 9, retryAfterMs: 500 }, "busy"), example("busy"));
    const deferral = { file, line: "a", times: 9, delayMs: 1_000, priority: 5 };
    assertSays(await told("defer", deferral, "defer"), example("defer"));
    assertSays(await told("logAll", ["read", 3], "log"), example("log"));
    const labelled = { gate: join(directory, "nowhere", "gate"), label: "page 3" };
    assertSays(await told("labelled", labelled, "label"), example("label"));
    assertSays(await told("print", { text: "…", stream: "stdout" }, "output"), example("output"));
  });

  function example(type: string): Message {
    const text = new RegExp(`\`(\\{"type":"${type}".*?\\})\``).exec(isFromWorker)?.[1];
    assert.ok(text, `the page has no example of "${type}"`);
    return JSON.parse(text) as Message;
  }
});

describe("the frames on the protocol's page", () => {
  const rows = (/^```frames\n([\s\S]*?)```$/m.exec(page)?.[1] ?? "").trimEnd().split("\n");
  const frames = rows.map((row) => Buffer.from(row.replaceAll(" ", ""), "hex"));
  const messages = [
    { type: "ping" },
    { type: "result", id: 1, value: Uint8Array.of(255, 0) },
    { type: "result", id: 2, value: [new Date(0), 2n ** 64n] },
  ];

  it("are what this library writes and reads", () => {
    const msgpack = new Msgpack(loadMsgpack()!, () => false);
    const [ping, ...others] = messages;
    const written = [jsonFrame(`${JSON.stringify(ping)}\n`), ...others.map((one) => msgpackFrame(msgpack.encode(one)))];
    assert.deepEqual(written.map(hex), rows);
    const read: object[] = [];
    const reader = new MessageReader({
      takesOther: false,
      message: (message) => void read.push(message),
      other: assert.fail,
    });
    reader.greeted(msgpack);
    for (const frame of frames) reader.push(frame);
    assert.deepEqual(read, messages);
  });

  it("are what the Python client writes and reads, wherever they are split", () => {
    const check = `import sys; sys.path.insert(0, "clients/python")
import datetime, random
from manyhands import packing, frames
packs = packing.load()
whole = bytes.fromhex(sys.argv[1])
random.seed(int(sys.argv[2]))
for _ in range(200):
    cuts = sorted(random.randrange(len(whole) + 1) for _ in range(random.randrange(6)))
    splitter = frames.FrameSplitter()
    parts = [whole[a:b] for a, b in zip([0] + cuts, cuts + [len(whole)])]
    found = [one for part in parts for one in splitter.push(part)]
    assert [kind for kind, _ in found] == [1, 3, 3], found
    values = [packs.unpack(payload)["value"] for kind, payload in found[1:]]
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    assert values == [bytes([255, 0]), [epoch, 2**64]], values
again = [frames.frame(3, packs.begin(3, "result", id, value)) for id, value in enumerate(values, 1)]
assert b"".join([frames.frame(1, found[0][1])] + again) == whole, again`;
    const seed = String(Date.now() % 1_000_000);
    const words = ["-c", check, Buffer.concat(frames).toString("hex"), seed];
    const { status, stderr } = spawnSync(pythonWithMsgpack(), words, { cwd: root, encoding: "utf8" });
    assert.equal(status, 0, `seed ${seed}: ${stderr}`);
  });
});

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Has every member of the example, with its value. More is allowed: members that are not known are ignored. */
function assertSays(message: Message, example: Message): void {
  assertHas(message, example, JSON.stringify(message));
}

function assertHas(value: unknown, wanted: unknown, story: string): void {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) assert.deepEqual(value, wanted, story);
  else {
    for (const [key, member] of Object.entries(wanted)) {
      assertHas((value as Record<string, unknown> | undefined)?.[key], member, story);
    }
  }
}
