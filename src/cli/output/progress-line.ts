// The two lines that show a run on a terminal. Draws nothing itself.
import { styleText } from "node:util";
import stringWidth from "string-width";
import type { ProgressView } from "../../observe/progress.ts";
import { formatClock, formatCount, formatDuration, formatRate, formatShare } from "./numbers.ts";

export interface LineStyle {
  /** What runs, as the person named it. */
  readonly name: string;
  /** What one worker is called, and what several are. */
  readonly worker: string;
  readonly workers: string;
  readonly columns: number;
  readonly isColoured: boolean;
}

type Colour = "green" | "red" | "yellow" | "cyan" | "dim";

const WIDEST_BAR = 40;
const NARROWEST_BAR = 8;
const WIDEST_NAME = 32;

export function renderLines(view: ProgressView, style: LineStyle): readonly [string, string] {
  const name = shorten(style.name, WIDEST_NAME);
  const indent = " ".repeat(stringWidth(name) + 1);
  return [firstLine(view, style, name), fit(`${indent}${secondLine(view, style)}`, style.columns)];
}

function firstLine(view: ProgressView, style: LineStyle, name: string): string {
  const parts = [
    `${countPart(view)}${view.share === undefined ? "" : ` ${formatShare(view.share)}`}`,
    formatRate(view.rate),
    view.etaMs === undefined ? `${formatClock(view.elapsedMs)} so far` : `eta ${formatClock(view.etaMs)}`,
    `${view.workers} ${view.workers === 1 ? style.worker : style.workers} ${formatShare(view.busyShare)} busy`,
  ];
  // A narrow terminal loses the bar first, then what stands last.
  for (let kept = parts.length; kept > 0; kept--) {
    const text = parts.slice(0, kept).join("  ");
    const room = style.columns - stringWidth(name) - stringWidth(text) - 3;
    if (view.share !== undefined && room >= NARROWEST_BAR) {
      return `${name} ${bar(view.share, Math.min(room, WIDEST_BAR), style)} ${text}`;
    }
    if (room >= -1) return `${name} ${text}`;
  }
  return fit(`${name} ${parts[0]}`, style.columns);
}

function secondLine(view: ProgressView, style: LineStyle): string {
  const parts = [
    colour(style, "green", `✓ ${formatCount(view.ok)}`),
    view.failed > 0 ? colour(style, "red", `✗ ${formatCount(view.failed)}`) : "✗ 0",
    ...(view.retrying > 0 ? [colour(style, "yellow", `↻ ${formatCount(view.retrying)} retrying`)] : []),
    `▸ ${formatCount(view.running)} running`,
    ...(view.p99Ms > 0
      ? [colour(style, "dim", `p50 ${formatDuration(view.p50Ms)} p99 ${formatDuration(view.p99Ms)}`)]
      : []),
  ];
  return parts.join("  ");
}

function countPart(view: ProgressView): string {
  const done = formatCount(view.ok + view.failed);
  return view.total === undefined ? `${done} done` : `${done}/${formatCount(view.total)}`;
}

function bar(share: number, width: number, style: LineStyle): string {
  const halves = Math.floor(share * width * 2);
  const full = Math.floor(halves / 2);
  const tip = halves % 2 === 1 ? "╸" : "";
  const rest = width - full - tip.length;
  return `${colour(style, "cyan", "━".repeat(full) + tip)}${colour(style, "dim", "─".repeat(rest))}`;
}

function colour(style: LineStyle, name: Colour, text: string): string {
  // The stream was looked at already: a newer Node would look at standard output.
  return style.isColoured && text !== "" ? styleText(name, text, { validateStream: false }) : text;
}

/** Cuts a text to the columns there are; a text that has to be cut loses its colours. */
function fit(text: string, columns: number): string {
  return stringWidth(text) <= columns ? text : shorten(text.replaceAll(ESCAPES, ""), columns);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ESCAPES = /\u001b\[[\d;]*m/g;

function shorten(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let kept = "";
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += stringWidth(segment);
    if (width >= columns) break;
    kept += segment;
  }
  return `${kept}…`;
}
