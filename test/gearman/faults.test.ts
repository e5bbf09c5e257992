// What must hold whatever servers and networks do: every job settles once, with its own result.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { GearmanClient, GearmanHandler } from "../../src/backends/gearman/index.ts";
import { type Random, random, seed } from "../../src/testing/random.ts";
import { until } from "../../src/testing/stage.ts";
import { type ChaosProxy, startProxy, type Treatment } from "../support/chaos-proxy.ts";
import { Held, openClient, openWorker } from "./parties.ts";
import { startServer } from "./server.ts";

const chosen = seed();

/** Tells whose job it was. */
const signs: GearmanHandler = async (payload) => {
  await delay(1);
  return `done ${payload.toString()}`;
};

describe("several servers", { timeout: 120_000 }, () => {
  it("share the jobs, those of the first burst too", async (t) => {
    const servers = await Promise.all([startServer(t), startServer(t), startServer(t)]);
    const from = new Map<string, number>();
    const addresses = servers.map(({ address }) => address);
    await openWorker(
      t,
      addresses,
      { f: (_, job) => void from.set(job.server, (from.get(job.server) ?? 0) + 1) },
      { concurrency: 4 },
    );
    const client = openClient(t, addresses);
    await Promise.all(Array.from({ length: 300 }, () => client.submit("f", "x")));
    assert.deepEqual(
      addresses.map((address) => from.get(address)),
      [100, 100, 100],
    );
  });

  it("get jobs of one unique at one of them", async (t) => {
    const servers = await Promise.all([startServer(t), startServer(t), startServer(t)]);
    const addresses = servers.map(({ address }) => address);
    const [one, other] = [openClient(t, addresses), openClient(t, addresses.toReversed().toSorted())];
    const held = new Held();
    let runs = 0;
    await openWorker(
      t,
      addresses,
      {
        held: (payload, job) => {
          runs++;
          return held.handler(payload, job);
        },
      },
      { concurrency: 8 },
    );
    const jobs = [one, one, one].map((client) => client.submit("held", "p", { unique: "u" }));
    await held.came("p");
    await one.status({ unique: "u" });
    held.release("p", "once");
    assert.deepEqual((await Promise.all(jobs)).map(String), ["once", "once", "once"]);
    assert.equal(runs, 1);
    assert.equal((await other.status({ unique: "u" })).isKnown, false);
  });

  it("go on without one that dies, and with it when it is back", async (t) => {
    const [first, second] = await Promise.all([startServer(t), startServer(t)]);
    const addresses = [first.address, second.address];
    const from = new Set<string>();
    const handler: GearmanHandler = (payload, job) => {
      from.add(job.server);
      return signs(payload, job);
    };
    await openWorker(t, addresses, { f: handler }, { concurrency: 8 });
    const client = openClient(t, addresses);
    const jobs = burst(client, "before", 500);
    await until(() => from.size === 2, "both at work");

    await first.kill();

    await all(jobs, "before", 500);
    from.clear();
    await all(burst(client, "without", 100), "without", 100);
    assert.deepEqual([...from], [second.address]);
    assert.deepEqual(
      client.servers().map(({ isConnected }) => isConnected),
      [false, true],
    );

    await first.start();
    await until(() => client.servers().every(({ isConnected }) => isConnected), "both to be back");
    from.clear();
    for (let i = 0; !from.has(first.address); i++) await client.submit("f", `after ${i}`);
  });

  it("are asked for the status of a job wherever it is", async (t) => {
    const servers = await Promise.all([startServer(t), startServer(t)]);
    const client = openClient(
      t,
      servers.map(({ address }) => address),
    );
    const jobs = await Promise.all([1, 2, 3, 4].map((n) => client.background("f", `${n}`)));
    assert.equal(new Set(jobs.map(({ server }) => server)).size, 2);
    for (const job of jobs) {
      assert.equal((await client.status(job)).isKnown, true);
      assert.equal((await client.status({ unique: job.unique })).isKnown, true);
    }
  });
});

describe("a server that hangs", { timeout: 120_000 }, () => {
  it("loses its jobs to another in seconds", async (t) => {
    const [first, second] = await Promise.all([startServer(t), startServer(t)]);
    const addresses = [first.address, second.address];
    await openWorker(t, addresses, { f: signs }, { concurrency: 8, heartbeatMs: 100 });
    const client = openClient(t, addresses, { heartbeatMs: 100 });
    await client.echo();
    first.freeze();
    t.after(() => first.thaw());
    await all(burst(client, "job", 200), "job", 200);
  });
});

