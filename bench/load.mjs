// Ways to load a pool, the same for every entrant.
import { median } from "./stats.mjs";

/** Submits everything in one go and resolves when all have settled. */
export async function runAtOnce(run, inputs) {
  const promises = new Array(inputs.length);
  for (let i = 0; i < inputs.length; i++) promises[i] = run(inputs[i]);
  return await Promise.all(promises);
}

/** Keeps `depth` tasks in flight until `count` are done. */
export async function runInFlight(run, depth, inputs) {
  const results = new Array(inputs.length);
  let next = 0;
  const lane = async () => {
    while (next < inputs.length) {
      const i = next++;
      results[i] = await run(inputs[i]);
    }
  };
  await Promise.all(Array.from({ length: depth }, lane));
  return results;
}

/** Keeps `depth` tasks in flight for `ms`; inputs are taken in turn, for ever. Resolves to tasks done a second. */
export async function measureRate(run, depth, inputs, ms) {
  const sliceMs = ms / 5;
  const checkEach = depth > 1 ? 64 : 1;
  const rates = [];
  let next = 0;
  for (let slice = 0; slice < 5; slice++) {
    let done = 0;
    let isOver = false;
    const start = performance.now();
    const lane = async () => {
      while (!isOver) {
        await run(inputs[next++ % inputs.length]);
        if (++done % checkEach === 0 && performance.now() - start >= sliceMs) isOver = true;
      }
    };
    await Promise.all(Array.from({ length: depth }, lane));
    rates.push((done / (performance.now() - start)) * 1000);
  }
  return median(rates);
}

/** Brings every worker up and its code compiled, in the manner in which it will be measured. */
export async function warmUp(run, input, { tasks = 4000, depth = 64 } = {}) {
  await runInFlight(run, depth, new Array(tasks).fill(input));
}

/**
 * Repeats the load that will be measured until its code is compiled, the same time for every entrant: what is measured is
 * how fast it is, not how fast it gets fast.
 */
export async function repeatFor(ms, load) {
  const start = performance.now();
  do await load();
  while (performance.now() - start < ms);
}

/** How long a load is repeated before it is measured once. */
export const WARM_UP_MS = 700;

/** The numbers 0 to `count` − 1. */
export function numbers(count) {
  return Array.from({ length: count }, (_, i) => i);
}

/** A measurement of wrong results is none. */
export function expect(isRight, what) {
  if (!isRight) throw new Error(`Wrong result: ${what}`);
}
