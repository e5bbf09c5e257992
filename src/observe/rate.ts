// How fast a run goes, over the last while. Bounded: it keeps a few marks, not every change.

/** What is known of a moment of the run. */
interface Mark {
  readonly at: number;
  readonly items: number;
  /** 0…1: how much of the whole is done. */
  readonly share: number;
}

/** Each per second. */
export interface Speed {
  readonly items: number;
  readonly share: number;
}

const SPAN_MS = 15_000;
const STEP_MS = 500;
/** Long items: looks back as far as so many of them take. */
const FEWEST_ITEMS = 20;

export class Rate {
  readonly #marks: [Mark, ...Mark[]];

  constructor(startedAt: number) {
    this.#marks = [{ at: startedAt, items: 0, share: 0 }];
  }

  /** The speed since about 15 s ago or 20 items ago, whichever is further back, or since the start. */
  at(now: number, items: number, share = 0): Speed {
    this.#remember({ at: now, items, share });
    const [since] = this.#marks;
    const seconds = (now - since.at) / 1000;
    return seconds > 0
      ? { items: (items - since.items) / seconds, share: (share - since.share) / seconds }
      : { items: 0, share: 0 };
  }

  #remember(mark: Mark): void {
    const marks = this.#marks;
    const last = marks.at(-1) ?? marks[0];
    if (mark.items > last.items && mark.at - last.at >= STEP_MS) marks.push(mark);
    for (let second = marks[1]; second !== undefined; second = marks[1]) {
      if (mark.at - second.at < SPAN_MS || mark.items - second.items < FEWEST_ITEMS) return;
      marks.shift();
    }
  }
}
