import type { Sink } from "../output/sink.ts";
import type { Feed } from "./feed.ts";
import type { Work } from "./work.ts";

/** Writes what each call would be, and runs nothing. */
export async function dryRun(work: Work, feed: Feed, output: Sink): Promise<void> {
  let index = 0;
  for await (const _ of feed) {
    const way = feed.get(index);
    if (way === undefined) continue;
    const text = work.rehearsal(way.item);
    way.written = { text, isForAgain: false };
    feed.take(index++);
    await output.write(text);
  }
  await output.end();
}
