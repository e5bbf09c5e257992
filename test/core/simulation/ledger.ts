// What must be true of a scheduler: kept beside it from the same events, and compared with it after every step.
import assert from "node:assert/strict";
import type { Command, SettleReason } from "../../../src/core/command.ts";
import type { Scheduler, Verdict } from "../../../src/core/scheduler.ts";
import type { Profile } from "../../../src/core/task-table.ts";
import { Hands } from "./hands.ts";
import type { Ground, Scenario } from "./scenario.ts";

export interface SimTask {
  readonly id: number;
  readonly profile: Profile;
  readonly isPinned: boolean;
  /** Its deadline counts from here. */
  readonly bornAt: number;
  slot: number;
  priority: number;
  seq: number;
  /** What it has aged since. */
  agedFrom: number;
  /** `judged`: its worker is gone, and the core has to say what becomes of it. */
  place: "queued" | "delayed" | "pinned" | "sent" | "judged" | "settled";
  verdict: "settle" | "retry";
  /** While delayed: it may be queued from the one instant on, and is from the other. */
  dueFrom: number;
  dueBy: number;
  sending: Sending | undefined;
  attempts: number;
  charged: number;
  losses: number;
  isAlone: boolean;
  /** It must not be sent again. */
  isOnce: boolean;
  begins: number;
  lastBegun: number;
  /** How often a worker had a hand for it, as far as the pool can know; and how often the scheduler said so. */
  starts: number;
  told: number;
}

export interface Sending {
  readonly task: SimTask;
  readonly ticket: number;
  readonly attempt: number;
  readonly hands: Hands;
  /** -1 while it waits at the worker. */
  startedAt: number;
  /** Its timeout counts from here. */
  clockFrom: number;
  hasBegun: boolean;
  wasTakenBack: boolean;
}

const LOSS_BUDGET = 2;
const MIN_DEFERRAL_MS = 1;
const CLOSE = 1e-9;

export class Ledger {
  readonly tasks: SimTask[] = [];
  readonly live = new Set<SimTask>();
  readonly hands = new Map<number, Hands>();
  isPaused = false;
  isClosing = false;
  isTerminated = false;
  readonly #bySlot = new Map<number, SimTask>();
  /** Slots that settle commands name which the shell has not come to yet. */
  readonly unread = new Set<number>();
  #seq = 0;
  readonly #scenario: Scenario;
  readonly #scheduler: Scheduler;

  constructor(scenario: Scenario, scheduler: Scheduler) {
    this.#scenario = scenario;
    this.#scheduler = scheduler;
  }

  // ── What the shell does ────────────────────────────────────────────────────────────────────────────────────────────────

