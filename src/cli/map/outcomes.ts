// Turns what the pool says of an item into what is written and counted. Happens as items settle, whatever order they are written in.
import type { Settled } from "../../index.ts";
import type { Item } from "../input/item.ts";
import { formatResult, type OutputFormat, type Result } from "../output/format.ts";
import type { Feed } from "./feed.ts";
import type { Written } from "./results.ts";
import type { Tally } from "./tally.ts";

export interface OutcomesPlan {
  readonly feed: Feed;
  readonly tally: Tally;
  readonly format: OutputFormat;
  /** Whether an item ended with this error only because the run did: it neither succeeded nor failed. */
  isCut(error: unknown): boolean;
  /** What an item is said to have failed with. */
  explain(error: unknown): unknown;
  onFailure(item: Item, error: unknown, result: Result): void;
}

export class Outcomes {
  readonly #plan: OutcomesPlan;
  readonly #settled: Map<number, Written> = new Map();

  constructor(plan: OutcomesPlan) {
    this.#plan = plan;
  }

  settled(record: Settled): void {
    const item = this.#plan.feed.get(record.index);
    if (!item || (!record.ok && this.#plan.isCut(record.error))) return;
    const { attempt, workerId, queuedMs, runMs } = record;
    const facts = { attempt, workerId, queuedMs, runMs };
    const result: Result = record.ok
      ? { ...facts, ok: true, value: record.value }
      : { ...facts, ok: false, error: this.#plan.explain(record.error) };
    this.#settled.set(record.index, this.#judge(item, result));
  }

  /** An item that never got to the pool. */
  unreadable(item: Item): Written {
    return this.#judge(item, {
      ok: false,
      error: item.problem,
      attempt: 0,
      workerId: undefined,
      queuedMs: 0,
      runMs: 0,
    });
  }

  /** What is to be written for the `index`-th item; undefined where it was not finished. */
  take(index: number): Written | undefined {
    const written = this.#settled.get(index);
    this.#settled.delete(index);
    return written;
  }

  #judge(item: Item, result: Result): Written {
    const { tally, format } = this.#plan;
    if (!result.ok) {
      tally.failed(item, result.error, result.runMs);
      this.#plan.onFailure(item, result.error, result);
      return { text: formatResult(format, item, result), isForAgain: true };
    }
    try {
      const text = formatResult(format, item, result);
      tally.succeeded(item, result.runMs);
      return { text, isForAgain: false };
    } catch (error) {
      // A value without a form, such as a cycle, is a failure of this item alone.
      return this.#judge(item, { ...result, ok: false, error });
    }
  }
}
