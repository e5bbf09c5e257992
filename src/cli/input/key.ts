import { hash } from "node:crypto";

const LENGTH = 16;

/** What an item is known by, wherever it stands in the input: a digest of its JSON with sorted keys. Equal items have equal keys. */
export function keyOf(value: unknown): string {
  return hash("sha256", JSON.stringify(value, sortKeys) ?? "null", "hex").slice(0, LENGTH);
}

function sortKeys(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