  added(now: number, slot: number, priority: number, profile: Profile, delayMs: number, pinnedTo?: Hands): SimTask {
    assert.ok(!this.#bySlot.has(slot), `slot ${slot} was given out while it is taken`);
    assert.ok(!this.unread.has(slot), `slot ${slot} was given out while a command still names it`);
    const task: SimTask = {
      id: this.tasks.length,
      profile,
      isPinned: pinnedTo !== undefined,
      bornAt: now,
      slot,
      priority,
      seq: this.#seq++,
      agedFrom: now,
      place: pinnedTo !== undefined ? "pinned" : delayMs > 0 ? "delayed" : "queued",
      verdict: "settle",
      dueFrom: now + delayMs,
      dueBy: now + delayMs,
      sending: undefined,
      attempts: 0,
      charged: 0,
      losses: 0,
      isAlone: false,
      isOnce: profile.atMostOnce || pinnedTo !== undefined,
      begins: 0,
      lastBegun: 0,
      starts: 0,
      told: 0,
    };
    pinnedTo?.pinned.push(task);
    this.tasks.push(task);
    this.live.add(task);
    this.#bySlot.set(slot, task);
    return task;
  }

  cancelled(now: number, task: SimTask): void {
    if (task.sending !== undefined) this.#leave(task.sending, now);
    this.#settle(task);
  }

  reprioritised(task: SimTask, priority: number, isDone: boolean): void {
    const hasBegun = task.sending !== undefined && task.sending.startedAt >= 0;
    assert.equal(isDone, !hasBegun, "setPriority answers whether the task is still queued");
    if (isDone) task.priority = priority;
  }

  // ── What workers do ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** In truth, whatever the core believes. */
  begun(sending: Sending): void {
    const { task } = sending;
    assert.ok(!sending.wasTakenBack, `task ${task.id} was taken back and began all the same`);
    assert.ok(!sending.hasBegun, `task ${task.id} began twice by one sending`);
    sending.hasBegun = true;
    task.begins++;
    assert.ok(task.begins === 1 || !task.profile.atMostOnce, `task ${task.id} may run once and began twice`);
    // What nobody waits for any more may begin all the same, where it could not be taken back.
    if (!this.hands.has(sending.hands.key) || sending.hands.open.get(sending.ticket) !== sending) return;
    assert.ok(
      sending.attempt > task.lastBegun,
      `task ${task.id} began attempt ${sending.attempt} after ${task.lastBegun}`,
    );
    if (this.#scenario.isFair) assert.equal(sending.attempt, 1);
    task.lastBegun = sending.attempt;
  }

  started(key: number, backend: number, ground: Ground): Hands {
    assert.ok(!this.hands.has(key), `worker ${key} was started twice`);
    const hands = new Hands(key, backend, ground);
    this.hands.set(key, hands);
    return hands;
  }

  completed(now: number, hands: Hands, ticket: number, slot: number): SimTask | undefined {
    const task = this.#answered(now, hands, ticket, slot);
    if (task === undefined) return undefined;
    hands.done++;
    this.#settle(task);
    hands.noticeEmpty();
    return task;
  }

  failed(now: number, hands: Hands, ticket: number, failure: "thrown" | "permanent", verdict: Verdict): void {
    const task = this.#answered(now, hands, ticket, verdict.slot);
    if (task === undefined) return;
    hands.failed++;
    if (failure === "permanent") {
      assert.ok(verdict.retryInMs < 0, "a permanent failure is final");
      this.#settle(task);
    } else if (this.#charge(task)) {
      assert.ok(verdict.retryInMs < 0, `task ${task.id} has no retries left`);
      this.#settle(task);
    } else this.#putBack(task, now, this.#backedOff(task, verdict.retryInMs));
    hands.noticeEmpty();
  }

  deferred(
    now: number,
    hands: Hands,
    ticket: number,
    priority: number | undefined,
    delayMs: number,
    slot: number,
  ): void {
    const task = this.#answered(now, hands, ticket, slot);
    if (task === undefined) return;
    if (priority !== undefined) task.priority = priority;
    task.seq = this.#seq++;
    task.agedFrom = now;
    this.#putBack(task, now, delayMs);
    task.place = "delayed";
    task.dueBy = now + Math.max(delayMs, MIN_DEFERRAL_MS);
    hands.noticeEmpty();
  }

  refused(now: number, hands: Hands, ticket: number, retryAfterMs: number, slot: number): void {
    const task = this.#answered(now, hands, ticket, slot);
    if (task === undefined) return;
    this.#putBack(task, now, 0);
    hands.busyUntil = Math.max(hands.busyUntil, now + retryAfterMs);
    hands.noticeEmpty();
  }

  progressed(now: number, hands: Hands, ticket: number, slot: number): void {
    const sending = hands.open.get(ticket);
    assert.equal(slot, sending?.task.slot ?? -1);
    if (sending !== undefined) sending.clockFrom = now;
  }

  stalled(now: number, sending: Sending): void {
    const { hands } = sending;
    hands.unlink(sending);
    hands.stalled.add(sending);
    if (sending.startedAt < 0) {
      sending.startedAt = now;
      sending.task.starts++;
    }
    hands.promote(now);
  }

  resumed(now: number, sending: Sending): void {
    const { hands } = sending;
    hands.stalled.delete(sending);
    hands.order.unshift(sending);
    sending.clockFrom = now;
  }

  recalled(now: number, hands: Hands, asked: readonly number[], got: readonly number[]): void {
    for (const ticket of asked) {
      const sending = hands.open.get(ticket);
      if (sending !== undefined && got.includes(ticket)) {
        hands.unlink(sending);
        hands.open.delete(ticket);
        sending.wasTakenBack = true;
        sending.task.sending = undefined;
        sending.task.attempts--;
        this.#putBack(sending.task, now, 0);
      } else if (got.includes(ticket)) hands.orphans.delete(ticket);
      else {
        const orphan = hands.orphans.get(ticket);
        if (orphan !== undefined) orphan.abortedAt ??= now;
      }
    }
    hands.promote(now);
    hands.noticeEmpty();
  }

  /** The worker is gone: what becomes of its tasks is for the core to say, and known beforehand. */
  down(now: number, hands: Hands, hasBegun: ((ticket: number) => boolean) | undefined): void {
    this.hands.delete(hands.key);
    const unanswered = [...hands.order, ...hands.stalled];
    const suspects = unanswered.filter(({ ticket }) => !hands.isDoomed && hasBegun?.(ticket) !== false);
    for (const sending of unanswered) {
      const { task, ticket } = sending;
      task.sending = undefined;
      const { isOnce } = task;
      if (suspects.includes(sending)) {
        task.verdict = this.#isLossFinal(task, suspects.length === 1) || isOnce ? "settle" : "retry";
        task.place = "judged";
      } else if ((isOnce && (hasBegun?.(ticket) ?? true)) || task.isPinned) {
        task.verdict = "settle";
        task.place = "judged";
      } else {
        if (hasBegun?.(ticket) === false) task.attempts--;
        this.#putBack(task, now, 0);
      }
    }
    for (const task of hands.pinned) {
      task.verdict = "settle";
      task.place = "judged";
    }
  }

  /** The scheduler says that the task begins. */
  toldStart(slot: number): void {
    const task = this.#bySlot.get(slot);
    assert.ok(task !== undefined, `slot ${slot} is told to begin and holds no task`);
    task.told++;
  }

  // ── What the core answers ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Notes what the commands say, before they are carried out. */
  read(now: number, commands: readonly Command[]): void {
    const sent: Sending[] = [];
    for (const command of commands) {
      switch (command.type) {
        case "send":
          this.#sent(now, command, sent);
          break;
        case "settle":
          this.#settledBy(now, command);
          break;
        case "retrying":
          this.#retried(now, command.slot, command.reason, command.delayMs);
          break;
        case "recall": {
          const hands = this.hands.get(command.worker);
          for (const ticket of hands === undefined ? [] : command.tickets) {
            const isKnown = hands!.open.has(ticket) || hands!.orphans.has(ticket);
            assert.ok(isKnown, `ticket ${ticket} of worker ${command.worker} is recalled and is not there`);
          }
          break;
        }
        case "kill": {
          const hands = this.hands.get(command.worker);
          if (hands !== undefined) this.#killed(now, hands);
          break;
        }
        case "stop": {
          const hands = this.hands.get(command.worker)!;
          assert.ok(hands.isEmpty && hands.pinned.length === 0, `worker ${hands.key} is to stop and has tasks`);
          hands.isEnding = true;
          break;
        }
        default:
      }
    }
    this.#checkOrder(now, sent);
    for (const command of commands) {
      // Its settling stands behind it.
      if (command.type === "abort") this.#aborted(command.worker, command.ticket);
    }
  }

  #sent(now: number, command: Command & { readonly type: "send" }, all: Sending[]): void {
    const hands = this.hands.get(command.worker);
    assert.ok(hands !== undefined, `tasks are sent to worker ${command.worker}, which is gone`);
    assert.ok(hands.isUp, `tasks are sent to worker ${hands.key}, which is not up`);
    assert.ok(!hands.isEnding, `tasks are sent to worker ${hands.key}, which ends`);
    assert.equal(hands.orphans.size, 0, `tasks are sent to worker ${hands.key}, which is at an orphan`);
    assert.equal(command.slots.length, command.tickets.length);
    for (const [at, slot] of command.slots.entries()) {
      const task = this.#bySlot.get(slot);
      const ticket = command.tickets[at]!;
      assert.ok(task !== undefined, `slot ${slot} is sent and holds no task`);
      assert.equal(task.sending, undefined, `task ${task.id} is sent while worker ${task.sending?.hands.key} has it`);
      assert.ok(hands.serves.has(task.profile.series), `task ${task.id} is sent to a worker that is not qualified`);
      assert.ok(!hands.open.has(ticket) && !hands.orphans.has(ticket), `ticket ${ticket} is in use`);
      this.#checkPlace(now, hands, task);
      task.attempts++;
      assert.equal(this.#scheduler.attemptOf(slot), task.attempts);
      const sending: Sending = {
        task,
        ticket,
        attempt: task.attempts,
        hands,
        startedAt: -1,
        clockFrom: -1,
        hasBegun: false,
        wasTakenBack: false,
      };
      task.sending = sending;
      task.place = "sent";
      hands.order.push(sending);
      hands.open.set(ticket, sending);
      if (task.isAlone || task.isPinned) hands.isExclusive = true;
      const { maxTasks } = hands.ground.spec;
      const isTooMuch = maxTasks > 0 && !task.isPinned && hands.done + hands.failed + hands.order.length > maxTasks;
      assert.ok(!isTooMuch, `task ${task.id} is one too many for its worker`);
      hands.promote(now);
      all.push(sending);
    }
    const { spec } = hands.ground;
    if (!spec.sendsAhead) assert.equal(hands.running, hands.order.length, "nothing may be sent ahead");
    for (const { startedAt, task } of hands.order) {
      if (startedAt < 0) assert.ok(!task.isAlone && !task.isOnce, `task ${task.id} is sent ahead`);
    }
  }

  #aborted(key: number, ticket: number): void {
    const isOpen = this.hands.get(key)?.open.has(ticket) ?? false;
    assert.ok(!isOpen, "a task that somebody waits for is aborted");
  }

  #checkPlace(now: number, hands: Hands, task: SimTask): void {
    if (task.isPinned) {
      assert.equal(hands.pinned.shift(), task, "pinned tasks keep their order and go to their worker");
      assert.ok(hands.isEmpty, "a pinned task goes alone");
      return;
    }
    assert.ok(!hands.isStopping, `task ${task.id} is sent to a worker that stops`);
    assert.ok(hands.busyUntil <= now, `task ${task.id} is sent to a worker that said that it is busy`);
    assert.ok(!this.isPaused, `task ${task.id} is sent while the pool is paused`);
    assert.ok(!hands.isExclusive, `task ${task.id} is sent to a worker that has a task alone`);
    if (task.isAlone) assert.ok(hands.isEmpty, `task ${task.id} goes alone and its worker has others`);
    if (task.place === "delayed") assert.ok(now >= task.dueFrom, `task ${task.id} is sent before it is due`);
    else assert.equal(task.place, "queued", `task ${task.id} is sent and is ${task.place}`);
  }

