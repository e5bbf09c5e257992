// docs/reference/stdio-protocol.md against the workers that follow it: its conversation, and every message it names.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Message, root, talk } from "./conversation.ts";

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
