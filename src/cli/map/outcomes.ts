// Turns what the pool says of an item into what is written and counted. Happens as items settle, whatever order they are written in.
import type { Settled } from "../../index.ts";
import type { Item } from "../input/item.ts";
import type { Formatted, Result } from "../output/format.ts";
import type { Feed } from "./feed.ts";
import type { Written } from "./results.ts";
import type { Tally } from "./tally.ts";

export interface OutcomesPlan {
  readonly feed: Feed;
  readonly tally: Tally;
  /** What is written for an item. Throws where its value has no form. */
  format(item: Item, result: Result): Formatted | undefined | Promise<Formatted | undefined>;
  /** An item that went to the pool has its end. */
  onSettled(item: Item, result: Result): void;
  /** Whether an item ended with this error only because the run did: it neither succeeded nor failed. */
  isCut(error: unknown): boolean;
  /** What an item is said to have failed with. */
  explain(error: unknown): unknown;
  onFailure(item: Item, error: unknown): void;
}

export class Outcomes {
  readonly #plan: OutcomesPlan;

  constructor(plan: OutcomesPlan) {
    this.#plan = plan;
  }

  settled(record: Settled): void {
    const { feed } = this.#plan;
    const way = feed.get(record.index);
    if (!way) return;
    if (record.ok) {
      way.written = this.#succeeded(way.item, record);
    } else if (!this.#plan.isCut(record.error)) {
      way.written = this.#failed(way.item, { ...record, error: this.#plan.explain(record.error) });
    }
  }

  /** An item that never got to the pool. */
  unreadable(item: Item): Written {
    const nothing = { attempt: 0, workerId: undefined, queuedMs: 0, runMs: 0 };
    return this.#failed(item, { ...nothing, ok: false, error: item.problem });
  }

  #succeeded(item: Item, result: Result): Written {
    try {
      const text = this.#plan.format(item, result);
      this.#plan.onSettled(item, result);
      this.#plan.tally.succeeded(item, result.runMs);
      return { text, isForAgain: false };
    } catch (error) {
      // A value without a form, such as a cycle, is a failure of this item alone.
      return this.#failed(item, { ...result, ok: false, error });
    }
  }

  #failed(item: Item, result: Result): Written {
    // What was not sent anywhere has no run to tell of.
    if (result.attempt > 0) this.#plan.onSettled(item, result);
    this.#plan.tally.failed(item, result.error, result.runMs);
    this.#plan.onFailure(item, result.error);
    return { text: this.#plan.format(item, result), isForAgain: true };
  }
}
