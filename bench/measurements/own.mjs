// What only manyhands is asked: that memory stays flat and operations stay cheap at any length of the queue.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, warmUp } from "../load.mjs";
import { median, randomFrom } from "../stats.mjs";

/** Very many inputs through `imap`: how much memory the process and its heap gained after the first tenth. */
export async function lazyMapMemory(open, { count }) {
  const { pool, run } = await open("increment");
  await warmUp(run, 1);
  function* source() {
    for (let i = 0; i < count; i++) yield i;
  }
  let taken = 0;
  let sum = 0;
  let early;
  const start = performance.now();
  for await (const value of pool.imap("increment", source())) {
    sum += value;
    if (++taken === count / 10) early = memory();
  }
  const wallMs = performance.now() - start;
  const late = memory();
  expect(sum === (count * (count + 1)) / 2, "imap");
  return {
    rssGainMb: late.rssMb - early.rssMb,
    heapGainMb: late.heapMb - early.heapMb,
    perSecond: (count / wallMs) * 1000,
    rssMb: late.rssMb,
  };
}

function memory() {
  globalThis.gc();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssMb: rss / 2 ** 20, heapMb: heapUsed / 2 ** 20 };
}

/** Operations on a queue of `length` tasks, through the pool's own methods: nanoseconds each. */
export async function queueOperations(open, { length }) {
  const { pool, run } = await open("increment");
  await warmUp(run, 1);
  await passOfOperations(pool, 10_000);
  const passes = [];
  for (let left = Math.max(1, Math.min(50, 200_000 / length)); left > 0; left--) {
    globalThis.gc();
    passes.push(await passOfOperations(pool, length));
  }
  const of = (name) => median(passes.map((pass) => pass[name]));
  return { pushNs: of("pushNs"), setPriorityNs: of("setPriorityNs"), cancelNs: of("cancelNs"), drainNs: of("drainNs") };
}

async function passOfOperations(pool, length) {
  const random = randomFrom(7);
  const order = numbersShuffled(length, random);
  const priorities = Array.from({ length }, () => Math.floor(random() * 1000));
  const touched = Math.min(length / 2, 20_000);
  pool.pause();

  const tasks = new Array(length);
  const pushNs = each(length, (i) => {
    tasks[i] = pool.run("increment", i, { id: i, priority: priorities[i] });
  });
  for (const task of tasks) task.catch(() => {}); // cancelled ones reject
  const setPriorityNs = each(touched, (i) => pool.setPriority(order[i], priorities[i] + (i % 2 === 0 ? -500 : 500)));
  const cancelNs = each(touched, (i) => pool.cancel(order[length - 1 - i]));

  const start = performance.now();
  pool.resume();
  await pool.idle();
  const drainNs = ((performance.now() - start) * 1e6) / (length - touched);
  return { pushNs, setPriorityNs, cancelNs, drainNs };
}

function each(count, act) {
  const start = performance.now();
  for (let i = 0; i < count; i++) act(i);
  return ((performance.now() - start) * 1e6) / count;
}

function numbersShuffled(count, random) {
  const out = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** A program that only imports, from start to exit, less an empty program: milliseconds. */
export async function importTime(_open, { module, programs }) {
  const empty = [];
  const importing = [];
  const file = (name) => fileURLToPath(new URL(`../programs/${name}.mjs`, import.meta.url));
  for (let i = 0; i < programs; i++) {
    empty.push(programMs(file("empty")));
    importing.push(programMs(file(module)));
  }
  return { ms: median(importing) - median(empty), emptyMs: median(empty) };
}

function programMs(file) {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, [file], { stdio: "ignore" });
  expect(status === 0, file);
  return performance.now() - start;
}
