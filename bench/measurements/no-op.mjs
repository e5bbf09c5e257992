// Tasks that do nothing: what is left is what the pool itself costs.
import { expect, measureRate, numbers, repeatFor, runAtOnce, WARM_UP_MS, warmUp } from "../load.mjs";

/** Everything submitted in one go: tasks a second, and the most memory the process ever had. */
export async function atOnce(open, { count }) {
  const { run } = await open("increment");
  await warmUp(run, 1);
  await repeatFor(WARM_UP_MS, () => runAtOnce(run, numbers(10_000)));
  const inputs = numbers(count);
  const start = performance.now();
  const results = await runAtOnce(run, inputs);
  const wallMs = performance.now() - start;
  expect(results.length === count && results[count - 1] === count, "increment");
  return { perSecond: (count / wallMs) * 1000, peakMb: process.resourceUsage().maxRSS / 1024 };
}

/** A fixed number in flight: tasks a second. */
export async function inFlight(open, { depth, ms }) {
  const { run } = await open("increment");
  await warmUp(run, 1, { tasks: 6000, depth });
  return { perSecond: await measureRate(run, depth, numbers(4096), ms) };
}

/** One at a time: microseconds from the call to its result. */
export async function oneAtATime(open, { ms }) {
  const { run } = await open("increment");
  await warmUp(run, 1);
  await warmUp(run, 1, { tasks: 500, depth: 1 });
  return { roundTripUs: 1_000_000 / (await measureRate(run, 1, numbers(4096), ms)) };
}

/** Memory of the process when `count` tasks are queued, before any has been answered. */
export async function queuedMemory(open, { count }) {
  const { run } = await open("increment");
  await warmUp(run, 1);
  globalThis.gc();
  const promises = new Array(count);
  for (let i = 0; i < count; i++) promises[i] = run(i);
  return { rssMb: process.memoryUsage.rss() / 2 ** 20, queued: promises.length };
}

/** What it costs to queue one task, when there are very many. */
export async function submit(open, { count }) {
  const { run } = await open("increment");
  await warmUp(run, 1);
  const promises = new Array(count);
  globalThis.gc();
  const before = usedBytes();
  const start = performance.now();
  for (let i = 0; i < count; i++) promises[i] = run(i);
  const wallMs = performance.now() - start;
  globalThis.gc();
  return { submitUs: (wallMs / count) * 1000, bytesATask: (usedBytes() - before) / promises.length };
}

function usedBytes() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
