// The lives of tasks: how one is queued, charged for its attempts, comes back from a worker, and ends.
import { backoff } from "./backoff.ts";
import type { SettleReason } from "./command.ts";
import type { CoreState } from "./core-state.ts";
import { AHEAD, ALONE, BOUND, DELAYED, FREE, ONCE, type Profile, QUEUED, RUNNING, STALLED } from "./task-table.ts";

/** Charged losses of a task that was given no `retries`. */
const LOSS_BUDGET = 2;

export class Tasks {
  readonly #core: CoreState;
  #seq = 0;
  #live = 0;
  /** Slots that `settle` commands name: of commands not taken yet, and of the last ones taken. */
  readonly #settled: number[] = [];
  readonly #read: number[] = [];

  constructor(core: CoreState) {
    this.#core = core;
  }

  /** Those that are not settled. */
  get live(): number {
    return this.#live;
  }

  /** A slot for a new task, which is in no queue yet. */
  allocate(now: number, priority: number, profile: Profile): number {
    const { table } = this.#core;
    const slot = table.allocate();
    table.seq[slot] = this.#seq++;
    table.priority[slot] = priority;
    table.addedAt[slot] = now;
    this.rank(slot);
    table.startedAt[slot] = 0;
    table.attempts[slot] = 0;
    table.charged[slot] = 0;
    table.losses[slot] = 0;
    table.flags[slot] = profile.atMostOnce ? ONCE : 0;
    table.profile[slot] = profile;
    if (profile.deadlineMs > 0) this.#core.deadlines.set(slot, now + profile.deadlineMs);
    this.#live++;
    return slot;
  }

  /** Behind all others of its priority, as if it had come now. */
  moveToEnd(slot: number, now: number): void {
    const { table } = this.#core;
    table.seq[slot] = this.#seq++;
    table.addedAt[slot] = now;
    this.rank(slot);
  }

  /** Its place in a queue follows from its priority, and from its age where tasks gain by that. It must be in none. */
  rank(slot: number): void {
    const { table, options } = this.#core;
    table.key[slot] = table.priority[slot]! + (options.agingMs > 0 ? table.addedAt[slot]! / options.agingMs : 0);
  }

  /** Charges the attempt and queues the next one; -1 where none is left. */
  charge(slot: number, now: number): number {
    const { table, options } = this.#core;
    const { retries, retryDelayMs } = table.profile[slot]!;
    const charged = table.charged[slot]! + 1;
    table.charged[slot] = charged;
    if ((table.flags[slot]! & ONCE) !== 0 || charged > Math.max(0, retries)) return -1;
    const delayMs = backoff(charged, retryDelayMs, options.random);
    this.again(slot, now, delayMs);
    return delayMs;
  }

  /** Its worker is gone, which may have been its fault. @param wasAlone nothing else can have been it */
  lost(now: number, slot: number, wasAlone: boolean, key: number, cause: unknown): void {
    const { table, options } = this.#core;
    const { retries } = table.profile[slot]!;
    if (wasAlone) {
      table.losses[slot] = table.losses[slot]! + 1;
      const charged = table.charged[slot]! + table.losses[slot]!;
      const isSpent = retries >= 0 ? charged > retries : table.losses[slot]! > LOSS_BUDGET;
      if (isSpent || table.losses[slot]! >= options.poisonLimit) {
        this.settle(slot, "lost", key, cause);
        return;
      }
    }
    if ((table.flags[slot]! & ONCE) !== 0) {
      this.settle(slot, "lost", key, cause);
      return;
    }
    table.flags[slot] = table.flags[slot]! | ALONE;
    this.again(slot, now, 0);
    this.#core.commands.push({ type: "retrying", slot, delayMs: 0, reason: "lost", cause });
  }

  /** Back to its place in the queue, uncharged. */
  comeBack(slot: number, hasBegun: boolean, now: number, cause: unknown, key: number): void {
    const { table } = this.#core;
    const flags = table.flags[slot]!;
    if ((hasBegun && (flags & ONCE) !== 0) || (flags & BOUND) !== 0) {
      this.settle(slot, "lost", key, cause);
      return;
    }
    // What was never begun was no attempt.
    if (!hasBegun) table.attempts[slot] = table.attempts[slot]! - 1;
    this.again(slot, now, 0);
  }

  /** It is queued after the delay. */
  again(slot: number, now: number, delayMs: number): void {
    if (delayMs <= 0) {
      this.#core.taskAlarms.remove(slot);
      this.enqueue(slot);
      return;
    }
    this.#core.table.state[slot] = DELAYED;
    this.#core.taskAlarms.set(slot, now + delayMs);
  }

  enqueue(slot: number): void {
    this.#core.table.state[slot] = QUEUED;
    this.#core.queues.push(slot);
  }

  /** It ends otherwise than by an answer: a command says how. Its slot stays until that has been read. */
  settle(slot: number, reason: SettleReason, worker: number, cause: unknown): void {
    this.#leave(slot);
    this.#core.table.state[slot] = FREE;
    this.#settled.push(slot);
    this.#core.commands.push({ type: "settle", slot, reason, worker, cause });
  }

  /** It has ended, and its slot is free. */
  release(slot: number): void {
    this.#leave(slot);
    this.#core.table.release(slot);
  }

  #leave(slot: number): void {
    const { table } = this.#core;
    const { timeoutMs, deadlineMs } = table.profile[slot]!;
    if (timeoutMs > 0 || table.state[slot] === DELAYED) this.#core.taskAlarms.remove(slot);
    if (deadlineMs > 0) this.#core.deadlines.remove(slot);
    this.#live--;
  }

  /** Takes a task out of whatever holds it. */
  forgetPlace(slot: number): void {
    const { table, queues, workers } = this.#core;
    const state = table.state[slot]!;
    if (state === QUEUED) queues.remove(slot);
    else if (state === AHEAD || state === RUNNING || state === STALLED) workers[table.worker[slot]!]!.orphan(slot);
  }

  /**
   * The commands are taken. What the ones before them settled has been read: now its slots may be used again, and not before, or a
   * command would mean another task.
   */
  commandsTaken(): void {
    if (this.#read.length > 0) for (const slot of this.#read.splice(0)) this.#core.table.release(slot);
    if (this.#settled.length > 0) for (const slot of this.#settled.splice(0)) this.#read.push(slot);
  }
}
