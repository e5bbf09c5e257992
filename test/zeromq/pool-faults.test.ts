// A pool whose hosts are killed, stopped, sent away and started again, over links that break, drip and go silent, by chance: every task
// settles once, with its own result. MANYHANDS_SEED=<seed> has the same row of faults again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Random, random, seed } from "../../src/testing/random.ts";
import { scratch, settlements, until } from "../../src/testing/stage.ts";
import { type ChaosProxy, startProxy, type Treatment } from "../support/chaos-proxy.ts";
import { type Program, quick, range } from "./cluster.ts";
import { boundPool, startHost } from "./hosts.ts";

const COUNT = 20_000;
const HOSTS = 3;
const IN_FLIGHT = 2_000;
/** So many tasks settle between two faults, or all would be faults. */
const PROGRESS = 500;

class Cluster {
  readonly faults = new Map<string, number>();
  /** Hosts that ended though nobody ended them. */
  readonly deaths: string[] = [];
  readonly #t: TestContext;
  readonly #links: readonly ChaosProxy[];
  readonly #hosts: Program[] = [];
  readonly #ended = new Set<Program>();

  constructor(t: TestContext, links: readonly ChaosProxy[]) {
    this.#t = t;
    this.#links = links;
  }

  async up(at: number): Promise<void> {
    const host = await startHost(this.#t, {
      connect: `tcp://${this.#links[at]!.address}`,
      hands: 2,
      backend: at === 0 ? "processes" : "threads",
    });
    this.#hosts[at] = host;
    void host.ended.then((end) => {
      if (!this.#ended.has(host)) this.deaths.push(`${end}: ${host.lines.join(", ")}`);
    });
  }

  async fault(chance: Random): Promise<void> {
    const at = chance.below(HOSTS);
    const host = this.#hosts[at]!;
    const link = this.#links[at]!;
    const kinds: readonly [string, () => Promise<void> | void][] = [
      ["kill", () => this.#replace(at, "SIGKILL")],
      ["send away", () => this.#replace(at, "SIGTERM")],
      [
        "stop",
        async () => {
          host.kill("SIGSTOP");
          await this.#wait(chance);
          host.kill("SIGCONT");
        },
      ],
      ["cut", () => link.cut()],
      ["half-close", () => link.halfClose()],
      ["silence", () => this.#treat(link, { kind: "swallow" }, chance)],
      ["hold", () => this.#treat(link, { kind: "hold" }, chance)],
      ["drip", () => this.#treat(link, { kind: "drip", maxBytes: 200 }, chance)],
      ["delay", () => this.#treat(link, { kind: "delay", maxMs: 20 }, chance)],
    ];
    const [name, act] = kinds[chance.below(kinds.length)]!;
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
    await act();
  }

  async #replace(at: number, signal: NodeJS.Signals): Promise<void> {
    const host = this.#hosts[at]!;
    this.#ended.add(host);
    host.kill(signal);
    await host.ended;
    await this.up(at);
  }

  async #treat(link: ChaosProxy, treatment: Treatment, chance: Random): Promise<void> {
    link.treat(treatment);
    await this.#wait(chance);
    link.treat({ kind: "pass" });
  }

  /** Sometimes for less than a lease, and sometimes for more. */
  async #wait(chance: Random): Promise<void> {
    await delay(chance.below(2.5 * quick.leaseMs));
  }
}

describe("a pool under faults", () => {
  const from = seed();

  it(`settles each of ${COUNT} tasks once, with its own result (seed ${from})`, { timeout: 150_000 }, async (t) => {
    const chance = random(from);
    const log = join(scratch(t), "log");
    const { pool, url } = await boundPool(t, { concurrency: 2 }, { retries: 1_000, poisonLimit: 1_000 });
    const times = settlements(pool);
    const target = { port: Number(new URL(url).port) };
    const links = await Promise.all(range(HOSTS).map((at) => startProxy(t, target, from + at)));
    const cluster = new Cluster(t, links);
    await Promise.all(range(HOSTS).map((at) => cluster.up(at)));

    let failure: unknown;
    let settled = 0;
    let repeated = 0;
    const feed = async (): Promise<void> => {
      for (const id of range(COUNT)) {
        pool.run("work", { id, ms: 1, log }, { id }).then(
          (done) => {
            settled++;
            if (done.attempt > 1) repeated++;
            if (done.id !== id) failure ??= new Error(`task ${id} got the result of ${done.id}`);
          },
          (error: unknown) => {
            failure ??= error;
          },
        );
        if (id - settled >= IN_FLIGHT) await until(() => failure !== undefined || id - settled < IN_FLIGHT / 2, "room");
        if (failure !== undefined) return;
      }
      await until(() => failure !== undefined || settled === COUNT, "the last tasks");
    };
    const done = feed();
    while (settled < COUNT && failure === undefined) {
      const before = settled;
      await until(() => settled - before >= PROGRESS || settled === COUNT || failure !== undefined, "some progress");
      if (settled < COUNT) await Promise.race([cluster.fault(chance), done]);
    }
    await done;
    if (failure !== undefined) throw failure;
    t.diagnostic([...cluster.faults].map(([what, often]) => `${what} ${often}×`).join(", "));
    t.diagnostic(`${repeated} results came of a later attempt`);
    assert.deepEqual(cluster.deaths, []);
    assert.deepEqual(
      [...times.values()].filter((often) => often !== 1),
      [],
    );
    assert.equal(times.size, COUNT);
    const runs = readFileSync(log, "utf8").trimEnd().split("\n");
    const attempts = runs.map((line) => line.split(" ").slice(0, 2).join(" "));
    t.diagnostic(`${runs.length - COUNT} runs were repeats`);
    assert.equal(new Set(attempts).size, runs.length, "a repeat has another attempt");
    assert.equal(new Set(runs.map((line) => line.split(" ")[0])).size, COUNT);
  });
});
