// Whatever happens to hosts, servers and the lines between them: every task settles once, with its own result, and repeats are known as such.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "../../src/index.ts";
import { type Random, random, seed } from "../../src/testing/random.ts";
import { scratch, until } from "../../src/testing/stage.ts";
import { type ChaosProxy, startProxy, type Treatment } from "../support/chaos-proxy.ts";
import { type HostProcess, inReverse, openPool, startHost, type Tasks, workersUp } from "./cluster.ts";
import { type Ending, startServer, type TestServer } from "./server.ts";

const chosen = seed();
/** How many of them are under way at a time. */
const WINDOW = 500;
const HOSTS = 3;

describe(`a pool over Gearman under faults (seed ${chosen})`, { timeout: 300_000 }, () => {
  it("settles each of 20,000 tasks once, with its own result, whatever goes wrong (C2, C6)", async (test) => {
    const stage = await build(test, 2);
    const run = begin(stage, 20_000);

    const storm = weather(stage, run, ALL, 64);

    await run.ended;
    await storm;
    run.check(test);
  });

  it("with one server, which is killed and started again (C2)", async (test) => {
    const stage = await build(test, 1);
    const run = begin(stage, 2_000);

    const storm = weather(stage, run, ["restart a server", "kill a host"], 20);

    await run.ended;
    await storm;
    run.check(test);
  });

  it("with two servers, of which one dies and comes back, and then the other (C5)", async (test) => {
    const stage = await build(test, 2);
    const run = begin(stage, 2_000);
    const [first, second] = stage.servers as [TestServer, TestServer];

    await until(() => run.done > 500, "the first tasks");
    await first.kill();
    await until(() => run.done > 1_000, "the rest to go on");
    await first.start();
    await until(() => run.done > 1_500, "all to go on");
    // Only the one that came back is left.
    await second.kill();

    await run.ended;
    run.check(test);
  });
});

interface Stage {
  readonly pool: Pool<Tasks>;
  readonly dice: Random;
  readonly servers: readonly TestServer[];
  /** On the way from hosts to servers and from the pool to them. */
  readonly proxies: readonly ChaosProxy[];
  readonly hosts: HostProcess[];
  readonly addHost: () => Promise<void>;
  /** Where workers write down what they begin. */
  readonly file: string;
  readonly events: string[];
}

async function build(test: TestContext, count: number): Promise<Stage> {
  const t = inReverse(test);
  const dice = random(chosen);
  const servers: TestServer[] = [];
  while (servers.length < count) servers.push(await startServer(t));
  const [forHosts, forPool] = [await proxiesOf(t, servers, dice), await proxiesOf(t, servers, dice)];
  const hosts: HostProcess[] = [];
  const addHost = async (): Promise<void> => {
    const addresses = forHosts.map(({ address }) => address);
    hosts.push(await startHost(t, addresses, { hands: 2 }));
  };
  await Promise.all(Array.from({ length: HOSTS }, addHost));
  const pool = openPool(
    t,
    forPool.map(({ address }) => address),
    { connectTimeoutMs: 60_000 },
    { poisonLimit: 1_000 },
  );
  await workersUp(pool, HOSTS * 2);
  const file = join(scratch(test), "begun");
  return { pool, dice, servers, proxies: [...forHosts, ...forPool], hosts, addHost, file, events: [] };
}

function proxiesOf(t: Ending, servers: readonly TestServer[], dice: Random): Promise<ChaosProxy[]> {
  return Promise.all(servers.map((server) => startProxy(t, server, dice.below(2 ** 31))));
}

interface Run {
  /** How many tasks have settled. */
  readonly done: number;
  readonly isOver: boolean;
  /** Rejects when one of them rejects or has the result of another. */
  readonly ended: Promise<unknown>;
  check(test: TestContext): void;
}

