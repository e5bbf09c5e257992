import type { Input } from "../input/index.ts";
import type { Item } from "../input/item.ts";
import { toJson } from "../output/json.ts";
import type { Sink } from "../output/sink.ts";
import type { MapSettings } from "./settings.ts";

/** Writes what each call would be given, a line of JSON each, and runs nothing. Gives how many items cannot be read. */
export async function dryRun(
  settings: MapSettings,
  input: Input,
  output: Sink,
  complain: (item: Item) => void,
): Promise<number> {
  const task =
    settings.task.exportName === undefined
      ? settings.task.module
      : `${settings.task.module}#${settings.task.exportName}`;
  let unreadable = 0;
  for await (const items of input.batches) {
    for (const item of items) {
      if (item.problem) {
        unreadable++;
        complain(item);
        continue;
      }
      await output.write(`{"seq":${item.seq},"task":${JSON.stringify(task)},"input":${toJson(item.value)}}\n`);
    }
  }
  await output.end();
  return unreadable;
}
