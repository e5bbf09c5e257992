// Small tasks a second through a pool over Gearman, beside libgearman's own client and worker in C, and two clients for Node: a server, a
// client and a worker each time, each a process, 1,000 tasks outstanding. Then the memory of all three over a million inputs.
//
//   node bench/gearman.mjs [tasks]
//
// Needs gearmand, gcc and libgearman (on Debian: gearman-job-server, gcc and libgearman-dev), and the peers of bench/package.json.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GearmanAdmin, GearmanClient, gearman, runGearmanWorker } from "../dist/backends/gearman/index.js";
import { threads } from "../dist/backends/threads/index.js";
import { Pool } from "../dist/index.js";

const module = new URL("tasks.mjs", import.meta.url);
const self = fileURLToPath(import.meta.url);
const OUTSTANDING = 1_000;
const ROUNDS = 3;
const MILLION = 1_000_000;
const parts = {
  host,
  run,
  map,
  imap,
  abraxas,
  "abraxas-worker": abraxasWorker,
  gearmanode,
  "gearmanode-worker": nodeWorker,
};

const [part, ...words] = process.argv.slice(2);
if (part in parts) await parts[part](...words.map(Number));
else await compare(Number(part ?? 200_000));

async function compare(tasks) {
  const folder = mkdtempSync(join(tmpdir(), "manyhands-bench-"));
  try {
    const peer = join(folder, "libgearman");
    const source = fileURLToPath(new URL("peers/libgearman.c", import.meta.url));
    execFileSync("gcc", ["-O2", "-o", peer, source, "-lgearman"], { stdio: "inherit" });
    const node = (name) => [process.execPath, self, name];
    const entrants = {
      libgearman: { client: [peer, "client"], worker: [peer, "worker"], count: Math.ceil(tasks / 5) },
      "manyhands, run": { client: node("run"), worker: node("host"), count: tasks },
      "manyhands, map": { client: node("map"), worker: node("host"), count: tasks * 10 },
      abraxas: { client: node("abraxas"), worker: node("abraxas-worker"), count: Math.ceil(tasks / 500) },
      gearmanode: { client: node("gearmanode"), worker: node("gearmanode-worker"), count: Math.ceil(tasks / 5_000) },
    };
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const figures = {};
      for (const [name, entrant] of Object.entries(entrants)) figures[name] = await measure(entrant);
      rounds.push(figures);
    }
    for (const name of Object.keys(entrants)) console.log(`${name.padEnd(16)} ${show(rounds.map((one) => one[name]))}`);
    for (const name of ["manyhands, run", "manyhands, map"]) {
      const ratios = rounds.map((one) => one[name].perSecond / one.libgearman.perSecond);
      console.log(`${name} ÷ libgearman: ${median(ratios).toFixed(1)} (${spread(ratios)})`);
    }
    const { memory } = await measure({ client: node("imap"), worker: node("host"), count: MILLION });
    console.log(`memory in MiB after each tenth of ${MILLION.toLocaleString("en")} inputs of imap:`);
    for (const line of memory) console.log(`  ${line}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One client and one worker at a server of their own. */
async function measure({ client, worker, count }) {
  const port = await freePort();
  const server = spawn("gearmand", ["-L", "127.0.0.1", "-p", String(port), "-l", "stderr"], { stdio: "ignore" });
  let working;
  try {
    await reached(port);
    working = begin(worker, [port], () => {});
    await registered(port);
    const before = { server: microsOf(server.pid), worker: microsOf(working.child.pid) };
    const memory = [];
    const asking = begin(client, [port, count, OUTSTANDING], () => {
      memory.push([asking.child.pid, working.child.pid, server.pid].map(megabytesOf));
    });
    const { perSecond, micros } = JSON.parse(await asking.output);
    const used = { client: micros, worker: microsOf(working.child.pid) - before.worker };
    used.server = microsOf(server.pid) - before.server;
    const each = Object.fromEntries(Object.entries(used).map(([name, sum]) => [name, sum / count]));
    const shown = ["client", "worker", "server"].map((name, at) => `${name} ${memory.map((one) => one[at]).join(" ")}`);
    return { perSecond, each, memory: shown };
  } finally {
    await end(working?.child);
    await end(server);
  }
}

/** What gearmanode writes there is of no use to anybody. */
function errorsOf(args) {
  return args.some((word) => word.startsWith("gearmanode")) ? "ignore" : "inherit";
}

/** @param onNote called for each line that is a dot: the time to look at memory */
function begin([program, ...args], more, onNote) {
  const child = spawn(program, [...args, ...more.map(String)], { stdio: ["ignore", "pipe", errorsOf(args)] });
  let output = "";
  child.stdout.on("data", (bytes) => {
    const lines = `${bytes}`.split("\n");
    for (const line of lines) if (line === ".") onNote();
    output += lines.filter((line) => line !== ".").join("\n");
  });
  return { child, output: once(child, "close").then(() => output) };
}

async function end(child) {
  if (child === undefined || child.exitCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

function show(figures) {
  const rate = median(figures.map(({ perSecond }) => perSecond));
  const micros = ["client", "worker", "server"].map(
    (name) => `${name} ${median(figures.map(({ each }) => each[name])).toFixed(2)}`,
  );
  const rates = `${Math.round(rate).toLocaleString("en").padStart(9)} a second`;
  return `${rates} (${spread(figures.map(({ perSecond }) => perSecond))}); CPU in µs each: ${micros.join(", ")}`;
}

function spread(values) {
  const digits = (value) => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));
  return `${digits(Math.min(...values))} to ${digits(Math.max(...values))}`;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Of a process, with all its threads: in ticks of ten milliseconds. */
function microsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function megabytesOf(pid) {
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1_024);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves when somebody can do something. */
async function registered(port) {
  const admin = new GearmanAdmin(`127.0.0.1:${port}`);
  while (!(await admin.status()).some(({ workers }) => workers > 0));
}

async function reached(port) {
  const client = new GearmanClient(`127.0.0.1:${port}`);
  await client.echo("");
  await client.close();
}

// What runs in processes of their own.

async function host(port) {
  await runGearmanWorker(`127.0.0.1:${port}`, {
    hands: 1,
    backend: (concurrency) => threads(module, { size: 0, concurrency }),
  }).done;
}

/** @param work given a pool that is up and warm, and begins the clock */
async function withPool(port, work) {
  const pool = new Pool(gearman(`127.0.0.1:${port}`));
  await pool.map("increment", range(100_000));
  await work(pool);
  await pool.close();
}

async function run(port, count, outstanding) {
  await withPool(port, async (pool) => {
    const one = async (from, to) => {
      let sum = 0;
      for (let n = from; n < to; n++) sum += await pool.run("increment", n);
      return sum;
    };
    const all = async (many) => {
      const share = Math.ceil(many / outstanding);
      const lanes = Array.from({ length: outstanding }, (_, lane) =>
        one(lane * share, Math.min(many, (lane + 1) * share)),
      );
      return (await Promise.all(lanes)).reduce((sum, n) => sum + n, 0);
    };
    await all(outstanding * 20);
    await clocked(count, () => all(count));
  });
}

async function map(port, count) {
  await withPool(port, (pool) =>
    clocked(count, async () => {
      const results = await pool.map("increment", range(count));
      return results.reduce((sum, n) => sum + n, 0);
    }),
  );
}

async function imap(port, count) {
  await withPool(port, (pool) =>
    clocked(count, async () => {
      let sum = 0;
      let done = 0;
      for await (const n of pool.imap("increment", range(count))) {
        sum += n;
        done++;
        if (done % (count / 10) === 0) console.log(".");
      }
      // Looked at from outside.
      await new Promise((resolve) => setTimeout(resolve, 200));
      return sum;
    }),
  );
}

function* range(count) {
  for (let n = 0; n < count; n++) yield n;
}

async function clocked(count, work) {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const sum = await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(before);
  if (sum !== (count * (count + 1)) / 2) throw new Error("wrong sum");
  console.log(JSON.stringify({ perSecond: count / seconds, micros: user + system }));
}

/** @param submit gives the result as a text */
async function outstandingAt(count, outstanding, submit) {
  let next = 0;
  let sum = 0;
  const lane = async () => {
    while (next < count) {
      const text = await submit(String(next++));
      sum += Number(text);
    }
  };
  await clocked(count, async () => {
    await Promise.all(Array.from({ length: Math.min(outstanding, count) }, lane));
    return sum;
  });
  process.exit();
}

async function abraxas(port, count, outstanding) {
  const { default: library } = await import("abraxas");
  const client = library.Client.connect({ servers: [`127.0.0.1:${port}`], defaultEncoding: "utf8" });
  await outstandingAt(count, outstanding, (text) => client.submitJob("increment", text));
}

async function abraxasWorker(port) {
  const { default: library } = await import("abraxas");
  const client = library.Client.connect({ servers: [`127.0.0.1:${port}`], defaultEncoding: "utf8" });
  client.registerWorker("increment", (task) => task.then((payload) => String(Number(payload) + 1)));
}

async function gearmanode(port, count, outstanding) {
  const library = await quietGearmanode();
  const client = library.client({ servers: [{ host: "127.0.0.1", port }] });
  await outstandingAt(
    count,
    outstanding,
    (text) =>
      new Promise((resolve, reject) => {
        const job = client.submitJob("increment", text, { toStringEncoding: "utf8" });
        job.on("complete", () => resolve(job.response));
        job.on("error", reject);
      }),
  );
}

async function nodeWorker(port) {
  const library = await quietGearmanode();
  const worker = library.worker({ servers: [{ host: "127.0.0.1", port }] });
  worker.addFunction("increment", (job) => job.workComplete(String(Number(job.payload.toString()) + 1)));
}

/** Without this it writes a line to standard error for each packet. */
async function quietGearmanode() {
  const [{ default: library }, { default: winston }] = await Promise.all([import("gearmanode"), import("winston")]);
  for (const logger of winston.loggers.loggers.values()) logger.silent = true;
  return library;
}
