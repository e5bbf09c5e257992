import { messageOf, wrongUsage } from "../complaint.ts";
import { type Draft, toDraft } from "./item.ts";
import type { Source } from "./source.ts";

/** One JSON document, read whole: each element of an array is an item, anything else is one item. */
export async function readJson(source: Source, signal: AbortSignal): Promise<readonly Draft[]> {
  const value = parse(source.name, await readAll(source, signal));
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const bytes = (source.size ?? 0) / Math.max(1, values.length);
  return values.map((element) => toDraft(element, undefined, JSON.stringify(element), bytes, undefined, 0));
}

async function readAll(source: Source, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of source.open(signal)) chunks.push(chunk);
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw wrongUsage(`Cannot read input "${source.name}": ${messageOf(error)}`, { cause: error });
  }
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrongUsage(`Cannot read "${name}" as JSON: ${messageOf(error)}`, { cause: error });
  }
}
