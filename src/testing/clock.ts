// Time that moves only when it is told to. For the core, which is given `now` and asks nobody.

export interface ManualClock {
  /** Milliseconds since the clock was made. */
  now(): number;
  /** Moves on by so many milliseconds. */
  advance(ms: number): void;
  /** Moves on to an instant; refuses to go back. */
  advanceTo(at: number): void;
}

/** A clock that stands still until it is moved. */
export function manualClock(startAt = 0): ManualClock {
  let at = startAt;
  return {
    now: () => at,
    advance(ms) {
      this.advanceTo(at + ms);
    },
    advanceTo(instant) {
      if (!(instant >= at)) throw new RangeError(`Cannot move the clock to ${instant}: it is ${at} already`);
      at = instant;
    },
  };
}
