// A program per item: `manyhands map -- true` beside xargs, GNU parallel and plain Node, in turns.
//   node bench/commands.mjs [--rounds 5] [--count 2000] [--jobs 2]
// GNU parallel takes part where it is installed.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { spread } from "./stats.mjs";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "2000" },
    jobs: { type: "string", default: "2" },
  },
});
const { rounds, count, jobs } = values;
const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const entrants = {
  manyhands: [process.execPath, file("../dist/cli/main.js"), "map", "-q", "-j", jobs, "--", "true"],
  xargs: ["xargs", "-n", "1", "-P", jobs, "true"],
  parallel: ["parallel", "--will-cite", "-j", jobs, "true"],
  "plain Node": [process.execPath, file("programs/spawn.mjs"), count, jobs],
};
/** What manyhands may take, as a multiple of what another takes. */
const goals = { xargs: 2.5, parallel: 0.5 };

const input = Array.from({ length: Number(count) }, (_, at) => `${at}\n`).join("");
const seconds = new Map(Object.keys(entrants).map((name) => [name, []]));

for (let round = 0; round < Number(rounds); round++) {
  for (const [name, [program, ...args]] of Object.entries(entrants)) {
    const start = performance.now();
    const { status, error } = spawnSync(program, args, { input, stdio: ["pipe", "ignore", "inherit"] });
    if (error?.code === "ENOENT") continue;
    if (status !== 0) throw new Error(`Cannot measure ${name}: it exited with ${status}`);
    seconds.get(name).push((performance.now() - start) / 1000);
  }
}

console.log(
  `${count} × true, ${jobs} at once, ${rounds} rounds, Node ${process.version}: seconds, median (least to most)`,
);
for (const [name, measured] of seconds) {
  if (measured.length === 0) console.log(`${name.padEnd(12)} not installed`);
  else {
    const { median, min, max } = spread(measured);
    console.log(`${name.padEnd(12)} ${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})${ratioTo(name)}`);
  }
}

/** Round by round, so that a machine that was busy for a while slowed both. */
function ratioTo(name) {
  if (name === "manyhands") return "";
  const ratios = seconds.get("manyhands").map((mine, round) => mine / seconds.get(name)[round]);
  const { median } = spread(ratios);
  const goal = goals[name];
  const verdict = goal === undefined ? "" : `, to be at most ${goal} ×: ${median <= goal ? "reached" : "missed"}`;
  return `   manyhands takes ${median.toFixed(2)} ×${verdict}`;
}
