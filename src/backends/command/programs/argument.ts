// The words of a command line, as a program is given them. Node gives arguments as UTF-8 only; other bytes take the way through a shell.
import { isUtf8 } from "node:buffer";

/** Stands for the number of the slot that runs the program, from 1. */
export interface SlotMark {
  readonly slot: true;
}

export const SLOT: SlotMark = { slot: true };

export type Piece = string | Uint8Array | SlotMark;

/** One word: text, bytes that need not be UTF-8, or pieces of it. */
export type Argument = string | Uint8Array | readonly Piece[];

/** The words, each text wherever it is UTF-8. */
export function wordsOf(argv: readonly Argument[], slot: number): readonly (string | Buffer)[] {
  return argv.map((argument) => wordOf(argument, slot));
}

/** The words to start a program by, so that it gets these. */
export function toWords(argv: readonly Argument[], slot: number): readonly string[] {
  const words = wordsOf(argv, slot);
  return words.every((word) => typeof word === "string") ? words : throughShell(words);
}

/** What the program is called in a message. */
export function nameOf(argv: readonly Argument[], slot: number): string {
  return wordOf(argv[0] ?? "", slot).toString();
}

/** Text wherever it is UTF-8. */
function wordOf(argument: Argument, slot: number): string | Buffer {
  if (typeof argument === "string") return argument;
  const pieces = argument instanceof Uint8Array ? [argument] : argument;
  const texts = pieces.map((piece) => (isMark(piece) ? String(slot) : piece));
  if (texts.every((text) => typeof text === "string")) return texts.join("");
  const bytes = Buffer.concat(texts.map((text) => (typeof text === "string" ? Buffer.from(text) : text)));
  return isUtf8(bytes) ? bytes.toString() : bytes;
}

function isMark(piece: Piece): piece is SlotMark {
  return typeof piece === "object" && !(piece instanceof Uint8Array);
}

/** A shell makes the bytes of octal escapes, and becomes the program. */
function throughShell(words: readonly (string | Buffer)[]): readonly string[] {
  const texts: string[] = [];
  const assignments: string[] = [];
  const references = words.map((word) => {
    if (typeof word === "string") return `"\${${texts.push(word)}}"`;
    const name = `_manyhands_${assignments.length}`;
    // A shell drops the newlines at the end of what a command prints, so something else has to stand there.
    assignments.push(`${name}=$(printf %b '${octal(word)}x')`);
    return `"\${${name}%x}"`;
  });
  return ["/bin/sh", "-c", `${assignments.join("; ")}; exec ${references.join(" ")}`, "sh", ...texts];
}

function octal(bytes: Buffer): string {
  return Array.from(bytes, (byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("");
}
