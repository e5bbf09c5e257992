// Clusters from the command line: two hosts, a run over them, and what a person can ask of them.
import assert from "node:assert/strict";
import { hostname } from "node:os";
import { after, describe, it } from "node:test";
import type { HostLine, HostReport } from "../../src/backends/cluster-control.ts";
import { freePort, startServer } from "../gearman/server.ts";
import { certificate, startTerminator } from "../gearman/terminator.ts";
import { manyhands, numbers, type Running, scratch, start, tasks } from "./program.ts";

const { file, path } = scratch();

/** Of what is there for the length of a test. */
const LONG_MS = 170_000;

/** Hosts that are ended with the tests, however those go. */
const hosts: Running[] = [];
after(() => {
  for (const { child } of hosts) child.kill("SIGKILL");
});

async function host(url: string, id: string, ...more: readonly string[]): Promise<Running> {
  const words = ["worker", "--connect", url, tasks, "-j", "2", "--id", id, ...more];
  const running = start(words, { longestMs: LONG_MS });
  hosts.push(running);
  await running.seen("stderr", /serves .* with 2 hands/);
  return running;
}

/** They answer at once, on a machine that has nothing else to do. */
const patience = ["--timeout", "60s"];

/** The URL of a cluster of its own. */
const engines: Record<string, () => Promise<string>> = {
  "zmq+tcp": async () => `zmq+tcp://127.0.0.1:${await freePort()}`,
  gearman: async () => `gearman://${(await startServer({ after })).address}`,
};

