// How long do customers wait? One task simulates one shop; a sweep over its parameters is a pile of them. See parameter-sweep.mjs.
//
//   manyhands map examples/queue-sim.mjs --in csv shops.csv --out record
import { PermanentError } from "manyhands/worker";

/**
 * Customers come at random, `arrivals` an hour; each of `tills` serves `served` an hour; the seed makes it repeatable.
 * @param {{ arrivals: number | string, served: number | string, tills: number | string, hours?: number | string, seed?: number | string }} shop
 * @returns {{ arrivals: number, served: number, tills: number, load: number, meanWaitMinutes: number, p95WaitMinutes: number }}
 */
export function simulate(shop) {
  const { arrivals, served, tills, hours, seed } = readNumbers({ hours: 2_000, seed: 1, ...shop });
  // Trying again cannot help: the queue would grow for ever.
  if (arrivals >= served * tills) throw new PermanentError(`${tills} tills cannot serve ${arrivals} customers an hour`);
  const random = randomFrom(seed);
  const waiting = (perHour) => -Math.log(1 - random()) / perHour;
  const freeAt = new Array(tills).fill(0);
  const waits = [];
  for (let now = waiting(arrivals); now < hours; now += waiting(arrivals)) {
    const till = freeAt.indexOf(Math.min(...freeAt));
    const begins = Math.max(now, freeAt[till]);
    freeAt[till] = begins + waiting(served);
    waits.push((begins - now) * 60);
  }
  waits.sort((a, b) => a - b);
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / Math.max(1, waits.length);
  return {
    arrivals,
    served,
    tills,
    load: rounded(arrivals / (served * tills)),
    meanWaitMinutes: rounded(mean),
    p95WaitMinutes: rounded(waits[Math.floor(waits.length * 0.95)] ?? 0),
  };
}

/** CSV has strings only. */
function readNumbers(shop) {
  return Object.fromEntries(
    Object.entries(shop).map(([name, value]) => {
      const number = Number(value);
      if (!(number > 0)) throw new PermanentError(`${name} must be a number above 0, not ${JSON.stringify(value)}`);
      return [name, number];
    }),
  );
}

/** The mulberry32 generator: the same numbers for the same seed, everywhere. */
function randomFrom(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function rounded(value) {
  return Math.round(value * 100) / 100;
}
