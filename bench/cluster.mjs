// Trivial requests a second over ZeroMQ, each end a process, beside the usual way with plain sockets: a ROUTER and a DEALER with one
// message a request, 1,000 outstanding. Ours are ventilator, worker and sink; a pool whose `run` has 1,000 outstanding; and its `map`.
// The pool's host has two workers, threads. Plain sockets and pools first do a quarter as many, so that compiled code is measured.
//
//   node bench/cluster.mjs [requests]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Dealer, Router } from "zeromq";
import { threads } from "../dist/backends/threads/index.js";
import { ClusterWorker, runZeromqWorker, Sink, Ventilator, zeromq } from "../dist/backends/zeromq/index.js";
import { Pool } from "../dist/index.js";

const self = fileURLToPath(import.meta.url);
const OUTSTANDING = 1_000;
const warmUp = (requests) => Math.ceil(requests / 4);
const parts = { ventilator, worker, sink, router, dealer, run: poolRun, map: poolMap, host };
const [part, count, ...urls] = process.argv.slice(2);
if (part in parts) await parts[part](Number(count), ...urls);
else await compare(Number(part ?? 2_000_000));

async function compare(requests) {
  const rounds = [];
  for (let round = 0; round < 3; round++) {
    rounds.push({
      "plain sockets": await run(["router", "dealer"], Math.ceil(requests / 10)),
      "three roles": await run(["sink", "worker", "ventilator"], requests),
      "pool, run": await run(["run", "host"], requests),
      "pool, map": await run(["map", "host"], requests * 2),
    });
  }
  for (const name of Object.keys(rounds[0])) {
    const ratio = (one) => one[name].perSecond / one["plain sockets"].perSecond;
    const median = rounds.toSorted((a, b) => ratio(a) - ratio(b))[1];
    console.log(`${name.padEnd(14)} ${show(median[name])}; ${ratio(median).toFixed(1)} × plain sockets`);
  }
}

function show({ perSecond, micros, grewMb }) {
  const each = Object.entries(micros).map(([name, one]) => `${name} ${one.toFixed(2)}`);
  const growth = grewMb === undefined ? "" : `; grew by ${grewMb.toFixed(0)} MB`;
  return `${Math.round(perSecond).toLocaleString("en").padStart(9)} a second; CPU in µs each: ${each.join(", ")}${growth}`;
}

/** Starts the parts as processes, and reads what they say of themselves. */
async function run(names, requests) {
  const addresses = await Promise.all([freeUrl(), freeUrl()]);
  const ends = await Promise.all(
    names.map(async (name) => {
      const child = spawn(process.execPath, [self, name, String(requests), ...addresses], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.on("data", (bytes) => (output += bytes));
      await once(child, "close");
      return [name, JSON.parse(output)];
    }),
  );
  const { perSecond, grewMb } = ends.map(([, end]) => end).find((end) => end.perSecond !== undefined);
  return { perSecond, grewMb, micros: Object.fromEntries(ends.map(([name, { micros }]) => [name, micros / requests])) };
}

function report(extra, before) {
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ micros: user + system, ...extra }));
}

async function ventilator(requests, url) {
  const one = new Ventilator({ requests: { url, bind: true } });
  await one.send(numbers(requests));
  await one.close();
  report();
}

function* numbers(requests) {
  for (let n = 0; n < requests; n++) yield n;
}

async function worker(_, requests, results) {
  const one = new ClusterWorker({ requests, results, handler: (n) => n + 1, timeoutMs: 500 });
  await one.run().catch(() => {});
  report();
}

async function sink(requests, _, url) {
  const one = new Sink({ results: { url, bind: true } });
  let startedAt;
  let sum = 0;
  for await (const n of one.receive({ count: requests })) {
    startedAt ??= performance.now();
    sum += n;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  if (sum !== (requests * (requests + 1)) / 2) throw new Error("wrong sum");
  await one.close();
  report({ perSecond: requests / seconds });
}

async function pool(requests, url, measure) {
  const one = new Pool(zeromq({ bind: url }));
  const first = await one.run("increment", 0);
  if (first !== 1) throw new Error("wrong value");
  await measure(one, warmUp(requests));
  const rss = process.memoryUsage.rss();
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const sum = await measure(one, requests);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(before);
  if (sum !== (requests * (requests + 1)) / 2) throw new Error("wrong sum");
  await one.close();
  console.log(
    JSON.stringify({
      micros: user + system,
      perSecond: requests / seconds,
      grewMb: (process.memoryUsage.rss() - rss) / 1e6,
    }),
  );
}

async function poolRun(requests, url) {
  await pool(requests, url, async (one, count) => {
    let next = 0;
    let sum = 0;
    const lane = async () => {
      while (next < count) {
        const n = await one.run("increment", next++);
        sum += n;
      }
    };
    await Promise.all(Array.from({ length: OUTSTANDING }, lane));
    return sum;
  });
}

async function poolMap(requests, url) {
  await pool(requests, url, async (one, count) => {
    let sum = 0;
    for await (const n of one.imap("increment", numbers(count))) sum += n;
    return sum;
  });
}

async function host(requests, url) {
  const backend = (concurrency) => threads(new URL("tasks.mjs", import.meta.url), { size: 0, concurrency });
  let wasThere = false;
  let before;
  const one = await runZeromqWorker({ connect: url, hands: 2, backend });
  // The pool's goodbye: its worker is ended, and nothing else will come.
  const timer = setInterval(() => {
    const { workers } = one.counts;
    if (workers > 0 && !wasThere) before = process.cpuUsage();
    if (workers > 0) wasThere = true;
    else if (wasThere) one.quit();
  }, 50);
  await one.done;
  clearInterval(timer);
  // Of all that it did, the share that was measured.
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ micros: ((user + system) * requests) / (requests + warmUp(requests)) }));
}

async function router(requests, url) {
  const socket = new Router({ mandatory: true, sendTimeout: 0, linger: 0, sendHighWaterMark: 0 });
  await socket.bind(url);
  const [peer] = await socket.receive();
  let sent = 0;
  const send = () => socket.send([peer, String(sent++)]);
  const measure = async (count) => {
    const last = sent + count;
    const first = sent + Math.min(OUTSTANDING, count);
    while (sent < first) await send();
    for (let got = 0; got < count; got++) {
      await socket.receive();
      if (sent < last) await send();
    }
  };
  await measure(warmUp(requests));
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await measure(requests);
  const seconds = (performance.now() - startedAt) / 1_000;
  await socket.send([peer, ""]);
  report({ perSecond: requests / seconds }, before);
  setTimeout(() => socket.close(), 100);
}

async function dealer(requests, url) {
  let before;
  let got = 0;
  const socket = new Dealer({ linger: 0, sendHighWaterMark: 0 });
  socket.connect(url);
  await socket.send("ready");
  for (;;) {
    const [message] = await socket.receive();
    if (message.length === 0) break;
    if (got++ === warmUp(requests)) before = process.cpuUsage();
    await socket.send(String(Number(message) + 1));
  }
  socket.close();
  report({}, before);
}

async function freeUrl() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return `tcp://127.0.0.1:${port}`;
}
