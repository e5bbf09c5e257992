// `--timeout 200%`: ends what runs much longer than the median of what has succeeded. The pool knows fixed limits only.
import { Histogram } from "../../core/histogram.ts";
import { type Pool, TaskTimeoutError } from "../../index.ts";

/** Fewer say nothing about the rest. */
const FEWEST_SAMPLES = 3;
const CHECK_MS = 50;

export class SlowItems {
  readonly #percent: number;
  readonly #runTimes = new Histogram();
  readonly #startedAt = new Map<string | number, number>();
  readonly #removers: (() => void)[] = [];
  #checking: NodeJS.Timeout | undefined;

  constructor(percent: number) {
    this.#percent = percent;
  }

  watch(pool: Pool): void {
    this.#removers.push(
      pool.on("taskStarted", ({ id }) => void this.#startedAt.set(id, performance.now())),
      pool.on("taskRetried", ({ id }) => void this.#startedAt.delete(id)),
      pool.on("taskSettled", ({ id, outcome, runMs }) => {
        this.#startedAt.delete(id);
        if (outcome === "completed") this.#runTimes.record(runMs);
      }),
    );
    this.#checking = setInterval(() => this.#check(pool), CHECK_MS);
  }

  end(): void {
    clearInterval(this.#checking);
    for (const remove of this.#removers) remove();
  }

  /** The error of an item that was ended here; undefined for any other. */
  explain(error: unknown): TaskTimeoutError | undefined {
    const { cause } = Object(error) as { cause?: unknown };
    return cause instanceof TaskTimeoutError ? cause : undefined;
  }

  #check(pool: Pool): void {
    if (this.#runTimes.count < FEWEST_SAMPLES) return;
    const limitMs = (this.#runTimes.quantile(0.5) * this.#percent) / 100;
    const now = performance.now();
    for (const [taskId, startedAt] of this.#startedAt) {
      if (now - startedAt <= limitMs) continue;
      this.#startedAt.delete(taskId);
      const message = `Task took longer than ${this.#percent}% of the median, ${Math.ceil(limitMs)} ms`;
      try {
        pool.cancel(taskId, new TaskTimeoutError(message, { taskId, timeoutMs: limitMs }));
      } catch {
        // It ended meanwhile.
      }
    }
  }
}
