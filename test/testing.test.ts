// The suite's own tools: the clock that is moved by hand, random numbers by seed, the backend with faults.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backend, BackendHost } from "../src/backends/backend.ts";
import type { WorkerReply } from "../src/protocol/messages.ts";
import { type Faults, faulty, manualClock } from "../src/testing/index.ts";
import { random } from "../src/testing/random.ts";
import { until } from "../src/testing/stage.ts";
import { subject } from "./fixtures/subjects/inline.ts";

describe("the manual clock", () => {
  it("stands still until it is moved, and never goes back", () => {
    const clock = manualClock(5);
    assert.equal(clock.now(), 5);

    clock.advance(10);
    clock.advanceTo(20);

    assert.equal(clock.now(), 20);
    assert.throws(() => clock.advanceTo(19), RangeError);
    assert.throws(() => clock.advance(Number.NaN), RangeError);
    assert.equal(clock.now(), 20);
  });
});

describe("random numbers", () => {
  const row = (seed: number): number[] => {
    const dice = random(seed);
    return Array.from({ length: 1_000 }, () => dice.next());
  };

  it("come again with the same seed, and not with another", () => {
    assert.deepEqual(row(7), row(7));
    assert.notDeepEqual(row(7), row(8));
  });

  it("lie between 0 and 1, about evenly", () => {
    const numbers = row(1);
    assert.ok(numbers.every((one) => one >= 0 && one < 1));
    const mean = numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
    assert.ok(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`);
  });
});

describe("the faulty backend", () => {
  const value = (n: number): WorkerReply => [[n], [0], [n], 0];

  /** A backend that is told what to say, and what its host hears through the faults. */
  function rig(faults: Faults): { say: BackendHost; heard: string[] } {
    let say: BackendHost | undefined;
    const inner: Backend = { ...subject.open(new URL(import.meta.url), {}), open: (host) => void (say = host) };
    const heard: string[] = [];
    faulty(inner, faults).open({
      reply: (_, [, , values]) => void heard.push((values as readonly unknown[]).map(String).join()),
      seen: () => void heard.push("seen"),
      recalled: () => void heard.push("recalled"),
      itemsRecalled: () => void heard.push("items recalled"),
      grew: () => void heard.push("grew"),
      retire: () => void heard.push("retire"),
      unavailable: () => void heard.push("unavailable"),
      workerDown: () => void heard.push("down"),
    });
    assert.ok(say);
    return { say, heard };
  }

  it("without faults hands everything on at once", () => {
    const { say, heard } = rig({ seed: 1 });

    say.reply(1, value(1));
    say.seen(1, value(2));
    say.recalled(1, [], []);
    say.workerDown(1, {});

    assert.deepEqual(heard, ["1", "seen", "recalled", "down"]);
  });

  it("delays without changing the order", async () => {
    const { say, heard } = rig({ seed: 1, delay: 1 });

    say.reply(1, value(1));
    say.recalled(1, [], []);
    say.reply(1, value(2));
    assert.deepEqual(heard, []);
    await until(() => heard.length === 3, "the delayed");

    assert.deepEqual(heard, ["1", "recalled", "2"]);
  });

  it("hands on what a worker sent before its end", () => {
    const { say, heard } = rig({ seed: 1, delay: 1 });

    say.reply(1, value(1));
    say.workerDown(1, {});

    assert.deepEqual(heard, ["1", "down"]);
  });

  it("repeats, invents and haunts", async () => {
    const { say, heard } = rig({ seed: 1, repeat: 1, invent: 1, haunt: 1 });

    say.reply(1, value(1));
    say.workerDown(1, {});
    await until(() => heard.length === 5, "the ghost");

    assert.deepEqual(heard, ["1", "1", "invented", "down", "1"]);
  });
});
