import { wrongUsage } from "../complaint.ts";

/** Reads a command as its words: separated by blanks, with quotes and backslashes as a shell has them, and nothing else of a shell. */
export function parseWords(flag: string, text: string): readonly string[] {
  const isWhole = /^(?:[^'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")*$/s.test(text);
  const words = text.match(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/gs) ?? [];
  if (!isWhole) throw wrongUsage(`Cannot read ${flag} "${text}": a quote is not closed`);
  if (words.length === 0) throw wrongUsage(`Cannot read ${flag} "${text}": give a program, and its options`);
  return words.map((word) =>
    word.replaceAll(PART, (_part, plain: string = "", single: string = "", double: string = "") => {
      return plain + single + double.replaceAll(/\\(.)/gs, "$1");
    }),
  );
}

const PART = /\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/gs;
