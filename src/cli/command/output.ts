// What a program wrote, as it is written for its item.
import { isUtf8 } from "node:buffer";
import type { Ended, Output } from "../../backends/command/programs/index.ts";
import type { Item } from "../input/item.ts";
import { type Formatted, formatResult, type OutputFormat, type Result } from "../output/format.ts";
import { toJson } from "../output/json.ts";
import { printable } from "../output/summary-text.ts";

/** More is written in pieces. */
const MOST_AT_ONCE = 64 * 1024;
/** A record is one line, and has to be in memory as a whole. */
const MOST_IN_RECORD = 64 * 1024 * 1024;
const LONGEST_TAG = 4096;
const NEWLINE = "\n";

/** How the item's last run ended; undefined where it was ended from here, or did not begin. */
export function runOf({ value, error }: Result): Ended | undefined {
  return (value ?? (Object(error) as { ended?: unknown }).ended) as Ended | undefined;
}

/** Lets go of what a failed attempt wrote. */
export function dropOutput(error: unknown): void {
  (Object(error) as { ended?: Ended }).ended?.stdout.close();
}

/** The same item, with the run that was told of after its end. */
export function withRun(result: Result, ended: Ended | undefined): Result {
  return { ...result, value: ended };
}

/**
 * The output as it is, whether the program succeeded or not; or a record that holds it as text.
 * @param tag begins each line; undefined for none
 * @param host where it ran
 */
export function formatOutput(
  format: OutputFormat,
  item: Item,
  result: Result,
  tag: string | undefined,
  host: string,
): Formatted | undefined {
  const output = runOf(result)?.stdout;
  if (format === "record")
    return formatResult(format, item, { ...result, value: output && textOf(output, result.ok) }, host);
  if (output === undefined || output.size === 0) return undefined;
  const pieces = tag === undefined ? output.pieces() : tagged(output.pieces(), tag);
  if (output.size > MOST_AT_ONCE) return closing(output, pieces);
  const bytes = Buffer.concat([...pieces]);
  return isUtf8(bytes) ? bytes.toString() : bytes;
}

/** The item as one line of text; the values of a group, separated by spaces. */
export function tagOf({ value, isGroup, problem, raw }: Item): string {
  const values: readonly unknown[] = problem ? [raw] : isGroup ? (value as unknown[]) : [value];
  const texts = values.map((one) =>
    typeof one === "string" ? one : one instanceof Uint8Array ? Buffer.from(one).toString() : toJson(one),
  );
  return printable(texts.join(" "), LONGEST_TAG);
}

/** @throws Error for what is too much for a record that succeeded */
function textOf(output: Output, isWanted: boolean): string | undefined {
  try {
    if (output.size <= MOST_IN_RECORD) return Buffer.concat([...output.pieces()]).toString();
    if (!isWanted) return undefined;
    throw new Error(`Cannot put ${output.size} bytes of output into a record: leave out --out record`);
  } finally {
    output.close();
  }
}

function* closing(output: Output, pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  try {
    yield* pieces;
  } finally {
    output.close();
  }
}

/** The pieces with the tag and a tab before each line, and a newline at their end: the next tag begins a line of its own. */
function* tagged(pieces: Iterable<Buffer>, tag: string): Generator<Buffer> {
  const sign = Buffer.from(`${tag}\t`).toString("latin1");
  let isInLine = false;
  for (const piece of pieces) {
    // As if each byte were a character: the output may be anything.
    const text = piece.toString("latin1");
    const lines = text.split(/(?<=\n)/);
    const begun = lines.map((line, at) => (at === 0 && isInLine ? line : sign + line));
    isInLine = !text.endsWith(NEWLINE);
    yield Buffer.from(begun.join(""), "latin1");
  }
  if (isInLine) yield Buffer.from(NEWLINE);
}
