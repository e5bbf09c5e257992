// What is said when a run is over.
import type { Summary } from "../../observe/summary.ts";
import { formatCount, formatDuration, formatRate } from "./numbers.ts";

const MOST_CAUSES = 10;
const LONGEST_MESSAGE = 160;

/** `9,978 ok, 22 failed, 1m08s, 147/s, speed-up 14.9×`, then the failures by cause. */
export function renderSummary(summary: Summary): readonly string[] {
  const counts = [
    `${formatCount(summary.ok)} ok`,
    `${formatCount(summary.failed)} failed`,
    ...(summary.unfinished > 0 ? [`${formatCount(summary.unfinished)} not finished`] : []),
    formatDuration(summary.wallMs),
    formatRate(summary.rate),
    `speed-up ${summary.speedUp.toFixed(1)}×`,
  ];
  return [counts.join(", "), ...renderCauses(summary)];
}

function renderCauses({ causes }: Summary): readonly string[] {
  const shown = causes.slice(0, MOST_CAUSES);
  const width = formatCount(causes[0]?.count ?? 0).length;
  const lines = shown.map(
    ({ count, label, message, example }) =>
      `  ${formatCount(count).padStart(width)} × ${label}: ${printable(message, LONGEST_MESSAGE)}   first: ${example}`,
  );
  const rest = causes.slice(MOST_CAUSES);
  if (rest.length === 0) return lines;
  const count = rest.reduce((sum, cause) => sum + cause.count, 0);
  return [...lines, `  ${formatCount(count).padStart(width)} × of ${rest.length} other causes`];
}

/** One line that cannot do anything to a terminal: an input or a message may hold any character. */
export function printable(text: string, longest: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const flat = text
    .slice(0, longest * 4)
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .trim();
  return flat.length <= longest ? flat : `${flat.slice(0, longest - 1)}…`;
}
