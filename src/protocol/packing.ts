// Lists of small objects of one shape as columns: the keys once, then all values in one list. A structured clone costs about a
// microsecond an object and some tens of nanoseconds a value.

/** Objects of one shape: `cells` holds the values of the first object, then of the second, and so on. */
export interface Packed {
  readonly keys: readonly string[];
  readonly cells: readonly unknown[];
}

export type MaybePacked = readonly unknown[] | Packed;

const MIN_OBJECTS = 3;
const MAX_KEYS = 16;

/** Packs the list if all its values are flat plain objects with the same keys in the same order; otherwise answers it as it is. */
export function pack(values: readonly unknown[]): MaybePacked {
  if (values.length < MIN_OBJECTS) return values;
  const first = values[0];
  if (typeof first !== "object" || first === null || Object.getPrototypeOf(first) !== Object.prototype) return values;
  const keys = Object.keys(first);
  if (keys.length === 0 || keys.length > MAX_KEYS || keys.includes("__proto__")) return values;
  const cells: unknown[] = [];
  for (const value of values) if (!flatten(value, keys, cells)) return values;
  return { keys, cells };
}

/** The list that was packed. */
export function unpack(packed: MaybePacked): readonly unknown[] {
  if (Array.isArray(packed)) return packed as readonly unknown[];
  const { keys, cells } = packed as Packed;
  // An assignment to this key would set a prototype; no packer sends it.
  if (!Array.isArray(keys) || !Array.isArray(cells) || keys.includes("__proto__")) return [];
  const values: unknown[] = [];
  for (let at = 0; at < cells.length; ) {
    const value: Record<string, unknown> = {};
    for (const key of keys as readonly string[]) value[key] = cells[at++];
    values.push(value);
  }
  return values;
}

/** How many values the list has, packed or not. */
export function countOf(packed: MaybePacked): number {
  return Array.isArray(packed) ? packed.length : (packed as Packed).cells.length / (packed as Packed).keys.length;
}

function flatten(value: unknown, keys: readonly string[], cells: unknown[]): boolean {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  let at = 0;
  for (const key in value) {
    if (key !== keys[at++]) return false;
    const cell = (value as Record<string, unknown>)[key];
    if (typeof cell === "object" && cell !== null) return false;
    cells.push(cell);
  }
  return at === keys.length;
}
