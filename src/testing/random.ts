// Random numbers that can be had again: the same seed gives the same row.

/** The seed of this run: MANYHANDS_SEED, or a new one. Put it into the test's name. */
export function seed(): number {
  const given = process.env["MANYHANDS_SEED"];
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

export interface Random {
  /** At least 0 and below 1. */
  next(): number;
  /** A whole number of at least 0 and below `bound`. */
  below(bound: number): number;
  /** True with the given chance. */
  chance(probability: number): boolean;
}

/** mulberry32: 32 bits of state, good enough to choose test cases. */
export function random(from: number): Random {
  let state = from >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (bound) => Math.floor(next() * bound),
    chance: (probability) => next() < probability,
  };
}
