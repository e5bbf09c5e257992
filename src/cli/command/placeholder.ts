// What stands in braces in a command, and what it stands for.
import { posix } from "node:path";
import { BadInputError, type Item } from "../input/item.ts";
import { toJson } from "../output/json.ts";
import { changed, type Text } from "./quote.ts";

export type Placeholder =
  | { readonly kind: "slot" }
  | { readonly kind: "sequence" }
  /** The item, whole or a piece of its name. */
  | { readonly kind: "item"; readonly sign: string; readonly change: (text: string) => string }
  | { readonly kind: "column"; readonly sign: string; readonly column: number }
  | { readonly kind: "field"; readonly sign: string; readonly path: readonly string[] };

/** Those of GNU parallel, whatever the items are. */
const SIGNS = /\{(?:[#%.]|\/[/.]?|[1-9]\d*|)\}/g;
/** And fields, where items are JSON values or rows. */
const SIGNS_AND_FIELDS = /\{(?:[#%.]|\/[/.]?|[1-9]\d*||[A-Za-z_][\w.-]*|(?:\/[^{}/\s]+)+)\}/g;

const CHANGES: Readonly<Record<string, (text: string) => string>> = {
  "": (text) => text,
  ".": withoutExtension,
  "/": baseOf,
  "//": (text) => posix.dirname(text),
  "/.": (text) => withoutExtension(baseOf(text)),
};

/** The text around placeholders, and the placeholders. */
export function parsePlaceholders(text: string, hasFields: boolean): readonly (string | Placeholder)[] {
  const parts: (string | Placeholder)[] = [];
  let from = 0;
  for (const found of text.matchAll(hasFields ? SIGNS_AND_FIELDS : SIGNS)) {
    if (found.index > from) parts.push(text.slice(from, found.index));
    parts.push(placeholderOf(found[0]));
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

function placeholderOf(sign: string): Placeholder {
  const name = sign.slice(1, -1);
  if (name === "%") return { kind: "slot" };
  if (name === "#") return { kind: "sequence" };
  const change = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined;
  if (change !== undefined) return { kind: "item", sign, change };
  if (/^\d/.test(name)) return { kind: "column", sign, column: Number(name) };
  return { kind: "field", sign, path: name.startsWith("/") ? pointer(name) : [name] };
}

/** RFC 6901. */
function pointer(text: string): readonly string[] {
  return text
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * What a placeholder of an item comes to: one text for each value of a group.
 * @throws BadInputError for an item without such a column or field
 */
export function fill(placeholder: Exclude<Placeholder, { readonly kind: "slot" }>, item: Item): readonly Text[] {
  const values: readonly unknown[] = item.isGroup ? (item.value as unknown[]) : [item.value];
  switch (placeholder.kind) {
    case "sequence":
      return [String(item.seq)];
    case "item":
      return values.map((value) => changed(textOf(value), placeholder.change));
    case "column":
      return [textOf(there(columnsOf(item)[placeholder.column - 1], placeholder.sign, item))];
    case "field":
      return values.map((value) => textOf(there(fieldOf(value, placeholder.path), placeholder.sign, item)));
  }
}

/** Text is filled in as it is, everything else as JSON. */
function textOf(value: unknown): Text {
  if (typeof value === "string") return value;
  return Buffer.isBuffer(value) ? value : toJson(value);
}

/** The values of a group, the elements of a list, the fields of a row; what lies between the tabs of a text. */
function columnsOf({ value, isGroup }: Item): readonly unknown[] {
  if (isGroup || Array.isArray(value)) return value as readonly unknown[];
  if (typeof value === "string") return value.split("\t");
  if (Buffer.isBuffer(value)) {
    const columns = value.toString("latin1").split("\t");
    return columns.map((column) => Buffer.from(column, "latin1"));
  }
  return typeof value === "object" && value !== null ? Object.values(value) : [value];
}

function fieldOf(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

function there(value: unknown, sign: string, item: Item): unknown {
  if (value !== undefined) return value;
  throw new BadInputError(item.file, item.line, `what fills ${sign}: it has nothing of that name`);
}

function baseOf(text: string): string {
  return text.slice(text.lastIndexOf("/") + 1);
}

function withoutExtension(text: string): string {
  return text.replace(/\.[^/.]+$/, "");
}
