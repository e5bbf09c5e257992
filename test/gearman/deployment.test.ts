// The unit of systemd and the container file among the examples: what they start is a host, and its statuses are those they name.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { manyhands, type Running, scratch, start, tasks } from "../cli/program.ts";
import { startServer } from "./server.ts";

const example = (name: string): string =>
  fileURLToPath(new URL(`../../examples/cluster/gearman/${name}`, import.meta.url));
const { file } = scratch();

const running: Running[] = [];
after(() => {
  for (const { child } of running) child.kill("SIGKILL");
});

/** Starts what the example starts, with tasks of these tests. */
async function startAs(words: readonly string[]): Promise<Running> {
  const host = start(words.map((word) => (word === "./tasks.mjs" ? tasks : word)));
  running.push(host);
  await host.seen("stderr", /serves .* hands/);
  return host;
}

describe("the unit of systemd", { timeout: 120_000 }, () => {
  const path = example("manyhands-worker.service");
  const unit = readFileSync(path, "utf8");
  const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";

  it("is one that systemd takes", () => {
    const { error, status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", path], { encoding: "utf8" });
    // Where there is no systemd nobody can say.
    if (error === undefined) assert.deepEqual([status, stdout + stderr], [0, ""]);
    for (const name of ["ExecStart", "RestartForceExitStatus", "SuccessExitStatus", "TimeoutStopSec"]) {
      assert.notEqual(setting(name), "", name);
    }
  });

  it("starts a host that ends with the statuses it names", async () => {
    const { address } = await startServer({ after });
    const config = file("cluster.json", JSON.stringify({ connect: `gearman://${address}` }));
    const [, words = ""] = / node_modules\/\.bin\/manyhands (.*)$/.exec(setting("ExecStart")) ?? [];
    const filled = words.replace("/etc/manyhands/cluster.json", config).replace("%l", "machine").split(" ");

    const first = await startAs(filled);
    const restart = await manyhands(["cluster", "restart", "--config", config, "machine"]);
    assert.equal(restart.status, 0, restart.stderr);
    assert.equal(String((await first.ended).status), setting("RestartForceExitStatus"));

    const second = await startAs(filled);
    second.child.kill("SIGTERM");
    assert.equal(String((await second.ended).status), setting("SuccessExitStatus"));
  });
});

describe("the container file", { timeout: 120_000 }, () => {
  it("starts a host, with the signals of the container going to it", async () => {
    const text = readFileSync(example("Containerfile"), "utf8");
    const words = ["ENTRYPOINT", "CMD"].flatMap(
      (name) => JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, "m").exec(text)?.[1] ?? "[]") as string[],
    );
    assert.equal(words[0], "node_modules/.bin/manyhands");
    const { address } = await startServer({ after });
    const host = await startAs(words.slice(1).map((word) => word.replace("jobs:4730", address)));
    host.child.kill("SIGTERM");
    assert.equal((await host.ended).status, 143);
  });
});
