// Tasks whose values weigh something.
import { kilobyteRecords, smallRecords } from "../inputs.mjs";
import { expect, measureRate, warmUp } from "../load.mjs";
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
  const bytes = new Uint8Array(length).fill(7);
  return {
    ms: await medianCallMs(
      count,
      () => bytes,
      run,
      (back) => back.byteLength === length && back[length - 1] === 7,
    ),
  };
}

/** Bytes moved there, their number sent back: milliseconds. */
export async function movedBytes(open, { length, count }) {
  const { runMoved } = await open("byteLength");
  let last;
  const fresh = () => {
    last = new Uint8Array(length).fill(7);
    return last;
  };
  return { ms: await medianCallMs(count, fresh, runMoved, (seen) => seen === length && last.byteLength === 0) };
}

async function medianCallMs(count, prepare, run, isRight) {
  const times = [];
  for (let i = 0; i < count + 5; i++) {
    const bytes = prepare();
    const start = performance.now();
    const result = await run(bytes);
    if (i >= 5) times.push(performance.now() - start);
    expect(isRight(result), "bytes");
  }
  return median(times);
}
