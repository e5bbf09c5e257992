// Runs whose items have their end already: they took too long, and are told of when their programs have ended.
import type { Ended } from "../../backends/command/programs/index.ts";
import type { TaskId } from "../../index.ts";

/** A program is killed long before. */
const LONGEST_MS = 10_000;

export class LateRuns {
  readonly #waiting = new Map<TaskId, (ended: Ended | undefined) => void>();

  /** Resolves when the program has ended that ran for the task; to undefined where that is not known. */
  of(id: TaskId): Promise<Ended | undefined> {
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.told(id, undefined), LONGEST_MS);
      this.#waiting.set(id, (ended) => {
        clearTimeout(limit);
        this.#waiting.delete(id);
        resolve(ended);
      });
    });
  }

  /** What became of it. */
  readonly told = (id: TaskId, ended: Ended | undefined): void => {
    const resolve = this.#waiting.get(id);
    // It is tried again: what this attempt wrote is of no use.
    if (resolve === undefined) ended?.stdout.close();
    else resolve(ended);
  };
}
