// `npm run bench`: measures manyhands against its peers, prints a table and writes docs/benchmarks.md.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { catalogue } from "./catalogue.mjs";
import { interleave } from "./interleave.mjs";
import { judge } from "./judge.mjs";
import { entrantLines, page, terminalTable } from "./report.mjs";

const USAGE = `Usage: node bench/run.mjs [options]

  --only <text>      only measurements whose name contains the text (may be repeated)
  --entrants <text>  only entrants whose name contains the text (may be repeated)
  --rounds <n>       rounds (default 5, with --quick 2)
  --quick            a tenth of everything: to see that it runs, not to judge
  --json             print the raw numbers instead of the table
  --write            write docs/benchmarks.md also when not everything was measured
  --list             print the names of measurements and entrants
  --peers-only       leave manyhands out
  --node <path>      the Node to measure on (default: the machine's own)`;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: args } = parse();
const isPart = args.only !== undefined || args.entrants !== undefined || args.quick || args["peers-only"];
const rounds = Number(args.rounds ?? (args.quick ? 2 : 5));
if (!Number.isInteger(rounds) || rounds < 1)
  fail(`--rounds must be a whole number of at least 1, not "${args.rounds}"`);
const node = args.node ?? machineNode();

if (args.list) {
  for (const { id, entrants } of catalogue({ isQuick: false, mixRounds: 0 })) {
    console.log(`${id}: ${entrants.map(({ name }) => name).join(" · ")}`);
  }
  process.exit();
}
if (!args["peers-only"] && !existsSync(here("../dist/index.js"))) {
  fail("dist/ is missing: run `npm run build` first, or measure the peers alone with --peers-only");
}
installPeers();

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());
process.once("SIGTERM", () => interrupt.abort());

const mixRounds = Number(execFileSync(node, [here("calibrate.mjs")], { encoding: "utf8" }));
const results = new Map();
try {
  for (const measurement of chosen()) {
    const outcomes = await interleave(measurement, {
      rounds,
      node,
      timeoutMs: args.quick ? 60_000 : 180_000,
      signal: interrupt.signal,
      onStart: showProgress,
    });
    results.set(measurement.id, outcomes);
    showProgress("");
    console.error(entrantLines(measurement, outcomes).join("\n"));
  }
} catch (error) {
  if (!interrupt.signal.aborted) throw error;
  showProgress("");
  console.error("Interrupted: what was measured until then follows.");
}

const judged = judge(results);
const machine = { cores: availableParallelism(), system: `${process.platform} ${process.arch}`, node: nodeVersion() };
const versions = installedVersions();
if (args.json) {
  const measurements = Object.fromEntries([...results].map(([id, outcomes]) => [id, Object.fromEntries(outcomes)]));
  console.log(
    JSON.stringify({ machine, versions, rounds, mixRounds, isQuick: args.quick, measurements, judged }, null, 2),
  );
} else {
  console.log(`\n${terminalTable(judged)}`);
  if (args.quick) console.log("\nQuick: most counts were a tenth of what the rows say. Not for judging.");
}
// What was asked for is written also when it was cut short: the page says what was not measured.
if (args.write || (!interrupt.signal.aborted && !isPart)) {
  writeFileSync(here("../docs/benchmarks.md"), page({ judged, results, machine, versions, rounds }));
  console.error("\nWritten: docs/benchmarks.md");
}
process.exitCode = interrupt.signal.aborted ? 130 : 0;

function parse() {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  try {
    return parseArgs({
      options: {
        only: { ...text, multiple: true },
        entrants: { ...text, multiple: true },
        rounds: text,
        node: text,
        quick: flag,
        json: flag,
        write: flag,
        list: flag,
        "peers-only": flag,
      },
    });
  } catch (error) {
    return fail(`${error.message}\n\n${USAGE}`);
  }
}

// This may itself run on the development Node under node_modules; what is measured is the one the machine has.
function machineNode() {
  const isOwn = (path) => !path.startsWith(here("../node_modules"));
  const name = process.platform === "win32" ? "node.exe" : "node";
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter(isOwn)
    .map((folder) => join(folder, name));
  const candidates = [process.execPath, process.env.npm_node_execpath ?? "", ...onPath].filter(isOwn);
  return candidates.find((path) => existsSync(path)) ?? process.execPath;
}

function chosen() {
  const isNamed = (name, texts) => texts === undefined || texts.some((text) => name.includes(text));
  const measurements = catalogue({ isQuick: args.quick, mixRounds })
    .filter(({ id }) => isNamed(id, args.only))
    .map((measurement) => ({
      ...measurement,
      entrants: measurement.entrants.filter(
        ({ name }) => isNamed(name, args.entrants) && !(args["peers-only"] && name === "manyhands"),
      ),
    }))
    .filter(({ entrants }) => entrants.length > 0);
  if (measurements.length === 0) fail("nothing to measure: --list shows the names");
  return measurements;
}

function installPeers() {
  if (isInstalled()) return;
  console.error("Installing the peers into bench/node_modules …");
  const { status } = spawnSync("npm", ["ci", "--prefix", here("."), "--no-audit", "--no-fund"], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0) fail("Cannot install the peers: npm ci --prefix bench failed");
}

function isInstalled() {
  const wanted = readJson("package.json").dependencies;
  return Object.entries(wanted).every(([name, version]) => {
    const file = `node_modules/${name}/package.json`;
    return existsSync(here(file)) && readJson(file).version === version;
  });
}

function installedVersions() {
  const peers = readJson("package.json").dependencies;
  return { manyhands: readJson("../package.json").version, ...peers };
}

function readJson(file) {
  return JSON.parse(readFileSync(here(file), "utf8"));
}

function nodeVersion() {
  return execFileSync(node, ["--version"], { encoding: "utf8" }).trim().slice(1);
}

function showProgress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
