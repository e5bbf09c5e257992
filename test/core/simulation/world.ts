// A pool's shell, its backends and its users, all in virtual time around a real scheduler.
import assert from "node:assert/strict";
import type { Command } from "../../../src/core/command.ts";
import { Scheduler } from "../../../src/core/scheduler.ts";
import { type ManualClock, manualClock } from "../../../src/testing/clock.ts";
import { type Random, random } from "../../../src/testing/random.ts";
import { Agenda } from "./agenda.ts";
import type { Hands } from "./hands.ts";
import { Ledger, type Sending, type SimTask } from "./ledger.ts";
import { durationOf, type Ground, pick, priorityOf, profileOf, type Scenario } from "./scenario.ts";
import { type Answer, SimWorker, type Surroundings } from "./sim-worker.ts";

/** Rounds of commands in one flush. Each makes fewer possible. */
const MAX_ROUNDS = 60;
const MAX_STEPS = 20_000;

export interface Tally {
  readonly virtualMs: number;
  readonly tasks: number;
  readonly begins: number;
  readonly steps: number;
  readonly rounds: number;
}

export class World implements Surroundings {
  readonly scenario: Scenario;
  readonly dice: Random;
  isCalm = false;
  readonly #clock: ManualClock = manualClock();
  readonly #agenda = new Agenda();
  readonly #scheduler: Scheduler;
  readonly #ledger: Ledger;
  readonly #workers = new Map<number, SimWorker>();
  readonly #grounds: Ground[] = [];
  readonly #removed = new Set<number>();
  #rounds = 0;
  #steps = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.dice = random(scenario.seed + 2);
    this.#scheduler = new Scheduler(scenario.options);
    this.#ledger = new Ledger(scenario, this.#scheduler);
    this.#scheduler.onStarted = (slot) => this.#ledger.toldStart(slot);
    for (const ground of scenario.grounds) this.#attach(ground);
  }

  /** Runs from the first act to the end of the last worker. */
  run(): Tally {
    const { endsBy, acts, gapMs } = this.scenario;
    let at = 0;
    for (let act = 0; act < acts; act++) {
      at += -Math.log(1 - this.dice.next()) * gapMs;
      this.at(at, () => this.#act());
    }
    if (endsBy.endsWith("in the middle")) this.at(at * this.dice.next(), () => this.#end());
    this.#flush();
    this.#runUntil(at);
    this.#calm();
    this.#runUntil(Number.POSITIVE_INFINITY);
    if (!this.#ledger.isClosing) {
      this.#checkRest();
      this.#end();
      this.#flush();
      this.#runUntil(Number.POSITIVE_INFINITY);
    }
    this.#checkEnd();
    const begins = this.#ledger.tasks.reduce((sum, task) => sum + task.begins, 0);
    return {
      virtualMs: this.now(),
      tasks: this.#ledger.tasks.length,
      begins,
      steps: this.#steps,
      rounds: this.#rounds,
    };
  }

  // ── Surroundings of the workers ────────────────────────────────────────────────────────────────────────────────────────

  now(): number {
    return this.#clock.now();
  }

  at(instant: number, act: () => void): void {
    this.#agenda.plan(Math.max(instant, this.now()), act);
  }

  begun(sending: Sending): void {
    this.#ledger.begun(sending);
  }

  arrived(worker: SimWorker, answers: readonly Answer[]): void {
    for (const answer of answers) {
      const hands = this.#ledger.hands.get(worker.key);
      if (hands === undefined) this.#heardFromTheDead(worker.key, answer);
      else this.#answered(worker, hands, answer);
      if (this.scenario.readsOn && this.dice.chance(0.2)) this.#add();
    }
  }

  died(worker: SimWorker): void {
    const { key } = worker;
    this.#workers.delete(key);
    const hands = this.#ledger.hands.get(key);
    if (hands === undefined) return;
    const begun = worker.ground.tellsBegun ? { hasBegun: (ticket: number) => worker.claims.hasBegun(ticket) } : {};
    this.#ledger.down(this.now(), hands, begun.hasBegun);
    // With its host goes the room that it had.
    const isForGood = worker.ground.spec.roomVaries && !this.isCalm && this.dice.chance(0.3);
    this.#scheduler.workerDown(this.now(), key, { cause: `worker ${key} died`, isForGood, ...begun });
  }

  // ── Steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #runUntil(end: number): void {
    for (;;) {
      const wakeup = this.#scheduler.nextWakeup();
      assert.ok(!Number.isNaN(wakeup));
      const next = Math.min(this.#agenda.nextAt, wakeup);
      if (next > end || next === Number.POSITIVE_INFINITY) return;
      assert.ok(++this.#steps < MAX_STEPS, "it never comes to rest");
      this.#clock.advanceTo(Math.max(next, this.now()));
      if (this.#agenda.nextAt <= this.now()) this.#agenda.take()();
      this.#flush();
    }
  }

  #flush(): void {
    const now = this.now();
    let rounds = 0;
    for (let commands = this.#scheduler.takeCommands(); ; ) {
      this.#ledger.read(now, commands);
      for (const command of commands) this.#carryOut(command);
      this.#scheduler.advance(now);
      commands = this.#scheduler.takeCommands();
      if (commands.length === 0) break;
      this.#rounds++;
      assert.ok(++rounds < MAX_ROUNDS, `the flush does not end: ${JSON.stringify(commands)}`);
    }
    this.#ledger.check(now);
    this.#checkFleet(now);
  }

  #carryOut(command: Command): void {
    switch (command.type) {
      case "start":
        this.#start(command.backend, command.worker);
        break;
      case "send": {
        const hands = this.#ledger.hands.get(command.worker)!;
        this.#workers.get(command.worker)?.send(command.tickets.map((ticket) => hands.open.get(ticket)!));
        break;
      }
      case "recall":
        this.#recall(command.worker, command.tickets);
        break;
      case "abort":
        this.#workers.get(command.worker)?.abort(command.ticket);
        break;
      case "stop":
        this.#workers.get(command.worker)?.drain();
        break;
      case "kill":
        this.#workers.get(command.worker)?.kill();
        break;
      case "abandon": {
        const hands = this.#ledger.hands.get(command.worker)!;
        this.#ledger.down(this.now(), hands, undefined);
        this.#scheduler.workerDown(this.now(), command.worker, { cause: `worker ${command.worker} was abandoned` });
        break;
      }
      case "settle":
        this.#ledger.unread.delete(command.slot);
        if (this.scenario.readsOn && this.dice.chance(0.3)) this.#add();
        break;
      case "retrying":
      case "backendFailed":
        break;
      default:
        command satisfies never;
    }
  }

  #start(backend: number, key: number): void {
    const ground = this.#grounds[backend]!;
    const hands = this.#ledger.started(key, backend, ground);
    const worker = new SimWorker(key, ground, this);
    this.#workers.set(key, worker);
    if (!this.isCalm && this.dice.chance(ground.startHangs)) return;
    const fails = this.dice.chance(ground.startFails);
    this.at(this.now() + ground.startMs * this.dice.next(), () => {
      if (worker.isDead) return;
      if (fails) worker.die();
      else this.#up(hands);
    });
  }

  #up(hands: Hands): void {
    if (!this.#ledger.hands.has(hands.key)) return;
    const wasStarting = this.#scheduler.worker(hands.key)!.phase === "starting";
    this.#scheduler.workerUp(this.now(), hands.key, hands.ground.concurrency, []);
    if (!wasStarting) return;
    hands.isUp = true;
    hands.capacity = hands.ground.concurrency;
  }

  #recall(key: number, tickets: readonly number[]): void {
    const worker = this.#workers.get(key);
    if (worker === undefined) return;
    switch (worker.ground.recalls) {
      case "at once":
        this.#recalled(key, tickets, worker.recall(tickets));
        break;
      case "on request":
        // On a way of its own: before or behind what the worker answers.
        this.at(this.now() + worker.ground.latencyMs * this.dice.next(), () => {
          if (worker.isDead) return;
          const got = worker.recall(tickets);
          this.at(this.now() + worker.ground.latencyMs * this.dice.next(), () => this.#recalled(key, tickets, got));
        });
        break;
      case "never":
        this.#recalled(key, tickets, []);
        break;
      default:
        worker.ground.recalls satisfies never;
    }
  }

  #recalled(key: number, asked: readonly number[], got: readonly number[]): void {
    const hands = this.#ledger.hands.get(key);
    if (hands !== undefined) this.#ledger.recalled(this.now(), hands, asked, got);
    this.#scheduler.recalled(this.now(), key, asked, got);
  }

  // ── Answers ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #answered(worker: SimWorker, hands: Hands, answer: Answer): void {
    const { ticket } = answer;
    const { key } = hands;
    const now = this.now();
    switch (answer.type) {
      case "completed":
        this.#ledger.completed(now, hands, ticket, this.#scheduler.completed(now, key, ticket, answer.ms));
        break;
      case "failed":
        this.#ledger.failed(
          now,
          hands,
          ticket,
          answer.failure,
          this.#scheduler.failed(now, key, ticket, answer.ms, answer.failure),
        );
        break;
      case "deferred": {
        const { priority, delayMs } = answer;
        this.#ledger.deferred(
          now,
          hands,
          ticket,
          priority,
          delayMs,
          this.#scheduler.deferred(now, key, ticket, priority, delayMs),
        );
        break;
      }
      case "refused": {
        const { retryAfterMs } = answer;
        this.#ledger.refused(now, hands, ticket, retryAfterMs, this.#scheduler.refused(now, key, ticket, retryAfterMs));
        break;
      }
      case "progressed": {
        const slot = this.#scheduler.slotOf(key, ticket);
        this.#ledger.progressed(now, hands, ticket, slot);
        if (slot >= 0) this.#scheduler.progressed(now, key, slot, answer.items, answer.ms);
        break;
      }
      case "stalled":
        this.#stalled(worker, hands, ticket);
        break;
      default:
        answer satisfies never;
    }
  }

  #stalled(worker: SimWorker, hands: Hands, ticket: number): void {
    const sending = hands.open.get(ticket);
    if (sending === undefined) return;
    this.#scheduler.stall(sending.task.slot, this.now());
    this.#ledger.stalled(this.now(), sending);
    if (this.dice.chance(0.5)) {
      // Its reader has read some of it.
      this.#scheduler.makeFinal(sending.task.slot);
      sending.task.isOnce = true;
    }
    const readsAgain = this.isCalm ? 0 : durationOf(this.scenario, this.dice);
    this.at(this.now() + readsAgain, () => {
      if (sending.task.sending === sending) {
        this.#scheduler.resumeStream(sending.task.slot, this.now());
        this.#ledger.resumed(this.now(), sending);
      }
      worker.credit(ticket);
    });
  }

  #heardFromTheDead(key: number, answer: Answer): void {
    const { ticket } = answer;
    assert.equal(this.#scheduler.slotOf(key, ticket), -1);
    assert.equal(this.#scheduler.completed(this.now(), key, ticket, 1), -1);
    assert.equal(this.#scheduler.failed(this.now(), key, ticket, 1, "thrown").slot, -1);
  }

  // ── Users ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #act(): void {
    const { dice, scenario } = this;
    const chance = dice.next();
    if (chance < 0.55) for (let count = 1 + dice.below(12); count > 0; count--) this.#add();
    else if (chance < 0.62) this.#prioritise();
    else if (chance < 0.68) this.#pauseOrResume();
    else if (chance < 0.74) this.#qualify();
    else if (chance < 0.79) this.#addPinned();
    else if (chance < 0.83) this.#moveHosts();
    else if (chance < 0.88) this.#resize();
    else if (!scenario.isFair) this.#interfere();
  }

  #add(): void {
    if (this.#ledger.isClosing) return;
    const { dice, scenario } = this;
    const profile = profileOf(scenario, dice);
    const priority = priorityOf(dice);
    const delayMs = dice.chance(0.1) ? durationOf(scenario, dice) : 0;
    // What is pooled refuses a task at once that no backend can run any more.
    if (this.#scheduler.failureFor(profile.series) !== undefined) return;
    const slot =
      delayMs > 0
        ? this.#scheduler.addLater(this.now(), priority, profile, delayMs)
        : this.#scheduler.add(this.now(), priority, profile);
    const task = this.#ledger.added(this.now(), slot, priority, profile, delayMs);
    if (scenario.isFair || !dice.chance(0.05)) return;
    task.attempts = 1 + dice.below(3);
    task.charged = dice.below(2);
    task.isAlone = dice.chance(0.5);
    this.#scheduler.inherit(slot, task.attempts, task.charged, 0, task.isAlone);
  }

  #addPinned(): void {
    const hands = this.#anyHands();
    if (hands === undefined || this.#ledger.isClosing || this.#scheduler.worker(hands.key)!.phase !== "up") return;
    const profile = { ...profileOf(this.scenario, this.dice), series: 0, retries: 0, atMostOnce: true, isChunk: false };
    const slot = this.#scheduler.addPinned(this.now(), hands.key, profile);
    this.#ledger.added(this.now(), slot, 0, profile, 0, hands);
  }

  #prioritise(): void {
    const task = this.#anyTask();
    if (task === undefined) return;
    const priority = priorityOf(this.dice);
    this.#ledger.reprioritised(task, priority, this.#scheduler.setPriority(task.slot, priority));
  }

  #cancel(): void {
    const task = this.#anyTask();
    if (task === undefined) return;
    this.#scheduler.cancel(this.now(), task.slot);
    this.#ledger.cancelled(this.now(), task);
  }

  #pauseOrResume(): void {
    if (this.#ledger.isClosing) return;
    if (this.#scheduler.isPaused) this.#scheduler.resume();
    else this.#scheduler.pause();
    this.#ledger.isPaused = this.#scheduler.isPaused;
  }

  #qualify(): void {
    const hands = this.#anyHands();
    if (hands === undefined) return;
    const series = this.dice.below(this.scenario.series);
    this.#scheduler.qualify(hands.key, series);
    hands.serves.add(series);
  }

  #resize(): void {
    const backend = this.dice.below(this.#grounds.length);
    if (this.#removed.has(backend) || this.#grounds[backend]!.spec.roomVaries) return;
    const size = this.dice.below(5);
    this.#scheduler.resize(this.now(), backend, {
      min: size,
      max: size,
      idleMs: this.#grounds[backend]!.spec.size.idleMs,
    });
  }

  /** A host comes, or one goes whose hands were free. */
  #moveHosts(): void {
    const backend = this.dice.below(this.#grounds.length);
    if (!this.#grounds[backend]!.spec.roomVaries || this.#removed.has(backend)) return;
    const { size, live } = this.#scheduler.backend(backend);
    if (size.max < 6 && this.dice.chance(0.7)) this.#scheduler.grew(this.now(), backend, 1 + this.dice.below(2));
    else if (size.max > live) this.#scheduler.grew(this.now(), backend, live - size.max);
    else if (!this.scenario.isFair && this.dice.chance(0.2)) this.#scheduler.unavailable(backend, "no server");
  }

  #attach(ground: Ground): void {
    this.#grounds[this.#scheduler.addBackend(ground.spec)] = ground;
  }

  #interfere(): void {
    const { dice } = this;
    const chance = dice.next();
    const hands = this.#anyHands();
    const key = hands?.key ?? -1;
    if (chance < 0.5) this.#cancel();
    else if (chance < 0.65) this.#scheduler.stopWorker(this.now(), key);
    else if (chance < 0.75) this.#scheduler.recycle(this.now(), key);
    else if (chance < 0.85) {
      if (hands !== undefined) hands.isDoomed = true;
      this.#scheduler.killWorker(this.now(), key);
      if (hands !== undefined) hands.isEnding = true;
    } else if (chance < 0.95) this.#workers.get(key)?.die();
    else if (chance < 0.98) {
      const backend = dice.below(this.#grounds.length);
      this.#removed.add(backend);
      this.#scheduler.removeBackend(this.now(), backend);
    } else if (!this.#ledger.isClosing) this.#attach(pick(dice, this.scenario.grounds));
  }

  #end(): void {
    const isTerminate = this.scenario.endsBy.startsWith("terminate");
    this.#ledger.isClosing = true;
    this.#ledger.isPaused = false;
    if (isTerminate) {
      this.#ledger.isTerminated = true;
      this.#scheduler.terminate(this.now());
    } else this.#scheduler.close(this.now());
  }

  /** From now on nothing fails any more, and what comes by itself has come. */
  #calm(): void {
    this.isCalm = true;
    for (const worker of this.#workers.values()) worker.calm();
    if (this.#scheduler.isPaused) this.#pauseOrResume();
    for (const [backend, ground] of this.#grounds.entries()) {
      if (ground.spec.roomVaries && !this.#removed.has(backend)) this.#scheduler.grew(this.now(), backend, 1);
    }
    this.#flush();
  }

  #anyTask(): SimTask | undefined {
    const { live } = this.#ledger;
    return live.size === 0 ? undefined : pick(this.dice, [...live]);
  }

  #anyHands(): Hands | undefined {
    const { hands } = this.#ledger;
    return hands.size === 0 ? undefined : pick(this.dice, [...hands.values()]);
  }

  // ── What it comes to ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Each backend has as many workers as it should, unless its starts fail. */
  #checkFleet(now: number): void {
    for (const index of this.#grounds.keys()) {
      const backend = this.#scheduler.backend(index);
      let live = 0;
      for (const key of this.#scheduler.workersOf(index)) {
        const { phase } = this.#scheduler.worker(key)!;
        if (phase === "starting" || phase === "up") live++;
      }
      assert.equal(backend.live, live, "workers that live");
      if (backend.isRemoved || this.#ledger.isClosing) continue;
      assert.ok(live <= backend.size.max, `${live} workers where ${backend.size.max} are the most`);
      const mayStart = backend.failure === undefined && backend.startFailures === 0 && backend.nextStartAt <= now;
      if (mayStart) assert.ok(live >= backend.size.min, `${live} workers where ${backend.size.min} are the least`);
    }
  }

  /** Nothing happens any more: what is left waits for good reason. */
  #checkRest(): void {
    for (const task of this.#ledger.live) {
      const { series } = task.profile;
      assert.ok(this.#ledger.isQueued(task, this.now()), `task ${task.id} is ${task.place} for ever`);
      assert.ok(!this.#canRun(series), `task ${task.id} waits for ever`);
      assert.equal(
        this.#scheduler.failureFor(series),
        undefined,
        `task ${task.id} waits for a backend that was given up`,
      );
    }
    for (const index of this.#grounds.keys()) {
      const { failure, isRemoved, size, live } = this.#scheduler.backend(index);
      if (!isRemoved && failure === undefined) assert.equal(live, size.min, "workers that idle for ever");
    }
  }

  #canRun(series: number): boolean {
    for (const hands of this.#ledger.hands.values())
      if (hands.serves.has(series) && !hands.isStopping && !hands.isEnding) return true;
    return false;
  }

  #checkEnd(): void {
    const { live, hands, tasks } = this.#ledger;
    assert.equal(live.size, 0, `${live.size} tasks never settled`);
    assert.equal(hands.size, 0, `${hands.size} workers are left`);
    if (!this.scenario.isFair || this.#ledger.isTerminated) return;
    for (const task of tasks) assert.ok(task.begins <= 1, `task ${task.id} ran ${task.begins} times without a fault`);
  }
}
