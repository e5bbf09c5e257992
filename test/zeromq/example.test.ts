// The three programs of examples/cluster, as the guide starts them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { it } from "../../src/testing/stage.ts";
import { freeUrl } from "./cluster.ts";

describe("the example of a cluster", () => {
  it("runs, with workers that are there first and one that is killed", async (t) => {
    const [REQUESTS, RESULTS, COMMANDS] = await Promise.all([freeUrl(), freeUrl(), freeUrl()]);
    const run = (name: string, ...args: readonly string[]): { pid: number; kill(): void; ended: Promise<string> } => {
      const file = fileURLToPath(new URL(`../../examples/cluster/${name}.mjs`, import.meta.url));
      const child = spawn(process.execPath, [file, ...args], {
        env: { ...process.env, REQUESTS, RESULTS, COMMANDS },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = Promise.all([text(child.stdout), once(child, "close")]).then(
        ([output, [code]]) => `${output}${code}`,
      );
      t.after(() => child.kill("SIGKILL"));
      return { pid: child.pid!, kill: () => void child.kill("SIGKILL"), ended };
    };
    const workers = [run("worker"), run("worker")];
    const victim = run("worker");
    const sink = run("sink", "5000", "2");
    const ventilator = run("ventilator", "5000");
    victim.kill();
    assert.equal(await sink.ended, "#2520 has the most divisors, 48 of them\n2 of 2 workers ended\n0");
    assert.equal(await ventilator.ended, "5000 requests done\n0");
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    assert.deepEqual(ends, ["ended by kill\n0", "ended by kill\n0"]);
  });
});
