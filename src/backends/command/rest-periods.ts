// How long a worker that says it is busy is left alone: about as long as it asks, longer each time in a row, jittered.

const MIN_MS = 10;
const MAX_MS = 1_000_000;
const GROWTH = 1.5;

export class RestPeriods {
  /** Times in a row that it was busy. */
  inARow = 0;

  /** It is busy again, and asked for so long. Answers for how long it is left alone, in milliseconds. */
  next(askedMs: number): number {
    const grown = Math.max(MIN_MS, askedMs) * GROWTH ** this.inARow++;
    return Math.min(MAX_MS, Math.max(MIN_MS, grown * (0.75 + Math.random() / 2)));
  }

  /** It took a task. */
  over(): void {
    this.inARow = 0;
  }
}
