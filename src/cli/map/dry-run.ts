import { toJson } from "../output/json.ts";
import type { Sink } from "../output/sink.ts";
import type { Feed } from "./feed.ts";
import type { TaskName } from "./settings.ts";

/** Writes what each call would be given, a line of JSON each, and runs nothing. */
export async function dryRun({ module, exportName }: TaskName, feed: Feed, output: Sink): Promise<void> {
  const task = JSON.stringify(exportName === undefined ? module : `${module}#${exportName}`);
  let index = 0;
  for await (const value of feed) {
    const way = feed.get(index);
    if (way === undefined) continue;
    const text = `{"seq":${way.item.seq},"task":${task},"input":${toJson(value)}}\n`;
    way.written = { text, isForAgain: false };
    feed.take(index++);
    await output.write(text);
  }
  await output.end();
}
