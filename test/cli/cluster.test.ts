// Clusters from the command line: two hosts, a run over them, and what a person can ask of them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, describe, it } from "node:test";
import type { HostReport } from "../../src/backends/cluster-control.ts";
import { manyhands, numbers, type Running, scratch, start, tasks } from "./program.ts";

const { file } = scratch();

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Hosts that are ended with the tests, however those go. */
const hosts: Running[] = [];
after(() => {
  for (const { child } of hosts) child.kill("SIGKILL");
});

async function host(url: string, id: string, ...more: readonly string[]): Promise<Running> {
  const running = start(["worker", "--connect", url, tasks, "-j", "2", "--id", id, ...more]);
  hosts.push(running);
  await running.seen("stderr", /serves .* with 2 hands/);
  return running;
}

/** They answer at once, on a machine that has nothing else to do. */
const patience = ["--timeout", "60s"];

const engines = {
  "zmq+tcp": async () => `zmq+tcp://127.0.0.1:${await freePort()}`,
};

for (const [engine, makeUrl] of Object.entries(engines)) {
  describe(`a cluster over ${engine}`, () => {
    it("does the work of a run, host by host, and is seen and ended from anywhere", async () => {
      const url = await makeUrl();
      const one = await host(url, "one");
      const two = await host(url, "two", "--backend", "processes");

      const run = await manyhands(["map", `${tasks}#double`, "--connect", url, "-k", "--progress", "none"], {
        input: numbers(2_000),
      });
      assert.equal(run.status, 0, run.stderr);
      assert.deepEqual(
        run.lines,
        Array.from({ length: 2_000 }, (_, at) => String((at + 1) * 2)),
      );
      assert.match(run.stderr, /^2,000 ok/m);

      // A pool has to be there for what goes through it.
      const waiting = start(["map", `${tasks}#double`, "--connect", url, "--progress", "none"]);
      waiting.child.stdin.write("21\n");
      await waiting.seen("stdout", /^42$/m);
      const ping = await manyhands(["cluster", "ping", "--connect", url, "--json", ...patience]);
      assert.equal(ping.status, 0, ping.stderr);
      const reports = ping.lines.map((line) => JSON.parse(line) as HostReport);
      assert.deepEqual(reports.map(({ id, hands, state }) => [id, hands, state]).toSorted(), [
        ["one", 2, "serving"],
        ["two", 2, "serving"],
      ]);
      assert.equal(reports.find(({ id }) => id === "one")!.pid, one.child.pid);
      assert.ok(reports.reduce((sum, { done }) => sum + done, 0) >= 1);

      const restart = await manyhands(["cluster", "restart", "--connect", url, "one", ...patience]);
      assert.match(restart.stdout, /^ID .*\none /s);
      assert.equal((await one.ended).status, 75);
      const nobody = await manyhands(["cluster", "ping", "--connect", url, "--timeout", "1s", "three"]);
      assert.equal(nobody.status, 4);
      assert.match(nobody.stderr, /no answer from three/);

      const quit = await manyhands(["cluster", "quit", "--connect", url, ...patience]);
      assert.equal(quit.status, 0, quit.stderr);
      assert.equal((await two.ended).status, 0);
      waiting.child.stdin.end();
      assert.equal((await waiting.ended).status, 0);
    });

    it("keeps its host's tasks when that is told to go in the middle", async () => {
      const url = await makeUrl();
      const first = await host(url, "first");
      const log = file(`${engine}.txt`, "");
      const run = start(["map", `${tasks}#double`, "--connect", url, "--progress", "none", "-o", log]);
      run.child.stdin.write(numbers(50));
      await host(url, "second");
      first.child.kill("SIGTERM");
      assert.equal((await first.ended).status, 143);
      run.child.stdin.end(numbers(50));
      const ended = await run.ended;
      assert.equal(ended.status, 0, ended.stderr);
      assert.match(ended.stderr, /^100 ok/m);
    });
  });
}

describe("a cluster over Gearman", () => {
  it("is refused with a sentence for now", async () => {
    for (const words of [
      ["map", `${tasks}#double`],
      ["worker", tasks],
      ["cluster", "ping"],
    ]) {
      const { status, stderr } = await manyhands([...words, "--connect", "gearman://127.0.0.1:4730"], { input: "1\n" });
      assert.equal(status, 2, stderr);
      assert.match(stderr, /Cannot connect to "gearman:\/\/127\.0\.0\.1:4730" yet/);
    }
  });
});

describe("keys", () => {
  it("let in whose key is listed, to the pool and to its hosts, and nobody else", async () => {
    const [pool, known, stranger] = await Promise.all(
      ["pool", "known", "stranger"].map(async () => JSON.parse((await manyhands(["keys"])).stdout)),
    );
    const keyFile = (name: string, keys: object): string => file(`${name}.json`, JSON.stringify(keys));
    const poolKeys = keyFile("pool", { ...pool, allow: [known.publicKey] });
    const knownKeys = keyFile("known", { ...known, serverKey: pool.publicKey });
    const strangerKeys = keyFile("stranger", { ...stranger, serverKey: pool.publicKey });
    const url = `zmq+tcp://127.0.0.1:${await freePort()}`;
    await host(url, "known", "--keys", knownKeys);
    await host(url, "stranger", "--keys", strangerKeys);
    const run = start(["map", `${tasks}#double`, "--connect", url, "--progress", "none", "--keys", poolKeys]);
    run.child.stdin.write("21\n");
    await run.seen("stdout", /^42$/m);
    const ping = async (keys: string, timeout: string): Promise<string[]> => {
      const { stdout } = await manyhands([
        "cluster",
        "ping",
        "--connect",
        url,
        "--json",
        "--timeout",
        timeout,
        "--keys",
        keys,
      ]);
      return stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as HostReport).id);
    };
    assert.deepEqual(await ping(knownKeys, "60s"), ["known"]);
    assert.deepEqual(await ping(strangerKeys, "2s"), []);
    run.child.stdin.end();
    assert.equal((await run.ended).status, 0);
  });

  it("are a pair, in JSON", async () => {
    const { status, stdout } = await manyhands(["keys"]);
    assert.equal(status, 0);
    const { publicKey, secretKey } = JSON.parse(stdout) as Record<string, string>;
    assert.equal(publicKey!.length, 40);
    assert.equal(secretKey!.length, 40);
    assert.notEqual(publicKey, secretKey);
  });
});