/** Runs so many tasks, some of them at a time. */
function begin({ pool, dice, file, events }: Stage, count: number): Run {
  const settled = new Uint8Array(count);
  let [next, done, repeats, isOver] = [0, 0, 0, false];
  const one = async (): Promise<void> => {
    while (next < count) {
      const id = next++;
      const result = await pool.run("note", { id, ms: dice.below(5), file }, { retries: 1_000, retryDelayMs: 1 });
      assert.equal(result.id, id);
      settled[id]! += 1;
      done++;
      if (result.attempt > 1) repeats++;
    }
  };
  const ended = Promise.all(Array.from({ length: WINDOW }, one)).finally(() => {
    isOver = true;
  });
  const check = (test: TestContext): void => {
    assert.ok(settled.every((times) => times === 1));
    const { queued, running, failed, cancelled } = pool.snapshot();
    assert.deepEqual({ queued, running, failed, cancelled }, { queued: 0, running: 0, failed: 0, cancelled: 0 });
    // Who ran twice had another attempt each time; so one that is not the first knows.
    const begun = readFileSync(file, "utf8").trimEnd().split("\n");
    assert.equal(new Set(begun).size, begun.length);
    assert.ok(begun.length >= count);
    test.diagnostic(`${begun.length - count} runs too many, ${repeats} results of repeats: ${events.join(", ")}`);
  };
  return {
    get done() {
      return done;
    },
    get isOver() {
      return isOver;
    },
    ended,
    check,
  };
}

type Fault = (stage: Stage) => Promise<void>;

const FAULTS = {
  "kill a host": async ({ dice, hosts, addHost }) => {
    const [host] = hosts.splice(dice.below(hosts.length), 1);
    await host!.kill();
    await addHost();
  },
  "stop a host": async ({ dice, hosts }) => {
    const host = hosts[dice.below(hosts.length)]!;
    host.signal("SIGSTOP");
    await delay(dice.below(900));
    host.signal("SIGCONT");
  },
  "restart a server": async ({ dice, servers }) => {
    const server = oneOf(dice, servers);
    await server.kill();
    await delay(dice.below(300));
    await server.start();
  },
  "hang a server": async ({ dice, servers }) => {
    const server = oneOf(dice, servers);
    server.freeze();
    await delay(dice.below(600));
    server.thaw();
  },
  "cut the lines": async ({ dice, proxies }) => oneOf(dice, proxies).cut(),
  "swallow what is sent": async ({ dice, proxies }) => {
    const proxy = oneOf(dice, proxies);
    await treat(proxy, { kind: "swallow" }, dice.below(400));
    proxy.bury();
  },
  drip: ({ dice, proxies }) => treat(oneOf(dice, proxies), { kind: "drip", maxBytes: 200 }, dice.below(200)),
  delay: ({ dice, proxies }) => treat(oneOf(dice, proxies), { kind: "delay", maxMs: 20 }, dice.below(400)),
} satisfies Record<string, Fault>;

type FaultName = keyof typeof FAULTS;
const ALL = Object.keys(FAULTS) as FaultName[];

/** One thing after another goes wrong, so often or until all is done; in the end everything is well again. */
async function weather(stage: Stage, run: Run, names: readonly FaultName[], times: number): Promise<void> {
  const { dice, events } = stage;
  let bag: FaultName[] = [];
  while (!run.isOver && events.length < times) {
    // Each of them once, in random order, and then again.
    if (bag.length === 0) bag = shuffled(dice, names);
    const name = bag.pop()!;
    events.push(name);
    await FAULTS[name](stage);
    await delay(dice.below(200));
  }
}

async function treat(proxy: ChaosProxy, treatment: Treatment, ms: number): Promise<void> {
  proxy.treat(treatment);
  await delay(ms);
  proxy.treat({ kind: "pass" });
}

function oneOf<T>(dice: Random, list: readonly T[]): T {
  return list[dice.below(list.length)]!;
}

function shuffled<T>(dice: Random, list: readonly T[]): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(dice.below(rest.length), 1)[0]!);
}
