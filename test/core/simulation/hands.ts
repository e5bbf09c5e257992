// A worker as the ledger has it: what was sent to it, in which order, and whether it may be given more.

import type { Sending, SimTask } from "./ledger.ts";
import type { Ground } from "./scenario.ts";

export class Hands {
  readonly key: number;
  readonly backend: number;
  readonly ground: Ground;
  readonly serves: Set<number>;
  /** In the order in which they begin; the running ones first. */
  readonly order: Sending[] = [];
  readonly stalled = new Set<Sending>();
  /** Tickets of settled tasks that it may still be at, with the instant at which it was told, if it was. */
  readonly orphans = new Map<number, { abortedAt: number | undefined }>();
  readonly pinned: SimTask[] = [];
  /** Sendings without an answer, by ticket. */
  readonly open = new Map<number, Sending>();
  isUp = false;
  capacity = 1;
  /** It has a task that goes alone. */
  isExclusive = false;
  busyUntil = 0;
  /** It is to end when it is through with what it has, what is pinned to it included. */
  isStopping = false;
  /** Its end was ordered: nothing may be sent to it. */
  isEnding = false;
  isDoomed = false;
  done = 0;
  failed = 0;

  constructor(key: number, backend: number, ground: Ground) {
    this.key = key;
    this.backend = backend;
    this.ground = ground;
    this.serves = new Set([0, ...ground.spec.series]);
  }

  get running(): number {
    return this.order.filter(({ startedAt }) => startedAt >= 0).length;
  }

  get isEmpty(): boolean {
    return this.order.length === 0 && this.stalled.size === 0 && this.orphans.size === 0;
  }

  /** Whether a task may be given to it. */
  accepts(now: number): boolean {
    const { maxTasks } = this.ground.spec;
    return (
      this.isUp &&
      !this.isStopping &&
      !this.isEnding &&
      !this.isExclusive &&
      this.orphans.size === 0 &&
      this.pinned.length === 0 &&
      this.busyUntil <= now &&
      (maxTasks === 0 || this.done + this.failed + this.order.length < maxTasks)
    );
  }

  /** Those that it has begun by now: the first ones in order, as many as it has hands. */
  promote(now: number): void {
    let { running } = this;
    while (running < this.capacity && running < this.order.length) {
      const sending = this.order[running++]!;
      sending.startedAt = now;
      sending.clockFrom = now;
      sending.task.starts++;
    }
  }

  /** Takes the sending out of the order. Its ticket stays open. */
  unlink(sending: Sending): void {
    if (this.stalled.delete(sending)) return;
    this.order.splice(this.order.indexOf(sending), 1);
  }

  /** It has nothing left: what went alone is through. */
  noticeEmpty(): void {
    if (this.isEmpty) this.isExclusive = false;
  }
}
