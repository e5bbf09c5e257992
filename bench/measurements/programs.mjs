// Programs: one an item, and programs that are workers.
import { expect, numbers, repeatFor, WARM_UP_MS } from "../load.mjs";

/** `true` for each line of input: milliseconds from the start of the command to its exit. */
export async function trueEach(open, { count }) {
  const { runTrue } = await open("");
  const start = performance.now();
  runTrue(count);
  return { wallMs: performance.now() - start };
}

/** Small tasks, lazily, results in order: tasks a second. */
export async function lazily(open, { count, warmUp }) {
  const { ownRate, imap } = await open("increment");
  if (ownRate !== undefined) return { perSecond: ownRate(count, warmUp) };
  const load = async (some) => {
    let last = 0;
    for await (const value of imap("increment", numbers(some))) last = value;
    expect(last === some, "increment");
  };
  await repeatFor(WARM_UP_MS, () => load(warmUp));
  const start = performance.now();
  await load(count);
  return { perSecond: (count / (performance.now() - start)) * 1000 };
}
