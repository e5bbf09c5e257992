// How fast a count rises, over the last while. Bounded: it keeps a few marks, not every change.

const SPAN_MS = 15_000;
const STEP_MS = 500;

export class Rate {
  readonly #marks: { readonly at: number; readonly count: number }[] = [];

  /** Per second, between now and about 15 s ago, or the start if that is later; 0 before anything has risen. */
  at(now: number, count: number, startedAt: number): number {
    if (now - (this.#marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= STEP_MS) this.#marks.push({ at: now, count });
    // The oldest mark that stays is the last one beyond the span, so that the span is always covered.
    while ((this.#marks[1]?.at ?? Number.POSITIVE_INFINITY) <= now - SPAN_MS) this.#marks.shift();
    const oldest = this.#marks[0];
    const isFresh = oldest === undefined || oldest.at > now - SPAN_MS;
    const since = isFresh ? startedAt : oldest.at;
    const before = isFresh ? 0 : oldest.count;
    return now > since ? ((count - before) / (now - since)) * 1000 : 0;
  }
}
