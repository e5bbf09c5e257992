import assert from "node:assert/strict";
import { it } from "node:test";
import { Scheduler } from "../../src/core/scheduler.ts";
import { backendSpec } from "./backend-specs.ts";
import { profile } from "./profiles.ts";

it("frees the hand of a stream whose values come before the answer of the task in front of it", () => {
  const scheduler = new Scheduler({
    random: () => 0.5,
    agingMs: 0,
    poisonLimit: 3,
    abortGraceMs: 100,
    graceMs: 5_000,
  });
  scheduler.addBackend(backendSpec());
  scheduler.advance(0);
  const worker = scheduler.workerKeys()[0]!;
  scheduler.workerUp(1, worker, 1, []);
  const add = (now: number): number => scheduler.add(now, 0, profile());
  const answer = (now: number, slot: number): number =>
    scheduler.completed(now, worker, scheduler.sentTo(slot)!.ticket, 0.01);
  // Short tasks first, so that the worker gets some ahead.
  for (let now = 2; now < 40; now++) {
    const slot = add(now);
    scheduler.advance(now);
    answer(now, slot);
  }
  scheduler.takeCommands();
  const front = add(50);
  const stream = add(50);
  scheduler.advance(50);

  scheduler.stall(stream, 51);
  answer(51, front);
  const next = add(52);
  scheduler.advance(52);

  assert.equal(scheduler.isRunning(stream), true);
  assert.equal(scheduler.isRunning(next), true);
});
