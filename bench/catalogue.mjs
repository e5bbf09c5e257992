// What is measured: each measurement, its settings, who takes part.
import {
  commands,
  ideal,
  jestProcesses,
  loop,
  manyhands,
  manyhandsNode,
  manyhandsProcesses,
  manyhandsPython,
  movingThreads,
  plainThreads,
  pythonPool,
  raw,
  tunedProcesses,
  tunedThreads,
} from "./entrants.mjs";

const MB = 2 ** 20;
const LONG_FACTOR = 250; // a long task is about 25 ms

/**
 * The list of measurements. `isQuick` makes each about a tenth as long: enough to see that it runs, not to judge.
 * `mixRounds` is how many rounds of `mix` take about 100 µs here.
 */
export function catalogue({ isQuick, mixRounds }) {
  const tenth = (full) => (isQuick ? full / 10 : full);
  const ms = isQuick ? 500 : 2000;
  const noOp = (id, name, entrants, settings) => ({ id, file: "no-op", name, entrants, settings });
  const work = (id, name, entrants, settings) => ({ id, file: "work", name, entrants, settings });
  const values = (id, name, entrants, settings) => ({ id, file: "values", name, entrants, settings });
  const programs = (id, name, entrants, settings) => ({ id, file: "programs", name, entrants, settings });
  const own = (id, name, settings, entrants = [manyhands]) => ({ id, file: "own", name, entrants, settings });

  return [
    noOp("threads-at-once", "atOnce", [manyhands, raw, ...tunedThreads], { count: tenth(100_000) }),
    noOp("threads-in-flight", "inFlight", [manyhands, raw, ...tunedThreads], { depth: 64, ms }),
    noOp("threads-one-at-a-time", "oneAtATime", [manyhands, raw, ...tunedThreads], { ms }),
    work("work-at-once", "even", [manyhands, ideal, loop, ...tunedThreads], {
      count: tenth(20_000),
      rounds: mixRounds,
    }),
    work("work-in-flight", "even", [manyhands, ideal, loop, ...tunedThreads], {
      count: tenth(20_000),
      rounds: mixRounds,
      depth: 64,
    }),
    work("mixed", "mixed", [manyhands, ideal, ...tunedThreads], {
      count: 4000,
      longEach: 100,
      longRounds: mixRounds * LONG_FACTOR,
    }),
    values("small-objects", "smallObjects", [manyhands, raw, ...tunedThreads], { ms }),
    values("kilobyte-objects", "kilobyteObjects", [manyhands, raw, ...tunedThreads], { ms }),
    {
      id: "map-item-by-item",
      file: "map",
      name: "itemByItem",
      entrants: [manyhands, ...tunedThreads],
      settings: { count: 1_000_000, limitMs: isQuick ? 500 : 3000 },
    },
    {
      id: "map-chunked",
      file: "map",
      name: "chunkedByHand",
      entrants: [manyhands, ...tunedThreads],
      settings: { count: 1_000_000, chunk: 1000, depth: 64 },
    },
    noOp("processes-at-once", "atOnce", [manyhandsProcesses, ...tunedProcesses], { count: tenth(100_000) }),
    noOp("processes-in-flight", "inFlight", [manyhandsProcesses, ...tunedProcesses], { depth: 64, ms }),
    noOp("node-programs", "atOnce", [manyhandsNode, jestProcesses], { count: tenth(100_000) }),
    programs("python-programs", "lazily", [manyhandsPython, pythonPool], {
      count: tenth(50_000),
      warmUp: tenth(20_000),
    }),
    programs("program-each", "trueEach", commands, { count: tenth(2_000) }),
    noOp("queued-memory", "queuedMemory", [manyhands, raw, ...plainThreads], { count: 100_000 }),
    ...[1, 10].flatMap((megabytes) => [
      values(`cloned-${megabytes}mb`, "clonedBytes", [manyhands, raw, ...plainThreads], {
        length: megabytes * MB,
        count: isQuick ? 10 : 60 / Math.sqrt(megabytes),
      }),
      values(`moved-${megabytes}mb`, "movedBytes", [manyhands, raw, ...movingThreads], {
        length: megabytes * MB,
        count: isQuick ? 10 : 200 / Math.sqrt(megabytes),
      }),
    ]),
    noOp("submit", "submit", [manyhands, ...plainThreads], { count: tenth(1_000_000) }),
    own("lazy-map-memory", "lazyMapMemory", { count: tenth(1_000_000) }),
    ...[1000, 10_000, 100_000, 1_000_000]
      .filter((length) => !isQuick || length <= 100_000)
      .map((length) => own(`queue-${length}`, "queueOperations", { length })),
    own(
      "import",
      "importTime",
      { programs: isQuick ? 5 : 15 },
      [manyhands, ...plainThreads].map((entrant) => ({ ...entrant, settings: { module: entrant.peer } })),
    ),
    work("fairness", "fairness", [manyhands, ...plainThreads], { workers: 1, callers: 20, rounds: mixRounds / 2, ms }),
    work("long-beside-short", "longBesideShort", [manyhands, ...tunedThreads], {
      count: 2000,
      longRounds: mixRounds * 3000,
    }),
  ];
}
