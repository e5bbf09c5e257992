// A pipeline of programs of which one after the other is killed, stopped or started again, and links that break or go silent, by chance:
// nothing is lost, and nothing delivered twice. MANYHANDS_SEED=<seed> has the same row of faults again.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Random, random, seed } from "../../src/testing/random.ts";
import { scratch } from "../../src/testing/stage.ts";
import { type ChaosProxy, startProxy } from "../support/chaos-proxy.ts";
import { freeUrl, type Program, quick, range, start } from "./cluster.ts";

const COUNT = 20_000;
const WORKERS = 3;
/** A ventilator that starts again sends everything again. */
const MOST_VENTILATORS = 2;

interface Places {
  /** Between the workers and the others. */
  readonly links: readonly ChaosProxy[];
  readonly requests: string;
  readonly results: string;
  readonly file: string;
}

class Pipeline {
  readonly #t: TestContext;
  readonly #places: Places;
  readonly #programs = new Map<string, Program>();
  readonly faults = new Map<string, number>();
  /** Programs that ended by themselves, but for a ventilator that was done. */
  readonly deaths: string[] = [];
  readonly #killed = new Set<Program>();

  constructor(t: TestContext, places: Places) {
    this.#t = t;
    this.#places = places;
  }

  get names(): string[] {
    return ["sink", "ventilator", ...range(WORKERS).map((n) => `worker ${n}`)];
  }

  async up(name: string): Promise<Program> {
    const { requests, results, file, links } = this.#places;
    const [kind] = name.split(" ");
    const options = {
      sink: { results: { url: results, bind: true }, file, ...quick },
      ventilator: { requests: { url: requests, bind: true }, id: "v", count: COUNT, poisonLimit: 1_000, ...quick },
      worker: {
        requests: `tcp://${links[0]!.address}`,
        results: `tcp://${links[1]!.address}`,
        handler: "slow",
        ms: 3,
        slots: 3,
      },
    }[kind as "sink"];
    const program = await start(this.#t, kind!, options);
    this.#programs.set(name, program);
    void program.ended.then((end) => {
      if (end !== 0 && !this.#killed.has(program)) this.deaths.push(`${name}: ${end}`);
    });
    return program;
  }

  get ventilator(): Program {
    return this.#programs.get("ventilator")!;
  }

  async fault(chance: Random): Promise<void> {
    if (chance.chance(0.25)) await this.#linkFault(chance);
    else await this.#programFault(chance);
  }

  async #linkFault(chance: Random): Promise<void> {
    const link = this.#places.links[chance.below(2)]!;
    const isCut = chance.chance(0.5);
    this.#count(isCut ? "cut link" : "silence link");
    if (isCut) link.cut();
    else {
      link.treat({ kind: "hold" });
      await delay(chance.below(2.5 * quick.leaseMs));
      link.treat({ kind: "pass" });
    }
  }

  #count(what: string): void {
    this.faults.set(what, (this.faults.get(what) ?? 0) + 1);
  }

  async #programFault(chance: Random): Promise<void> {
    const mayRestart = (this.faults.get("kill ventilator") ?? 0) < MOST_VENTILATORS;
    const name = this.names[chance.below(this.names.length)]!;
    const isStop = chance.chance(0.3) || (name === "ventilator" && !mayRestart);
    const what = `${isStop ? "stop" : "kill"} ${name.split(" ")[0]}`;
    const program = this.#programs.get(name)!;
    if (program === this.ventilator && program.lines.includes("done")) return;
    this.#count(what);
    if (isStop) {
      program.kill("SIGSTOP");
      // Sometimes for less than its lease, and sometimes for more.
      await delay(chance.below(2.5 * quick.leaseMs));
      program.kill("SIGCONT");
    } else {
      this.#killed.add(program);
      program.kill("SIGKILL");
      await program.ended;
      await this.up(name);
    }
  }

  /** How large the file of results is. */
  get size(): number {
    return existsSync(this.#places.file) ? statSync(this.#places.file).size : 0;
  }
}

describe("a pipeline under faults", () => {
  const from = seed();

  it(`delivers each of ${COUNT} results once (seed ${from})`, { timeout: 150_000 }, async (t) => {
    const chance = random(from);
    const file = join(scratch(t), "results");
    const [requests, results] = [await freeUrl(), await freeUrl()];
    const links = await Promise.all(
      [requests, results].map((url, at) => startProxy(t, { port: Number(new URL(url).port) }, from + at)),
    );
    const pipeline = new Pipeline(t, { requests, results, file, links });
    await Promise.all(pipeline.names.map((name) => pipeline.up(name)));
    let isDone = false;
    const watch = async (): Promise<void> => {
      for (let program = pipeline.ventilator; ; program = pipeline.ventilator) {
        const end = await program.ended;
        if (end !== 0 && end !== "SIGKILL") throw new Error(`the ventilator ended with ${end}`);
        if (end === 0) break;
        // The next one is under way.
        while (pipeline.ventilator === program) await delay(5);
      }
      isDone = true;
    };
    const done = watch();
    while (!isDone) {
      // Something has to get through between faults, or all would be faults.
      const before = pipeline.size;
      for (let patience = 0; !isDone && pipeline.size - before < 8_000 && patience < 60; patience++) await delay(10);
      if (!isDone) await Promise.race([pipeline.fault(chance), done]);
    }
    await done;
    t.diagnostic([...pipeline.faults].map(([what, times]) => `${what} ${times}×`).join(", "));
    assert.deepEqual(pipeline.deaths, []);
    const delivered = readFileSync(file, "utf8").trimEnd().split("\n");
    assert.equal(delivered.length, COUNT);
    const numbers = delivered.map((line) => {
      const [, number, by, payload] = /^v\/(\d+) \[(\d+),(\d+)\]$/.exec(line) ?? assert.fail(line);
      assert.equal(payload, number, "no result is of another request");
      assert.ok(by);
      return Number(number);
    });
    assert.deepEqual(new Set(numbers).size, COUNT);
  });
});