/** A run that is there until its input ends. Over ZeroMQ a pool has to be there for what goes through it. */
async function waitingRun(url: string, task = "double"): Promise<Running> {
  const run = start(["map", `${tasks}#${task}`, "--connect", url, "--progress", "none"], { longestMs: LONG_MS });
  run.child.stdin.write("21\n");
  await run.seen("stdout", task === "double" ? /^42$/m : /^21$/m);
  return run;
}

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

      const waiting = await waitingRun(url);
      const ping = await manyhands(["cluster", "ping", "--connect", url, "--json", ...patience]);
      assert.equal(ping.status, 0, ping.stderr);
      const reports = ping.lines.map((line) => JSON.parse(line) as HostReport);
      assert.deepEqual(reports.map(({ id, hands, state }) => [id, hands, state]).toSorted(), [
        ["one", 2, "serving"],
        ["two", 2, "serving"],
      ]);
      assert.equal(reports.find(({ id }) => id === "one")!.pid, one.child.pid);
      assert.ok(reports.reduce((sum, { done }) => sum + done, 0) >= 1);

      const byAddress = await manyhands([
        "cluster",
        "ping",
        "--connect",
        url,
        `${hostname()}:${two.child.pid}`,
        ...patience,
      ]);
      assert.equal(byAddress.status, 0, byAddress.stderr);
      assert.match(byAddress.stdout, /^ID .*\ntwo [^\n]*\n$/s);
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

    it("tells what its hosts print", async () => {
      const url = await makeUrl();
      const talker = await host(url, "talker");
      const run = await waitingRun(url, "print");
      const logs = start(["cluster", "logs", "--connect", url, "--json"]);
      // There is no telling from outside since when it listens.
      const asking = setInterval(() => run.child.stdin.write('"again"\n'), 100);
      await logs.seen("stdout", /out again/).finally(() => clearInterval(asking));
      logs.child.kill("SIGTERM");
      const { status, lines } = await logs.ended;
      assert.equal(status, 0);
      const line = lines.map((one) => JSON.parse(one) as HostLine).find(({ text }) => text === "out again")!;
      assert.deepEqual(line, { id: "talker", host: hostname(), stream: "stdout", text: "out again" });
      run.child.stdin.end();
      assert.equal((await run.ended).status, 0);
      talker.child.kill("SIGTERM");
      await talker.ended;
    });

    it("restarts its hosts one after another, under a supervisor", async () => {
      const url = await makeUrl();
      // As a unit of systemd does with RestartForceExitStatus=75.
      const supervise = async (id: string): Promise<number | null> => {
        let status: number | null;
        do ({ status } = await (await host(url, id)).ended);
        while (status === 75);
        return status;
      };
      const supervised = ["first", "second"].map(supervise);
      const run = await waitingRun(url);
      const pids = async (): Promise<Map<string, number>> => {
        const { lines } = await manyhands(["cluster", "ping", "--connect", url, "--json"]);
        const reports = lines.map((line) => JSON.parse(line) as HostReport);
        return new Map(reports.filter(({ state }) => state === "serving").map(({ id, pid }) => [id, pid]));
      };
      let before = await pids();
      while (before.size < 2) before = await pids();
      const restart = await manyhands(["cluster", "restart", "--connect", url, "--rolling"]);
      assert.equal(restart.status, 0, restart.stderr);
      assert.match(restart.stderr, /2 hosts will restart/);
      const after = await pids();
      assert.deepEqual([...after.keys()].toSorted(), ["first", "second"]);
      for (const [id, pid] of after) assert.notEqual(pid, before.get(id));
      const quit = await manyhands(["cluster", "quit", "--connect", url]);
      assert.equal(quit.status, 0, quit.stderr);
      assert.deepEqual(await Promise.all(supervised), [0, 0]);
      run.child.stdin.end();
      assert.equal((await run.ended).status, 0);
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
  it("needs no pool for what is asked of its hosts, and keeps namespaces apart", async () => {
    const url = await engines["gearman"]!();
    const here = await host(url, "here", "--namespace", "one");
    const there = await host(url, "there", "--namespace", "two");
    const ping = await manyhands(["cluster", "ping", "--connect", url, "--namespace", "one", "--json"]);
    assert.deepEqual(
      ping.lines.map((line) => (JSON.parse(line) as HostReport).id),
      ["here"],
    );
    const run = await manyhands(["map", `${tasks}#where`, "--connect", url, "--namespace", "two", "-q"], {
      input: "1\n",
    });
    assert.equal(run.stdout, `${there.child.pid}\n`);
    const quit = await manyhands(["cluster", "quit", "--connect", url, "--namespace", "one"]);
    assert.equal(quit.status, 0, quit.stderr);
    assert.match(quit.stderr, /1 host will quit/);
    assert.equal((await here.ended).status, 0);
    there.child.kill("SIGINT");
    assert.equal((await there.ended).status, 130);
  });

  it("is not waited for where no server is", async () => {
    const url = `gearman://127.0.0.1:${await freePort()}`;
    const run = await manyhands(["map", `${tasks}#double`, "--connect", url, "-q"], { input: "1\n" });
    assert.equal(run.status, 4, run.stderr);
    assert.match(run.stderr, /Cannot reach Gearman server "127\.0\.0\.1:\d+"/);
    const ping = await manyhands(["cluster", "ping", "--connect", url]);
    assert.equal(ping.status, 4, ping.stderr);
    assert.match(ping.stderr, /Cannot reach gearman:.*ECONNREFUSED/);
  });

  it("is joined as soon as its server is there", async () => {
    const port = await freePort();
    const url = `gearman://127.0.0.1:${port}`;
    const early = await host(url, "early");
    await early.seen("stderr", /no server of gearman:.* is there .*goes on trying/);
    await startServer({ after }, { port });
    const run = await manyhands(["map", `${tasks}#where`, "--connect", url, "-q"], { input: "1\n" });
    assert.equal(run.stdout, `${early.child.pid}\n`, run.stderr);
    early.child.kill("SIGTERM");
    assert.equal((await early.ended).status, 143);
  });

  it("is reached by a config file, through TLS", async () => {
    const [server, client] = [certificate(path(""), "server"), certificate(path(""), "client")];
    const address = await startTerminator({ after }, server, client.cert);
    const tls = { ca: "server.pem", cert: "client.pem", key: "client.key" };
    const config = file(
      "cluster.json",
      JSON.stringify({ connect: `gearman://${address}`, namespace: "secured", tls, jobs: 3, backend: "processes" }),
    );
    const secured = start(["worker", "--config", config, tasks, "--id", "secured"], { longestMs: LONG_MS });
    hosts.push(secured);
    await secured.seen("stderr", /serves .* with 3 hands/);
    const env = { MANYHANDS_CONFIG: config };
    const run = await manyhands(["map", `${tasks}#where`, "--connect", `gearman://${address}`, "-q"], {
      input: "1\n",
      env,
    });
    assert.equal(run.status, 0, run.stderr);
    assert.notEqual(run.stdout, `${secured.child.pid}\n`, "it is a process of its own");
    const here = await manyhands(["map", `${tasks}#double`, "-q"], { input: "1\n", env });
    assert.equal(here.stdout, "2\n", "the environment sends no run anywhere");
    const quit = await manyhands(["cluster", "quit"], { env });
    assert.match(quit.stdout, /^ID .*\nsecured /s, quit.stderr);
    assert.equal((await secured.ended).status, 0);
  });

  it("says which file and which key of it is wrong", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["{", /Cannot read config "[^"]*\.json": .*JSON/],
      ['{"conect":"gearman://one"}', /Cannot use option "conect" of config "[^"]*\.json"/],
      ['{"connect":1}', /Cannot use option "connect" of config "[^"]*\.json"/],
      ['{"connect":"gearman://one","tls":{"ca":"no.pem"}}', /Cannot read config "[^"]*\.json": .*ENOENT.*no\.pem/],
      ['{"connect":"gearman://one","tls":{"a":"b"}}', /Cannot use option "a" of "tls" of config "[^"]*\.json"/],
      ['{"namespace":"a"}', /Cannot reach a cluster: give its address/],
      ['{"connect":"zmq+tcp://127.0.0.1:1","tls":true}', /Cannot use TLS with ZeroMQ/],
    ];
    for (const [text, message] of cases) {
      const { status, stderr } = await manyhands(["cluster", "ping", "--config", file("wrong.json", text)]);
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
    }
  });

  it("refuses what is wrong, and what is for ZeroMQ", async () => {
    const url = "gearman://127.0.0.1:4730";
    for (const [words, message] of [
      [["worker", tasks, "--connect", "gearman://one:two"], /Cannot join .*"two" is no port/],
      [["worker", tasks, "--connect", url, "--id", "a b"], /Cannot join .*Cannot use id "a b"/],
      [["worker", tasks, "--connect", url, "--namespace", "a b"], /Cannot join .*"namespace"/],
      [["map", `${tasks}#double`, "--connect", "gearman://one,one"], /Cannot use gearman:.*named twice/],
      [["map", `${tasks}#double`, "--connect", url, "--insecure"], /Cannot use --insecure with gearman/],
      [["map", `${tasks}#double`, "--namespace", "a"], /Cannot use --namespace without --connect/],
      [
        ["cluster", "ping", "--connect", "zmq+tcp://127.0.0.1:1", "--namespace", "a"],
        /Cannot use --namespace with ZeroMQ/,
      ],
    ] as const) {
      const { status, stderr } = await manyhands(words, { input: "1\n" });
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
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