  /** Law 2: nothing that is left in the queue comes before what was sent, among what that worker serves. */
  #checkOrder(now: number, sent: readonly Sending[]): void {
    const lastOf = new Map<Hands, SimTask>();
    for (const { task, hands } of sent) {
      if (task.isPinned) continue;
      const last = lastOf.get(hands);
      assert.ok(last === undefined || this.isBefore(last, task), `task ${task.id} is sent behind task ${last?.id}`);
      lastOf.set(hands, task);
    }
    for (const [hands, last] of lastOf) {
      for (const task of this.live) {
        if (!this.isQueued(task, now) || !hands.serves.has(task.profile.series)) continue;
        assert.ok(this.isBefore(last, task), `task ${last.id} is sent before task ${task.id}, which comes first`);
      }
    }
  }

  #settledBy(now: number, command: Command & { readonly type: "settle" }): void {
    const task = this.#bySlot.get(command.slot);
    assert.ok(task !== undefined, `slot ${command.slot} is settled (${command.reason}) and holds no task`);
    const { sending, profile } = task;
    switch (command.reason) {
      case "timeout":
        this.#checkTimeout(now, task);
        assert.ok(this.#charge(task), `task ${task.id} has retries left and is given up`);
        break;
      case "deadline":
        assert.ok(profile.deadlineMs > 0 && isAt(now, task.bornAt + profile.deadlineMs), "the deadline is not now");
        if (sending !== undefined && sending.startedAt >= 0) sending.hands.failed++;
        break;
      case "lost":
        assert.equal(task.place, "judged", `task ${task.id} is settled as lost and was not`);
        assert.equal(task.verdict, "settle", `task ${task.id} is settled as lost and may be tried again`);
        break;
      case "unavailable":
        assert.ok(this.#scheduler.failureFor(profile.series) !== undefined, "no backend failed that served it");
        break;
      case "closed":
        assert.ok(this.isClosing, "the pool is open");
        break;
      default:
        command.reason satisfies never;
    }
    if (sending !== undefined) this.#leave(sending, now);
    this.unread.add(command.slot);
    this.#settle(task);
  }

  #retried(now: number, slot: number, reason: SettleReason, delayMs: number): void {
    const task = this.#bySlot.get(slot);
    assert.ok(task !== undefined, `slot ${slot} goes again and holds no task`);
    if (reason === "lost") {
      assert.equal(task.place, "judged", `task ${task.id} goes again as lost and was not`);
      assert.equal(task.verdict, "retry", `task ${task.id} goes again and has no tries left`);
      task.isAlone = true;
      this.#putBack(task, now, 0);
      return;
    }
    assert.equal(reason, "timeout");
    this.#checkTimeout(now, task);
    assert.ok(!this.#charge(task), `task ${task.id} goes again and has no retries left`);
    this.#leave(task.sending!, now);
    this.#putBack(task, now, this.#backedOff(task, delayMs));
  }

  #checkTimeout(now: number, task: SimTask): void {
    const { sending, profile } = task;
    assert.ok(sending !== undefined && sending.startedAt >= 0, `task ${task.id} times out and does not run`);
    assert.ok(!sending.hands.stalled.has(sending), `task ${task.id} times out while its reader makes it wait`);
    assert.ok(isAt(now, sending.clockFrom + profile.timeoutMs), `task ${task.id} times out at another time`);
    sending.hands.failed++;
  }

  #killed(now: number, hands: Hands): void {
    const { abortGraceMs } = this.#scenario.options;
    if (!hands.isEnding && hands.isUp && !this.isTerminated) {
      const isDue = [...hands.orphans.values()].some(
        ({ abortedAt }) => abortedAt !== undefined && now >= abortedAt + abortGraceMs - CLOSE * now,
      );
      assert.ok(isDue, `worker ${hands.key} is killed and does nothing that it should not`);
      hands.isDoomed = true;
    } else if (hands.isUp && hands.orphans.size > 0) hands.isDoomed = true;
    hands.isEnding = true;
  }

  // ── What it comes to ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Compares the scheduler with the ledger, once it has nothing more to say. */
  check(now: number): void {
    const scheduler = this.#scheduler;
    let running = 0;
    for (const hands of this.hands.values()) running += this.#checkHands(now, hands);
    assert.equal(scheduler.live, this.live.size, "live");
    assert.equal(scheduler.running, running, "running");
    assert.equal(scheduler.queued, this.live.size - running, "queued");
    assert.equal(scheduler.workerCount, this.hands.size, "workers");
    for (const task of this.live) {
      assert.notEqual(task.place, "judged", `nobody said what becomes of task ${task.id}`);
      assert.equal(task.told, task.starts, `starts of task ${task.id} that were told`);
      const { deadlineMs, timeoutMs } = task.profile;
      if (deadlineMs > 0) assert.ok(now < task.bornAt + deadlineMs, `task ${task.id} lives past its deadline`);
      const { sending } = task;
      if (timeoutMs > 0 && sending !== undefined && sending.startedAt >= 0 && !sending.hands.stalled.has(sending)) {
        assert.ok(now < sending.clockFrom + timeoutMs, `task ${task.id} runs past its timeout`);
      }
    }
    assert.ok(scheduler.nextWakeup() > now, "it wants to be woken at once, and would spin");
  }

  #checkHands(now: number, hands: Hands): number {
    const record = this.#scheduler.worker(hands.key);
    assert.ok(record !== undefined, `worker ${hands.key} is missing`);
    const { running } = hands;
    assert.equal(record.running, running, `running at worker ${hands.key}`);
    assert.equal(record.count, hands.order.length, `tasks at worker ${hands.key}`);
    assert.equal(record.stalled, hands.stalled.size, `stalled at worker ${hands.key}`);
    assert.equal(record.orphans, hands.orphans.size, `orphans at worker ${hands.key}`);
    assert.deepEqual([record.done, record.failed], [hands.done, hands.failed], `counts of worker ${hands.key}`);
    for (const { ticket, task } of hands.open.values()) assert.equal(record.slotOf(ticket), task.slot);
    hands.isStopping ||= record.phase === "stopping";
    this.#checkNoIdleHand(now, hands);
    return running + hands.stalled.size;
  }

  /** No hand is free while a task waits that it could take. */
  #checkNoIdleHand(now: number, hands: Hands): void {
    if (this.isPaused || hands.order.length >= hands.capacity || !hands.accepts(now)) return;
    let best: SimTask | undefined;
    let isCertain = false;
    for (const task of this.live) {
      if (task.place !== "queued" && task.place !== "delayed") continue;
      if (!hands.serves.has(task.profile.series) || now < task.dueFrom) continue;
      if (best !== undefined && this.isBefore(best, task)) continue;
      best = task;
      isCertain = this.isQueued(task, now);
    }
    if (best === undefined || !isCertain || (best.isAlone && !hands.isEmpty)) return;
    assert.fail(`worker ${hands.key} has a free hand while task ${best.id} waits`);
  }

  /** For certain. */
  isQueued(task: SimTask, now: number): boolean {
    return task.place === "queued" || (task.place === "delayed" && now >= task.dueBy);
  }

  isBefore(a: SimTask, b: SimTask): boolean {
    const [keyA, keyB] = [this.#keyOf(a), this.#keyOf(b)];
    return keyA < keyB || (keyA === keyB && a.seq < b.seq);
  }

  // ── Helpers ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #keyOf({ priority, agedFrom }: SimTask): number {
    const { agingMs } = this.#scenario.options;
    return agingMs > 0 ? priority + agedFrom / agingMs : priority;
  }

  /** Takes the answered task from its worker; undefined for a late, repeated or unknown answer. */
  #answered(now: number, hands: Hands, ticket: number, slot: number): SimTask | undefined {
    const sending = hands.open.get(ticket);
    assert.equal(
      slot,
      sending?.task.slot ?? -1,
      `the answer to ticket ${ticket} of worker ${hands.key} reached another task`,
    );
    if (sending === undefined) {
      hands.orphans.delete(ticket);
      hands.noticeEmpty();
      return undefined;
    }
    hands.unlink(sending);
    hands.open.delete(ticket);
    hands.promote(now);
    sending.task.sending = undefined;
    return sending.task;
  }

  /** The task does without its worker, which may still be at it. */
  #leave(sending: Sending, now: number): void {
    const { hands, ticket, task } = sending;
    const hadBegun = sending.startedAt >= 0;
    hands.unlink(sending);
    hands.open.delete(ticket);
    hands.orphans.set(ticket, { abortedAt: hadBegun ? now : undefined });
    task.sending = undefined;
  }

  /** True where that was the last try. */
  #charge(task: SimTask): boolean {
    task.charged++;
    return task.isOnce || task.charged > Math.max(0, task.profile.retries);
  }

  #isLossFinal(task: SimTask, wasAlone: boolean): boolean {
    if (!wasAlone) return false;
    task.losses++;
    const { retries } = task.profile;
    if (task.losses >= this.#scenario.options.poisonLimit) return true;
    return retries >= 0 ? task.charged + task.losses > retries : task.losses > LOSS_BUDGET;
  }

  #backedOff(task: SimTask, delayMs: number): number {
    const whole = Math.min(30_000, task.profile.retryDelayMs * 2 ** (task.charged - 1));
    assert.ok(delayMs >= whole / 2 && delayMs <= whole, `task ${task.id} waits ${delayMs} ms of ${whole}`);
    return delayMs;
  }

  #putBack(task: SimTask, now: number, delayMs: number): void {
    task.place = delayMs > 0 ? "delayed" : "queued";
    task.dueFrom = now + delayMs;
    task.dueBy = now + delayMs;
  }

  #settle(task: SimTask): void {
    assert.notEqual(task.place, "settled", `task ${task.id} settled twice`);
    assert.equal(task.told, task.starts, `starts of task ${task.id} that were told`);
    if (task.place === "pinned")
      for (const { pinned } of this.hands.values()) if (pinned.includes(task)) pinned.splice(pinned.indexOf(task), 1);
    task.place = "settled";
    this.#bySlot.delete(task.slot);
    this.live.delete(task);
  }
}

function isAt(now: number, instant: number): boolean {
  return Math.abs(now - instant) <= CLOSE * Math.max(1, now);
}
