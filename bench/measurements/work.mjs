// Tasks that do real work.
import { expect, repeatFor, runAtOnce, runInFlight, WARM_UP_MS, warmUp } from "../load.mjs";
import { median, quantile, randomFrom } from "../stats.mjs";
import { mix } from "../tasks.mjs";

/** Equal tasks of about 100 µs: the wall time of all of them. */
export async function even(open, { count, rounds, depth }) {
  const entrant = await open("mix");
  const inputs = new Array(count).fill(rounds);
  if (entrant.runShares !== undefined) return { wallMs: await sharesMs(entrant.runShares, count, rounds) };
  const load = (some) => (depth === undefined ? runAtOnce(entrant.run, some) : runInFlight(entrant.run, depth, some));
  await repeatFor(WARM_UP_MS, () => load(inputs.slice(0, 2000)));
  const start = performance.now();
  const results = await load(inputs);
  const wallMs = performance.now() - start;
  expect(results.at(-1) === mix(rounds), "mix");
  return { wallMs };
}

async function sharesMs(runShares, count, rounds) {
  await repeatFor(WARM_UP_MS, () => runShares(400, 10_000));
  const start = performance.now();
  await runShares(count, rounds);
  return performance.now() - start;
}

/** Few long tasks among many that do nothing, all at once: the wall time, and when the median short one was done. */
export async function mixed(open, { count, longEach, longRounds }) {
  const { run, runShares } = await open("mix");
  if (runShares !== undefined) return { wallMs: await sharesMs(runShares, count / longEach, longRounds) };
  const random = randomFrom(42);
  const isLong = new Array(count).fill(false);
  for (let left = count / longEach; left > 0; ) {
    const i = Math.floor(random() * count);
    if (isLong[i]) continue;
    isLong[i] = true;
    left--;
  }
  // Nothing is learned from the long ones beforehand: the workers are warmed up with short ones.
  await repeatFor(WARM_UP_MS, () => runAtOnce(run, new Array(count).fill(0)));
  const doneAt = [];
  const start = performance.now();
  await Promise.all(
    isLong.map(async (long) => {
      await run(long ? longRounds : 0);
      if (!long) doneAt.push(performance.now() - start);
    }),
  );
  return { wallMs: performance.now() - start, shortMedianMs: median(doneAt) };
}

/** One long task in the middle of short ones, two workers: how much of the long one's time the last short one took. */
export async function longBesideShort(open, { count, longRounds }) {
  const { run } = await open("mix");
  await warmUp(run, 0);
  let longMs = 0;
  let lastShortMs = 0;
  const inputs = new Array(count).fill(0);
  inputs[count >> 2] = longRounds;
  const start = performance.now();
  await Promise.all(
    inputs.map(async (rounds) => {
      await run(rounds);
      if (rounds === 0) lastShortMs = performance.now() - start;
      else longMs = performance.now() - start;
    }),
  );
  return { share: lastShortMs / longMs, longMs, lastShortMs };
}

/**
 * Callers that each keep one short task in flight on one worker. A wait is counted in time, and in turns: how many
 * tasks of others were done between a task's call and its result.
 */
export async function fairness(open, { callers, rounds, ms }) {
  const { run } = await open("mix");
  await warmUp(run, rounds, { tasks: 400, depth: callers });
  const waits = [];
  let turns = 0;
  let mostTurns = 0;
  const start = performance.now();
  const caller = async () => {
    for (;;) {
      const calledAt = performance.now();
      if (calledAt - start >= ms) return;
      const turn = turns;
      await run(rounds);
      waits.push(performance.now() - calledAt);
      mostTurns = Math.max(mostTurns, turns - turn);
      turns++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const meanMs = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
  const maxMs = waits.reduce((most, wait) => Math.max(most, wait), 0);
  return {
    turnsFactor: mostTurns / callers,
    maxFactor: maxMs / meanMs,
    p999Factor: quantile(waits, 0.999) / meanMs,
    meanMs,
    maxMs,
  };
}
