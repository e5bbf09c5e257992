// A command with placeholders, read once and filled in for each item.
import { type Argument, type Piece, SLOT } from "../../backends/command/programs/index.ts";
import { wrongUsage } from "../complaint.ts";
import type { Item } from "../input/item.ts";
import { fill, type Placeholder, parsePlaceholders } from "./placeholder.ts";
import { changed, quote, type Text } from "./quote.ts";
import { isQuotedAt } from "./shell-quotes.ts";

type Part = string | Placeholder;

export interface Template {
  /** As it was given: what another command line would say. */
  readonly given: readonly string[];
  /** The program that is started; undefined where each item decides. */
  readonly program: string | undefined;
  /** What the program is given for the item. Throws where the item lacks what a placeholder stands for. */
  expand(item: Item): readonly Argument[];
  /** What was expanded, as somebody would write it in a shell. `{%}` where the slot is not known. */
  show(argv: readonly Argument[], slot?: number): Buffer;
}

/** A program and its arguments: each value becomes one argument, whatever is in it. */
export function programTemplate(words: readonly string[], hasFields: boolean): Template {
  const parsed = words.map((word) => parsePlaceholders(word, hasFields));
  const isFilled = parsed.some((parts) => parts.some(isPlaceholder));
  const parts = isFilled ? parsed : [...parsed, parsePlaceholders("{}", false)];
  return {
    given: ["--", ...words],
    program: parsed[0]?.some(isPlaceholder) ? undefined : words[0],
    expand: (item) => parts.flatMap((word) => expandWord(word, item)),
    show: (argv, slot) =>
      joined(
        argv.map((argument) => asText(argument, slot, (text) => changed(text, quote))),
        " ",
      ),
  };
}

/** A line for a shell: each value is quoted, so that it is one word there. */
export function shellTemplate(shell: string, script: string, hasFields: boolean): Template {
  const parsed = parsePlaceholders(script, hasFields);
  const parts = parsed.some(isPlaceholder) ? parsed : parsePlaceholders(`${script} {}`, hasFields);
  refuseQuoted(parts);
  const asWord = (part: Part, item: Item): readonly Piece[] => piecesOf(part, item, (text) => changed(text, quote));
  return {
    given: ["-c", script],
    program: shell,
    expand: (item) => [shell, "-c", parts.flatMap((part) => asWord(part, item))],
    show: ([, , argument = ""], slot) => joined([asText(argument, slot, (text) => text)], ""),
  };
}

function isPlaceholder(part: Part): part is Placeholder {
  return typeof part !== "string";
}

/** Several arguments where several values stand alone. */
function expandWord(parts: readonly Part[], item: Item): readonly Argument[] {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && isPlaceholder(only) && only.kind !== "slot") return fill(only, item);
  return [parts.flatMap((part) => piecesOf(part, item, (text) => text))];
}

/** Several values are separated by spaces. */
function piecesOf(part: Part, item: Item, change: (text: Text) => Text): readonly Piece[] {
  if (!isPlaceholder(part)) return [part];
  if (part.kind === "slot") return [SLOT];
  return fill(part, item).flatMap((text, at) => (at === 0 ? [change(text)] : [" ", change(text)]));
}

function asText(argument: Argument, slot: number | undefined, change: (text: Text) => Text): Text {
  const pieces = typeof argument === "string" || argument instanceof Uint8Array ? [argument] : argument;
  const texts = pieces.map((piece) =>
    typeof piece === "string" || piece instanceof Uint8Array ? piece : slot === undefined ? "{%}" : String(slot),
  );
  return change(joined(texts, ""));
}

function joined(texts: readonly (string | Uint8Array)[], separator: string): Buffer {
  return Buffer.concat(texts.flatMap((text, at) => [Buffer.from(at === 0 ? "" : separator), Buffer.from(text)]));
}

/** A quoted value in quotes is not one word any more, and what is in it may be run. */
function refuseQuoted(parts: readonly Part[]): void {
  let before = "";
  for (const part of parts) {
    if (isPlaceholder(part)) {
      if (part.kind !== "slot" && part.kind !== "sequence" && isQuotedAt(before)) {
        throw wrongUsage(`Cannot fill in ${part.sign} within quotes: every value is quoted already, so leave them out`);
      }
      before += "{}";
    } else before += part;
  }
}
