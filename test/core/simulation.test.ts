// Thousands of virtual hours of a pool's life around the real scheduler: the same worlds at each run, others with MANYHANDS_SEED.
// A failure names its seed: MANYHANDS_SEED=<seed> plays that world again, first of all.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { seed } from "../../src/testing/random.ts";
import { scenarioOf } from "./simulation/scenario.ts";
import { type Tally, World } from "./simulation/world.ts";

const WORLDS = 1_500;
const HOUR = 3_600_000;

describe("a simulated fleet", () => {
  const from = process.env.MANYHANDS_SEED === undefined ? 1 : seed();

  it(`keeps the laws in every world, from seed ${from} on`, (t: TestContext) => {
    const startedAt = performance.now();
    const tallies: Tally[] = [];
    for (let world = from; world < from + WORLDS; world++) tallies.push(live(world));
    const seconds = (performance.now() - startedAt) / 1_000;
    const sum = (count: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + count(tally), 0);
    const hours = sum(({ virtualMs }) => virtualMs) / HOUR;
    t.diagnostic(
      `${WORLDS} worlds, ${Math.round(hours)} virtual hours in ${seconds.toFixed(1)} s, ` +
        `${sum(({ tasks }) => tasks)} tasks, ${sum(({ begins }) => begins)} attempts, ${sum(({ steps }) => steps)} steps`,
    );
    assert.ok(hours / seconds > 1_000, `only ${hours} hours in ${seconds} s`);
  });
});

function live(world: number): Tally {
  const scenario = scenarioOf(world);
  try {
    return new World(scenario).run();
  } catch (error) {
    throw new Error(`MANYHANDS_SEED=${world}: ${(error as Error).message}\n${JSON.stringify(scenario)}`, {
      cause: error,
    });
  }
}
