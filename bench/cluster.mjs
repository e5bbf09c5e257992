// Trivial requests a second through ventilator, worker and sink, each a process, beside the usual way with plain sockets: a ROUTER and a
// DEALER with one message a request, 1,000 outstanding.
//
//   node bench/cluster.mjs [requests]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Dealer, Router } from "zeromq";
import { ClusterWorker, Sink, Ventilator } from "../dist/backends/zeromq/index.js";

const self = fileURLToPath(import.meta.url);
const OUTSTANDING = 1_000;
const parts = { ventilator, worker, sink, router, dealer };
const [part, count, ...urls] = process.argv.slice(2);
if (part in parts) await parts[part](Number(count), ...urls);
else await compare(Number(part ?? 500_000));

async function compare(requests) {
  const rounds = [];
  for (let round = 0; round < 3; round++) {
    const plain = await run(["router", "dealer"], Math.ceil(requests / 10));
    const ours = await run(["sink", "worker", "ventilator"], requests);
    rounds.push({ plain, ours, ratio: ours.perSecond / plain.perSecond });
  }
  rounds.sort((a, b) => a.ratio - b.ratio);
  const { plain, ours, ratio } = rounds[1];
  console.log(`plain sockets  ${show(plain)}`);
  console.log(`manyhands      ${show(ours)}`);
  console.log(`ratio          ${ratio.toFixed(1)} (median of three rounds)`);
}

function show({ perSecond, micros }) {
  const each = Object.entries(micros).map(([name, one]) => `${name} ${one.toFixed(2)}`);
  return `${Math.round(perSecond).toLocaleString("en").padStart(9)} a second; CPU in µs each: ${each.join(", ")}`;
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
  const { perSecond } = ends.map(([, end]) => end).find((end) => end.perSecond !== undefined);
  return { perSecond, micros: Object.fromEntries(ends.map(([name, { micros }]) => [name, micros / requests])) };
}

function report(extra) {
  const { user, system } = process.cpuUsage();
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

async function router(requests, url) {
  const socket = new Router({ mandatory: true, sendTimeout: 0, linger: 0, sendHighWaterMark: 0 });
  await socket.bind(url);
  const [peer] = await socket.receive();
  const startedAt = performance.now();
  let sent = 0;
  const send = () => socket.send([peer, String(sent++)]);
  while (sent < Math.min(OUTSTANDING, requests)) await send();
  for (let got = 0; got < requests; got++) {
    await socket.receive();
    if (sent < requests) await send();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await socket.send([peer, ""]);
  report({ perSecond: requests / seconds });
  setTimeout(() => socket.close(), 100);
}

async function dealer(_, url) {
  const socket = new Dealer({ linger: 0, sendHighWaterMark: 0 });
  socket.connect(url);
  await socket.send("ready");
  for (;;) {
    const [message] = await socket.receive();
    if (message.length === 0) break;
    await socket.send(String(Number(message) + 1));
  }
  socket.close();
  report();
}

async function freeUrl() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return `tcp://127.0.0.1:${port}`;
}
