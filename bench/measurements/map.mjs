// A million trivial items through one call, or through what comes nearest to it.
import { expect, numbers, repeatFor, runInFlight, WARM_UP_MS, warmUp } from "../load.mjs";

/** manyhands: `pool.map`. Peers: one call an item, 64 in flight, stopped after `limitMs`. Items a second. */
export async function itemByItem(open, { count, limitMs }) {
  const { run, map } = await open("increment");
  if (map !== undefined) return await wholeMap(map, count);
  await repeatFor(WARM_UP_MS, () => warmUp(run, 1));
  const results = new Array(count);
  let next = 0;
  const start = performance.now();
  const lane = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await run(i);
      if (i % 64 === 0 && performance.now() - start >= limitMs) return;
    }
  };
  await Promise.all(Array.from({ length: 64 }, lane));
  expect(results[next - 1] === next, "increment");
  return { perSecond: (next / (performance.now() - start)) * 1000 };
}

/** manyhands: `pool.map`. Peers: `chunk` items a call, cut by hand, the results put together by hand. Items a second. */
export async function chunkedByHand(open, { count, chunk, depth }) {
  const { run, map } = await open("incrementAll");
  if (map !== undefined) return await wholeMap(map, count);
  await repeatFor(WARM_UP_MS, () => warmUp(run, numbers(chunk), { tasks: 50, depth }));
  const inputs = numbers(count);
  const start = performance.now();
  const chunks = [];
  for (let i = 0; i < count; i += chunk) chunks.push(inputs.slice(i, i + chunk));
  const answers = await runInFlight(run, depth, chunks);
  const results = new Array(count);
  let at = 0;
  for (const answer of answers) for (let i = 0; i < answer.length; i++) results[at++] = answer[i];
  const wallMs = performance.now() - start;
  expect(results.length === count && results[count - 1] === count, "incrementAll");
  return { perSecond: (count / wallMs) * 1000 };
}

async function wholeMap(map, count) {
  await repeatFor(WARM_UP_MS, () => map("increment", numbers(50_000)));
  const inputs = numbers(count);
  const start = performance.now();
  const results = await map("increment", inputs);
  const wallMs = performance.now() - start;
  expect(results.length === count && results[count - 1] === count, "increment");
  return { perSecond: (count / wallMs) * 1000 };
}
