// A worker that works in virtual time: takes tasks in order, `concurrency` at once, claims each before it begins it, gathers its
// answers, and may hang, die, or answer twice.
import { CLAIM_BYTES, Claims } from "../../../src/protocol/claims.ts";
import type { Random } from "../../../src/testing/random.ts";
import type { Sending } from "./ledger.ts";
import { durationOf, type Ground, pickWeighted, type Scenario } from "./scenario.ts";

export type Answer =
  | { readonly type: "completed"; readonly ticket: number; readonly ms: number }
  | { readonly type: "failed"; readonly ticket: number; readonly ms: number; readonly failure: "thrown" | "permanent" }
  | {
      readonly type: "deferred";
      readonly ticket: number;
      readonly priority: number | undefined;
      readonly delayMs: number;
    }
  | { readonly type: "refused"; readonly ticket: number; readonly retryAfterMs: number }
  | { readonly type: "progressed"; readonly ticket: number; readonly items: number; readonly ms: number }
  | { readonly type: "stalled"; readonly ticket: number };

/** What the worker's surroundings do for it. */
export interface Surroundings {
  readonly scenario: Scenario;
  readonly dice: Random;
  /** From now on everything that is begun or hangs ends well. */
  readonly isCalm: boolean;
  now(): number;
  at(instant: number, act: () => void): void;
  begun(sending: Sending): void;
  arrived(worker: SimWorker, answers: readonly Answer[]): void;
  died(worker: SimWorker): void;
}

interface Run {
  readonly sending: Sending;
  readonly beganAt: number;
  isStalled: boolean;
  isHanging: boolean;
}

export class SimWorker {
  readonly key: number;
  readonly ground: Ground;
  readonly claims: Claims = new Claims(new SharedArrayBuffer(CLAIM_BYTES));
  isDead = false;
  readonly #waiting: Sending[] = [];
  readonly #runs = new Map<number, Run>();
  #active = 0;
  #outbox: Answer[] = [];
  #lastArrivalAt = 0;
  #lastDeliveryAt = 0;
  #isDraining = false;
  readonly #around: Surroundings;

  constructor(key: number, ground: Ground, around: Surroundings) {
    this.key = key;
    this.ground = ground;
    this.#around = around;
  }

  // ── What the pool tells it ─────────────────────────────────────────────────────────────────────────────────────────────

