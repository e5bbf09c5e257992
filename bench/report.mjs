// Verdicts to text: a table for the terminal, a page for the documentation.
import { spreadOf } from "./judge.mjs";
import { metrics } from "./rows.mjs";

const COLUMNS = ["work", "manyhands", "reference", "ratio", "reach", "verdict"];

/** The judged rows as a table for a terminal. */
export function terminalTable(judged) {
  const lines = [COLUMNS, ...judged.map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** One line an entrant: its medians in one measurement. */
export function entrantLines(measurement, outcomes) {
  return [...outcomes.values()].map((outcome) => {
    const { entrant, failure, rounds } = outcome;
    const seen = rounds.find((metrics) => metrics !== undefined);
    const shown = seen && Object.keys(seen).filter((name) => name in metrics);
    const text = shown?.map((name) => `${name} ${value(spreadOf(outcome, name).median, name)}`).join(", ");
    return `  ${measurement.id}  ${entrant.name}: ${[text, failure].filter(Boolean).join("; ")}`;
  });
}

/** docs/benchmarks.md. */
function entrantsOf(results) {
  return [...new Set([...results.values()].flatMap((outcomes) => [...outcomes.keys()]))];
}

export function page({ judged, results, machine, versions, rounds }) {
  return `# Benchmarks

Written by \`npm run bench\`. The figures are of one machine; the ratios say more than they do.

- Machine: ${machine.cores} cores, ${machine.system}, Node ${machine.node}.
- Versions: ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.
- Method: every figure comes from a process of its own, which measures one pool once and ends. In each of the ${rounds} rounds
  every pool has its turn, so that a busy machine slows all of them. Pools have 2 workers (1 where it says so) and
  run the same task functions; workers are up and warm before the clock starts. Figures are medians over the rounds,
  with the lowest and the highest in brackets; a ratio is the median of the rounds' ratios.
- Peers run as their documentation says, and where an option can make them faster, with that too ("8 a worker": so many
  tasks are sent to a worker ahead of time); the best of all entries counts. After two rounds, who reached less than half
  of the best peer takes no further part in that measurement.
- "raw postMessage" is a message a task without any pool. "ideal" is each worker given its half of the work in one message;
  "loop" is the same work in the calling thread. Work of 100 µs is an integer loop, its length set once per run.
- "Programs" are workers that speak the stdio protocol, beside jest-worker's processes, and beside Python's own
  \`multiprocessing.Pool.imap\` with a chunk size of 1. "A program an item" is \`manyhands map -- true\`, from its start to its exit,
  beside \`xargs -n 1 -P 2 true\` and \`parallel -j 2 true\`; "plain Node" does no more than \`spawn\`.
- Every object that is sent is its own: the same object sent twice in one message is cloned once, and would flatter a
  pool that gathers messages.
- Who took part: ${entrantsOf(results).join(", ")}.
- Verdicts: *pass*, *below*, or *level*: the reach is "no slower" and the difference is under 5 %, which is noise here.

## Against the reach

| ${COLUMNS.join(" | ")} |
|${COLUMNS.map(() => "---").join("|")}|
${judged.map((figures) => `| ${cells(figures).join(" | ")} |`).join("\n")}

Why some rows are below their reach, and what has been tried, is in [bench/README.md](../bench/README.md#below-the-reach).

## Everybody's figures

${[...results].map(([id, outcomes]) => entrantsTable(id, outcomes)).join("\n\n")}
`;
}

function entrantsTable(id, outcomes) {
  const names = [
    ...new Set([...outcomes.values()].flatMap(({ rounds }) => rounds.flatMap((seen) => Object.keys(seen ?? {})))),
  ];
  const shown = names.filter((name) => name in metrics);
  const lines = [...outcomes.values()].map((outcome) => {
    const figures = shown.map((name) => spreadText(spreadOf(outcome, name), name));
    const rounds = outcome.rounds.filter((seen) => seen !== undefined).length;
    return `| ${outcome.entrant.name} | ${figures.join(" | ")} | ${outcome.failure ?? rounds} |`;
  });
  return `### ${id}\n\n| | ${shown.join(" | ")} | rounds |\n|${"---|".repeat(shown.length + 2)}\n${lines.join("\n")}`;
}

function cells({ row, mine, theirs, reference, ratio, verdict, failure }) {
  const isRatio = theirs !== undefined;
  return [
    row.title,
    spreadText(mine, row.metric),
    isRatio ? `${reference}: ${spreadText(theirs, row.metric)}` : "–",
    isRatio && ratio ? `${digits(ratio.median)} (${digits(ratio.min)}–${digits(ratio.max)})` : "–",
    reachText(row, isRatio),
    failure === undefined ? verdict : `${verdict}: ${failure}`,
  ];
}

function reachText({ atLeast, atMost, metric }, isRatio) {
  if (atLeast === undefined && atMost === undefined) return "–";
  const bound = atLeast !== undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  return isRatio ? `${bound} ×` : `${bound} ${metrics[metric].unit}`;
}

function spreadText(figures, metric) {
  if (figures === undefined) return "–";
  const { unit } = metrics[metric];
  return `${digits(figures.median)} ${unit} (${digits(figures.min)}–${digits(figures.max)})`;
}

function value(number, metric) {
  return `${digits(number)} ${metrics[metric].unit}`;
}

/** Three digits, and never fewer than a whole number has. */
function digits(number) {
  if (Math.abs(number) >= 1000) return Number(number.toPrecision(3)).toLocaleString("en-US");
  return String(Number(number.toPrecision(3)));
}
