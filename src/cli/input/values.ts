import { type Draft, toDraft } from "./item.ts";

/** The strings after `:::`, each an item. They are kept as JSON, which holds any string on one line. */
export function readValues(values: readonly string[]): readonly Draft[] {
  return values.map((value) => toDraft(value, undefined, JSON.stringify(value), 0, undefined, 0));
}
