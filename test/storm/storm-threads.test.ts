import { it } from "node:test";
import { threads } from "../../src/backends/threads/index.ts";
import { seed } from "../../src/testing/random.ts";
import { storm } from "./storm.ts";

const seeded = seed();

it(`100,000 tasks over 4 threads that die at random: each settles once and nothing is left (MANYHANDS_SEED=${seeded})`, async () => {
  await storm(() => threads(new URL("./storm-tasks.ts", import.meta.url), { size: 4 }), {
    seed: seeded,
    tasks: 100_000,
    exits: 40,
    kills: 0,
    spins: 20,
  });
});
