// Tasks whose values weigh something.
import { kilobyteRecords, smallRecords } from "../inputs.mjs";
import { expect, measureRate, repeatFor, WARM_UP_MS, warmUp } from "../load.mjs";
import { median } from "../stats.mjs";

/** `{ id, name, ok }` in and out, 64 in flight: tasks a second. */
export async function smallObjects(open, { ms }) {
  const { run } = await open("flip");
  const inputs = smallRecords(8192);
  const first = await run(inputs[0]);
  expect(first.id === 1 && first.name === "item 0" && first.ok === false, "flip");
  await warmUp(run, inputs[0]);
  return { perSecond: await measureRate(run, 64, inputs, ms) };
}

/** Objects of about 1 KB in and out, 64 in flight: tasks a second. */
export async function kilobyteObjects(open, { ms }) {
  const { run } = await open("revise");
  const inputs = kilobyteRecords(8192);
  const first = await run(inputs[0]);
  expect(first.id === 1 && first.lines[3].count === 4, "revise");
  await warmUp(run, inputs[0], { tasks: 2000 });
  return { perSecond: await measureRate(run, 64, inputs, ms) };
}

/** Bytes there and back, copied both ways: milliseconds. */
export async function clonedBytes(open, { length, count }) {
  const { run } = await open("echo");
  const isRight = (back, size) => back.byteLength === size && back[size - 1] === 7;
  return { ms: await medianCallMs(count, length, run, isRight) };
}

/** Bytes moved there, their number sent back: milliseconds. */
export async function movedBytes(open, { length, count }) {
  const { runMoved } = await open("byteLength");
  const isRight = (seen, size, sent) => seen === size && sent.byteLength === 0;
  return { ms: await medianCallMs(count, length, runMoved, isRight) };
}

/** Large enough to take the way of large values, and small enough for the thousands of calls that compile it. */
const WARM_UP_BYTES = 64 * 1024;

async function medianCallMs(count, length, run, isRight) {
  const callMs = async (bytes) => {
    const size = bytes.byteLength;
    const start = performance.now();
    const result = await run(bytes);
    const ms = performance.now() - start;
    expect(isRight(result, size, bytes), "bytes");
    return ms;
  };
  const fresh = (size) => new Uint8Array(size).fill(7);
  await repeatFor(WARM_UP_MS, () => callMs(fresh(WARM_UP_BYTES)));
  const times = [];
  for (let i = 0; i < count + 5; i++) times.push(await callMs(fresh(length)));
  return median(times.slice(5));
}
