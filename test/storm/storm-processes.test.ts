import { it } from "node:test";
import { processes } from "../../src/backends/processes/index.ts";
import { seed } from "../../src/testing/random.ts";
import { storm } from "./storm.ts";

const seeded = seed();

it(`100,000 tasks over 4 processes that are killed at random: each settles once and nothing is left (MANYHANDS_SEED=${seeded})`, async () => {
  await storm(() => processes(new URL("./storm-tasks.ts", import.meta.url), { size: 4 }), {
    seed: seeded,
    tasks: 100_000,
    exits: 8,
    kills: 16,
    spins: 6,
  });
});