  send(sendings: readonly Sending[]): void {
    this.#receive(() => {
      this.#waiting.push(...sendings);
      this.#work();
    });
  }

  abort(ticket: number): void {
    this.#receive(() => {
      const run = this.#runs.get(ticket);
      if (run === undefined || this.#around.dice.chance(0.4)) return;
      this.#after(() => this.#end(run, { failure: "thrown" }));
    });
  }

  /** The reader wants more. */
  credit(ticket: number): void {
    this.#receive(() => {
      const run = this.#runs.get(ticket);
      if (run === undefined || !run.isStalled) return;
      run.isStalled = false;
      this.#active++;
      this.#after(() => this.#end(run, "completed"));
    });
  }

  drain(): void {
    this.#receive(() => {
      this.#isDraining = true;
      this.#leaveIfDrained();
    });
  }

  kill(): void {
    if (!this.#around.isCalm && this.#around.dice.chance(this.ground.ignoresKill)) return;
    this.#around.at(this.#around.now() + this.#latency(), () => this.die());
  }

  /** Taken back by shared memory, so also while it is dead, and while it loops. */
  recall(tickets: readonly number[]): number[] {
    return tickets.filter((ticket) => this.claims.recall(ticket));
  }

  die(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#arrive(() => this.#around.died(this));
  }

  /** What hangs comes to an end. */
  calm(): void {
    for (const run of this.#runs.values()) if (run.isHanging) this.#after(() => this.#end(run, { failure: "thrown" }));
  }

  // ── What it does ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #work(): void {
    while (this.#active < this.ground.concurrency && this.#waiting.length > 0) {
      const sending = this.#waiting.shift()!;
      if (!this.claims.claim(sending.ticket)) continue;
      if (sending.task.profile.timeoutMs > 0) this.#flush();
      this.#begin(sending);
    }
    this.#leaveIfDrained();
  }

  #begin(sending: Sending): void {
    const { scenario, dice, isCalm } = this.#around;
    const run: Run = { sending, beganAt: this.#around.now(), isStalled: false, isHanging: false };
    this.#around.begun(sending);
    this.#runs.set(sending.ticket, run);
    this.#active++;
    const weather = isCalm ? "complete" : pickWeighted(dice, scenario.weather);
    switch (weather) {
      case "hang":
        run.isHanging = true;
        break;
      case "die":
        this.#after(() => this.die());
        break;
      case "stall":
        this.#after(() => this.#stall(run));
        break;
      case "complete":
        if (sending.task.profile.isChunk) this.#answerItems(run, 1 + dice.below(3));
        else this.#after(() => this.#end(run, "completed"));
        break;
      case "throw":
        this.#after(() => this.#end(run, { failure: "thrown" }));
        break;
      case "permanent":
        this.#after(() => this.#end(run, { failure: "permanent" }));
        break;
      case "defer":
      case "refuse":
        this.#after(() => this.#end(run, weather));
        break;
      default:
        weather satisfies never;
    }
  }

  #answerItems(run: Run, left: number): void {
    const { ticket } = run.sending;
    this.#after(() => {
      if (this.#runs.get(ticket) !== run) return;
      if (left === 0) {
        this.#end(run, "completed");
        return;
      }
      this.#post({ type: "progressed", ticket, items: 1 + (left % 3), ms: this.#around.now() - run.beganAt });
      this.#answerItems(run, left - 1);
    });
  }

  #stall(run: Run): void {
    if (this.#runs.get(run.sending.ticket) !== run) return;
    run.isStalled = true;
    this.#active--;
    this.#post({ type: "stalled", ticket: run.sending.ticket });
    this.#work();
  }

  #end(run: Run, how: "completed" | "defer" | "refuse" | { readonly failure: "thrown" | "permanent" }): void {
    const { ticket, task } = run.sending;
    if (this.isDead || this.#runs.get(ticket) !== run) return;
    this.#runs.delete(ticket);
    if (!run.isStalled) this.#active--;
    const { dice, scenario } = this.#around;
    const ms = this.#around.now() - run.beganAt;
    if (how === "completed") this.#post({ type: "completed", ticket, ms });
    else if (typeof how === "object") this.#post({ type: "failed", ticket, ms, failure: how.failure });
    else if (task.isOnce) this.#post({ type: "failed", ticket, ms, failure: "permanent" });
    else if (how === "defer") {
      const priority = dice.chance(0.5) ? undefined : dice.below(5) - 2;
      this.#post({ type: "deferred", ticket, priority, delayMs: dice.chance(0.5) ? 0 : durationOf(scenario, dice) });
    } else this.#post({ type: "refused", ticket, retryAfterMs: dice.chance(0.2) ? 0 : durationOf(scenario, dice) });
    this.#work();
  }

  #leaveIfDrained(): void {
    if (!this.#isDraining || this.#runs.size > 0 || this.#waiting.length > 0) return;
    this.#flush();
    const { isCalm, dice } = this.#around;
    if (!isCalm && dice.chance(this.ground.ignoresStop)) return;
    this.#around.at(this.#around.now() + this.ground.startMs * dice.next(), () => this.die());
  }

  // ── Its messages ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #post(answer: Answer): void {
    this.#outbox.push(answer);
    if (this.#outbox.length === 1) this.#around.at(this.#around.now() + this.ground.gatherMs, () => this.#flush());
  }

  #flush(): void {
    if (this.#outbox.length === 0 || this.isDead) return;
    // In a message the events stand before the results.
    const events = this.#outbox.filter(({ type }) => type !== "completed");
    const answers = [...events, ...this.#outbox.filter(({ type }) => type === "completed")];
    this.#outbox = [];
    this.#arrive(() => this.#around.arrived(this, answers));
    const { dice, scenario } = this.#around;
    if (dice.chance(scenario.answersTwice)) {
      this.#around.at(this.#lastArrivalAt + durationOf(scenario, dice), () => {
        this.#around.arrived(this, answers.filter(isFinal));
      });
    }
  }

  #after(act: () => void): void {
    const { scenario, dice } = this.#around;
    this.#around.at(this.#around.now() + durationOf(scenario, dice), () => {
      if (!this.isDead) act();
    });
  }

  /** In the order of sending. */
  #receive(act: () => void): void {
    this.#lastDeliveryAt = Math.max(this.#lastDeliveryAt, this.#around.now() + this.#latency());
    this.#around.at(this.#lastDeliveryAt, () => {
      if (!this.isDead) act();
    });
  }

  #arrive(act: () => void): void {
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, this.#around.now() + this.#latency());
    this.#around.at(this.#lastArrivalAt, act);
  }

  #latency(): number {
    return this.ground.latencyMs * this.#around.dice.next();
  }
}

/** A second progress or stall is no answer that the pool could tell by its ticket. */
function isFinal({ type }: Answer): boolean {
  return type !== "progressed" && type !== "stalled";
}
