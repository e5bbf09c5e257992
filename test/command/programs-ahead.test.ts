// What a slot is given beyond the program that it runs, told to the backend itself.
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Backend, WorkerLoss } from "../../src/backends/backend.ts";
import { programs } from "../../src/backends/command/programs/index.ts";
import { ABORT, FAILED, HELLO, OUTPUT, RUN, type WorkerEvent, type WorkerReply } from "../../src/protocol/messages.ts";
import { unpack } from "../../src/protocol/packing.ts";
import { scratch, until } from "../../src/testing/stage.ts";

class Heard {
  readonly backend: Backend;
  readonly done: number[] = [];
  readonly failed: number[] = [];
  readonly recalled: (readonly [asked: readonly number[], got: readonly number[]])[] = [];
  isUp = false;
  loss: WorkerLoss | undefined;

  constructor(backend: Backend) {
    this.backend = backend;
    backend.open({
      reply: (_worker, reply) => this.#reply(reply),
      recalled: (_worker, asked, got) => void this.recalled.push([asked, got]),
      seen: () => assert.fail("nothing is seen before it is sent"),
      grew: () => assert.fail("its room does not vary"),
      retire: () => assert.fail("its room does not vary"),
      unavailable: () => assert.fail("it is there"),
      itemsRecalled: () => assert.fail("there are no chunks"),
      workerDown: (_worker, loss) => {
        assert.equal(this.loss, undefined, "said once");
        this.loss = loss;
      },
    });
  }

  #reply([tickets, , values, events]: WorkerReply): void {
    this.done.push(...tickets);
    for (const value of Array.from(unpack(values))) (value as { stdout: { close(): void } }).stdout.close();
    for (const event of events === 0 ? [] : (events as readonly WorkerEvent[])) {
      if (event[0] === HELLO) this.isUp = true;
      else if (event[0] === FAILED) this.failed.push(event[1]);
      else assert.equal(event[0], OUTPUT);
    }
  }
}

interface Stage extends Heard {
  /** Sends scripts for a shell, of tickets from 1. */
  run(...scripts: readonly string[]): void;
}

async function open(t: TestContext): Promise<Stage> {
  const heard = new Heard(programs({ size: 1 }));
  heard.backend.start(1, "slot");
  // Nothing else keeps this process alive.
  const alive = setInterval(() => {}, 60_000);
  t.after(async () => {
    heard.backend.kill(1);
    await heard.backend.close();
    clearInterval(alive);
  });
  await until(() => heard.isUp, "the slot");
  return Object.assign(heard, {
    run: (...scripts: readonly string[]) => {
      const inputs = scripts.map((script) => ({ argv: ["sh", "-c", script] }));
      heard.backend.send(1, [RUN, "run", scripts.map((_, at) => at + 1), 1, inputs, 0]);
    },
  });
}

describe("programs ahead of a slot", { concurrency: 2 }, () => {
  it("run one after the other, in order", async (t) => {
    const slot = await open(t);
    const busy = join(scratch(t), "busy");
    // Fails where another one runs.
    const script = `mkdir ${busy} && sleep 0.02 && rmdir ${busy}`;
    slot.run(script, script, script, script);
    await until(() => slot.done.length === 4, "all of them");
    assert.deepEqual(slot.done, [1, 2, 3, 4]);
    assert.deepEqual(slot.failed, []);
  });
  it("come back while they wait, and the one that runs does not", async (t) => {
    const slot = await open(t);
    const folder = scratch(t);
    slot.run(
      `touch ${folder}/began; until [ -e ${folder}/gate ]; do sleep 0.01; done`,
      `touch ${folder}/second`,
      "true",
    );
    await until(() => existsSync(join(folder, "began")), "the first");
    assert.equal(slot.backend.recall(1, [1, 2]), undefined);
    await until(() => slot.recalled.length === 1, "the answer");
    assert.deepEqual(slot.recalled, [[[1, 2], [2]]]);
    writeFileSync(join(folder, "gate"), "");
    await until(() => slot.done.length === 2, "the others");
    assert.deepEqual(slot.done, [1, 3]);
    assert.ok(!existsSync(join(folder, "second")));
    assert.deepEqual(slot.backend.recall(1, [1, 3]), [], "those that have ended");
  });
  it("are aborted before they begin", async (t) => {
    const slot = await open(t);
    const folder = scratch(t);
    slot.run(
      `touch ${folder}/began; until [ -e ${folder}/gate ]; do sleep 0.01; done`,
      `touch ${folder}/second`,
      "true",
    );
    await until(() => existsSync(join(folder, "began")), "the first");
    slot.backend.send(1, [ABORT, 2]);
    await until(() => slot.failed.length === 1, "its answer");
    assert.deepEqual(slot.failed, [2]);
    writeFileSync(join(folder, "gate"), "");
    await until(() => slot.done.length === 2, "the others");
    assert.deepEqual(slot.done, [1, 3]);
    assert.ok(!existsSync(join(folder, "second")));
  });
  it("have not begun when the slot is killed; the one that runs has, and ends", async (t) => {
    const slot = await open(t);
    const folder = scratch(t);
    slot.run("true", `touch ${folder}/began; sleep 60`, `touch ${folder}/third`);
    await until(() => existsSync(join(folder, "began")), "the second");
    slot.backend.kill(1);
    await until(() => slot.loss !== undefined, "the end");
    assert.deepEqual(slot.done, [1]);
    assert.equal(slot.loss?.signal, "SIGKILL");
    assert.deepEqual(
      [2, 3].map((ticket) => slot.loss?.hasBegun?.(ticket)),
      [true, false],
    );
    assert.ok(!existsSync(join(folder, "third")));
  });
  it("are done before the slot ends that was told to stop", async (t) => {
    const slot = await open(t);
    slot.run("sleep 0.05", "true");
    slot.backend.stop(1);
    await until(() => slot.loss !== undefined, "the end");
    assert.deepEqual(slot.done, [1, 2]);
    assert.equal(slot.loss?.hasBegun, undefined);
  });
});
