// Hosts as a table for people.
import stringWidth from "string-width";
import type { HostReport } from "../../backends/cluster-control.ts";
import { formatDuration } from "../output/numbers.ts";

const COLUMNS: readonly (readonly [title: string, text: (host: HostReport, now: number) => string])[] = [
  ["ID", ({ id }) => id],
  ["HOST", ({ host }) => host],
  ["PID", ({ pid }) => String(pid)],
  ["STATE", ({ state }) => state],
  ["HANDS", ({ hands }) => String(hands)],
  ["POOLS", ({ pools }) => String(pools)],
  ["RUNNING", ({ running }) => String(running)],
  ["DONE", ({ done }) => String(done)],
  ["FAILED", ({ failed }) => String(failed)],
  ["MEAN", ({ runMs, done, failed }) => (done + failed === 0 ? "–" : `${(runMs / (done + failed)).toPrecision(3)}ms`)],
  ["MEMORY", ({ memoryBytes }) => `${Math.round(memoryBytes / 2 ** 20)}M`],
  ["UP", ({ startedAt }, now) => formatDuration(Math.max(0, now - startedAt))],
  ["VERSION", ({ version }) => version],
];

/** One line a host below a line of titles; nothing where there is none. */
export function hostTable(reports: readonly HostReport[], now: number): string {
  if (reports.length === 0) return "";
  const rows = [
    COLUMNS.map(([title]) => title),
    ...reports.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((report) => COLUMNS.map(([, text]) => text(report, now))),
  ];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => stringWidth(row[at]!))));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell + " ".repeat(widths[at]! - stringWidth(cell)))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
