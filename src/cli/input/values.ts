import type { Draft } from "./item.ts";

/** The strings after `:::`, each an item. They are kept as JSON, which holds any string on one line. */
export function readValues(values: readonly string[]): readonly Draft[] {
  return values.map((value) => ({
    value,
    problem: undefined,
    raw: JSON.stringify(value),
    bytes: 0,
    file: undefined,
    line: 0,
    lastLine: 0,
  }));
}
