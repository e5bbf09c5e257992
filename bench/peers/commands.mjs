// Ways to run a program for each line of input, as command lines.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const ways = {
  manyhands: (jobs) => [process.execPath, file("../../dist/cli/main.js"), "map", "-q", "-j", jobs, "--", "true"],
  xargs: (jobs) => ["xargs", "-n", "1", "-P", jobs, "true"],
  parallel: (jobs) => ["parallel", "--will-cite", "-j", jobs, "true"],
  node: (jobs, count) => [process.execPath, file("../programs/spawn.mjs"), count, jobs],
};

export async function open(_task, { way, size }) {
  return {
    /** Runs `true` so often, from the start of the command to its exit. */
    runTrue: (count) => {
      const [program, ...args] = ways[way](String(size), String(count));
      const input = Array.from({ length: count }, (_, at) => `${at}\n`).join("");
      const { status, error } = spawnSync(program, args, { input, stdio: ["pipe", "ignore", "inherit"] });
      if (error?.code === "ENOENT") throw new Error(`${program} is not installed`);
      if (status !== 0) throw new Error(`${program} exited with ${status}`);
    },
  };
}