describe(`a bad network (seed ${chosen}; MANYHANDS_SEED repeats it)`, { timeout: 240_000 }, () => {
  it("and servers that are killed cost no job its result", async (t) => {
    const chance = random(chosen);
    const servers = await Promise.all([startServer(t), startServer(t)]);
    const [one, other] = servers;
    const [toFirst, first, toSecond, second] = await Promise.all([
      startProxy(t, one, chosen),
      startProxy(t, one, chosen + 1),
      startProxy(t, other, chosen + 2),
      startProxy(t, other, chosen + 3),
    ]);
    const options = { heartbeatMs: 150, connectTimeoutMs: 1_000 };
    let repeats = 0;
    const handler: GearmanHandler = (payload, job) => {
      if (/\.\d+$/.test(job.unique)) repeats++;
      return signs(payload, job);
    };
    for (let i = 0; i < 3; i++)
      await openWorker(t, [first.address, second.address], { f: handler }, { ...options, concurrency: 4 });
    const client = openClient(t, [toFirst.address, toSecond.address], {
      ...options,
      connectTimeoutMs: 30_000,
      retries: 1_000,
    });
    const total = 3_000;
    let settled = 0;
    const jobs = burst(client, "job", total);
    for (const job of jobs) void job.finally(() => settled++).catch(() => {});
    const trouble = harass(chance, [toFirst, first, toSecond, second], servers, () => settled < total * 0.9);

    await all(jobs, "job", total);
    await trouble;
    assert.equal(settled, total);
    t.diagnostic(`${repeats} jobs were submitted again`);
    assert.ok(repeats > 0, "there was trouble");
  });
});

describe("a process", { timeout: 60_000 }, () => {
  const program = fileURLToPath(new URL("fixtures/uses-client.ts", import.meta.url));

  it("stays as long as it waits for a job, and ends when its client and worker are idle and closed", async (t) => {
    const { address } = await startServer(t);
    assert.equal(await run(t, [program, address, "waits"]), "result 8\nclosed\n");
  });

  it("is not kept by a client that is idle and open", async (t) => {
    const { address } = await startServer(t);
    assert.equal(await run(t, [program, address, "leaves open"]), "echo\n");
  });

  it("is not kept by a client that never found a server", async (t) => {
    assert.match(await run(t, [program, "127.0.0.1:1", "leaves open"]), /^BackendUnavailableError\n$/);
  });
});

function burst(client: GearmanClient, name: string, count: number): readonly Promise<Buffer>[] {
  return Array.from({ length: count }, (_, i) => client.submit("f", `${name} ${i}`));
}

/** Every job has its own result. */
async function all(jobs: readonly Promise<Buffer>[], name: string, count: number): Promise<void> {
  const results = (await Promise.all(jobs)).map(String);
  assert.deepEqual(
    results,
    Array.from({ length: count }, (_, i) => `done ${name} ${i}`),
  );
}

/** Does one bad thing after another as long as there is somebody to do it to, and sets all right in the end. */
async function harass(
  chance: Random,
  proxies: readonly ChaosProxy[],
  servers: readonly { restart(): Promise<void> }[],
  goesOn: () => boolean,
): Promise<void> {
  const treatments: readonly Treatment[] = [
    { kind: "pass" },
    { kind: "delay", maxMs: 20 },
    { kind: "swallow" },
    { kind: "drip", maxBytes: 40 },
  ];
  while (goesOn()) {
    const proxy = proxies[chance.below(proxies.length)]!;
    const what = chance.next();
    if (what < 0.1) await servers[chance.below(servers.length)]!.restart();
    else if (what < 0.4) proxy.cut();
    else if (what < 0.5) proxy.halfClose();
    else proxy.treat(treatments[chance.below(treatments.length)]!);
    await delay(chance.below(100));
  }
  for (const proxy of proxies) {
    proxy.treat({ kind: "pass" });
    // A worker that was cut off still has its jobs, for all that its server knows.
    proxy.bury();
  }
}

/** What the program prints, when it ends by itself. */
function run(t: TestContext, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    let output = "";
    child.stdout.on("data", (text: Buffer) => {
      output += text.toString();
    });
    child.on("close", (code) => (code === 0 ? resolve(output) : reject(new Error(`exit ${code}: ${output}`))));
  });
}
