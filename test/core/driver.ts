// A scheduler that is driven by hand: its clock stands still until it is moved, and its commands are kept to be looked at.
import assert from "node:assert/strict";
import type { BackendSpec } from "../../src/core/backend-record.ts";
import type { Command } from "../../src/core/command.ts";
import type { CoreOptions } from "../../src/core/core-state.ts";
import { Scheduler, type WorkerEnd } from "../../src/core/scheduler.ts";
import type { Profile } from "../../src/core/task-table.ts";
import { type ManualClock, manualClock } from "../../src/testing/clock.ts";
import { backendSpec } from "./backend-specs.ts";
import { profile } from "./profiles.ts";

export type CommandOf<T extends Command["type"]> = Command & { readonly type: T };

export class Driver {
  readonly scheduler: Scheduler;
  readonly clock: ManualClock = manualClock();
  /** What came of the last `flush`. */
  commands: readonly Command[] = [];

  constructor(specs: readonly Partial<BackendSpec>[] = [{}], options: Partial<CoreOptions> = {}) {
    this.scheduler = new Scheduler({
      random: () => 1 - Number.EPSILON,
      agingMs: 0,
      poisonLimit: 3,
      abortGraceMs: 100,
      graceMs: 5_000,
      ...options,
    });
    for (const spec of specs) this.scheduler.addBackend(backendSpec(spec));
  }

  /** A driver whose workers are up. */
  static up(specs: readonly Partial<BackendSpec>[] = [{}], capacity = 1, options: Partial<CoreOptions> = {}): Driver {
    const driver = new Driver(specs, options);
    driver.flush();
    driver.upAll(capacity);
    return driver;
  }

  get now(): number {
    return this.clock.now();
  }

  /** Lets the scheduler do what is due. Takes back what it asks for by `recalls`; without that it gets nothing back. */
  flush(recalls: (worker: number, tickets: readonly number[]) => readonly number[] = () => []): readonly Command[] {
    const all: Command[] = [];
    for (let round = 0, commands = this.scheduler.takeCommands(); ; round++) {
      assert.ok(round < 50, "the flush does not end");
      for (const command of commands) {
        all.push(command);
        if (command.type !== "recall") continue;
        this.scheduler.recalled(this.now, command.worker, command.tickets, recalls(command.worker, command.tickets));
      }
      this.scheduler.advance(this.now);
      commands = this.scheduler.takeCommands();
      if (commands.length === 0) break;
    }
    this.commands = all;
    return all;
  }

  /** Moves the clock on, stopping wherever the scheduler wants to be woken. All commands on the way are kept. */
  pass(ms: number): readonly Command[] {
    const until = this.now + ms;
    const all: Command[] = [];
    for (let at = this.scheduler.nextWakeup(); at <= until; at = this.scheduler.nextWakeup()) {
      this.clock.advanceTo(Math.max(at, this.now));
      all.push(...this.flush());
    }
    this.clock.advanceTo(until);
    all.push(...this.flush());
    this.commands = all;
    return all;
  }

  of<T extends Command["type"]>(type: T): CommandOf<T>[] {
    return this.commands.filter((command): command is CommandOf<T> => command.type === type);
  }

  /** Keys of the workers that were to be started. */
  starts(): number[] {
    return this.of("start").map(({ worker }) => worker);
  }

  up(key: number, capacity = 1, series: readonly number[] = []): void {
    this.scheduler.workerUp(this.now, key, capacity, series);
  }

  upAll(capacity = 1): void {
    for (const key of this.scheduler.workerKeys()) this.up(key, capacity);
    this.flush();
  }

  down(key: number, end: Partial<WorkerEnd> = {}): readonly Command[] {
    this.scheduler.workerDown(this.now, key, { cause: undefined, ...end });
    return this.flush();
  }

  add(differences: Partial<Profile> = {}, priority = 0): number {
    return this.scheduler.add(this.now, priority, profile(differences));
  }

  /** Adds and flushes. */
  send(differences: Partial<Profile> = {}, priority = 0): number {
    const slot = this.add(differences, priority);
    this.flush();
    return slot;
  }

  /** Slots that went to workers in the last flush, in order. */
  sent(worker?: number): number[] {
    return this.of("send")
      .filter((command) => worker === undefined || command.worker === worker)
      .flatMap(({ slots }) => slots);
  }

  ticketOf(slot: number): number {
    return this.scheduler.sentTo(slot)!.ticket;
  }

  workerOf(slot: number): number | undefined {
    return this.scheduler.sentTo(slot)?.worker;
  }

  /** The worker that has the task answers with a value. */
  complete(slot: number, ms = 1_000): readonly Command[] {
    const { worker, ticket } = this.scheduler.sentTo(slot)!;
    assert.equal(this.scheduler.completed(this.now, worker, ticket, ms), slot);
    return this.flush();
  }

  /** The worker that has the task answers that it threw. Answers after how long it goes again, -1 for never. */
  fail(slot: number, failure: "thrown" | "permanent" = "thrown"): number {
    const { worker, ticket } = this.scheduler.sentTo(slot)!;
    const verdict = this.scheduler.failed(this.now, worker, ticket, 1_000, failure);
    assert.equal(verdict.slot, slot);
    this.flush();
    return verdict.retryInMs;
  }

  /** The worker is known to be quick: tasks are sent ahead to it. */
  quicken(key: number): void {
    const record = this.scheduler.worker(key)!;
    for (let turn = 0; turn < 100; turn++) record.pace.add(0);
  }
}
