// `npm run demo`: reads, tokenises and compresses every script file under node_modules with `manyhands map`,
// then tells which are the biggest and which compress best.
import { createReadStream, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fail, heading, ownNode, root, run, short } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
const folder = join(root, "demo-out");
const inputs = join(folder, "files.txt");
const results = join(folder, "results.ndjson");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const files = listScripts(join(root, "node_modules"));
writeFileSync(inputs, files.map((file) => `${short(file)}\n`).join(""));

const command = [
  "dist/cli/main.js",
  "map",
  "examples/source-stats.mjs#analyse",
  "--in",
  "lines",
  "-a",
  short(inputs),
  "-o",
  short(results),
];
heading(`${files.length.toLocaleString("en")} files under node_modules\n   node ${command.join(" ")}\n`);
if (!run(ownNode, command)) fail("\nThe demo did not end well: see the messages above");

const stats = await readResults(results);
heading("the biggest");
print(stats.toSorted((a, b) => b.bytes - a.bytes));
heading("the most compressible (of those above 10 kB)");
print(stats.filter((one) => one.bytes > 10_000).toSorted((a, b) => b.ratio - a.ratio));
const bytes = stats.reduce((sum, one) => sum + one.bytes, 0);
const tokens = stats.reduce((sum, one) => sum + one.tokens, 0);
console.log(`\n${megabytes(bytes)} in ${tokens.toLocaleString("en")} tokens. Every result: ${short(results)}`);

/** Every script below a folder, without following links. */
function listScripts(top) {
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

async function readResults(path) {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  const read = [];
  for await (const line of lines) read.push(JSON.parse(line));
  return read;
}

function print(sorted) {
  for (const { file, bytes, gzipBytes, ratio } of sorted.slice(0, 5)) {
    console.log(
      `  ${megabytes(bytes).padStart(9)} → ${megabytes(gzipBytes).padStart(9)}  ${`${ratio.toFixed(1)}×`.padStart(7)}  ${file}`,
    );
  }
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
