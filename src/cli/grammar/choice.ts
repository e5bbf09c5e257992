import { wrongUsage } from "../complaint.ts";

/** Reads one word out of a list. */
export function parseChoice<Word extends string>(flag: string, text: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found === undefined) throw wrongUsage(`Cannot read ${flag} "${text}": give ${listOf(words)}`);
  return found;
}

function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
