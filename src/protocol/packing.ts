// Lists in the form in which they are cloned fastest. Small objects of one shape go as columns, the keys once and then all values in
// one list: a structured clone costs about a microsecond an object and some tens of nanoseconds a value. Numbers go as a typed
// array, which is cloned as one piece of memory.

/** Objects of one shape: `cells` holds the values of the first object, then of the second, and so on. */
export interface Packed {
  readonly keys: readonly string[];
  readonly cells: readonly unknown[];
}

export type MaybePacked = readonly unknown[] | Packed | Int32Array | Float64Array;

const MIN_OBJECTS = 3;
const MAX_KEYS = 16;
/** Fewer are cloned faster one by one. */
const MIN_NUMBERS = 32;

/** Packs the list if all its values are numbers, or flat plain objects of one shape; otherwise answers it as it is. */
export function pack(values: readonly unknown[]): MaybePacked {
  const first = values[0];
  if (typeof first === "number") return values.length < MIN_NUMBERS ? values : packNumbers(values);
  if (values.length < MIN_OBJECTS) return values;
  if (typeof first !== "object" || first === null || Object.getPrototypeOf(first) !== Object.prototype) return values;
  const keys = Object.keys(first);
  if (keys.length === 0 || keys.length > MAX_KEYS || keys.includes("__proto__")) return values;
  const cells: unknown[] = [];
  for (const value of values) if (!flatten(value, keys, cells)) return values;
  return { keys, cells };
}

/** The values that were packed, by their index. */
export function unpack(packed: MaybePacked): ArrayLike<unknown> {
  if (Array.isArray(packed) || isNumbers(packed)) return packed as ArrayLike<unknown>;
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
  if (Array.isArray(packed) || isNumbers(packed)) return packed.length;
  return (packed as Packed).cells.length / (packed as Packed).keys.length;
}

export function isNumbers(packed: MaybePacked): packed is Int32Array | Float64Array {
  return packed instanceof Int32Array || packed instanceof Float64Array;
}

function packNumbers(values: readonly unknown[]): MaybePacked {
  const { length } = values;
  const integers = new Int32Array(length);
  for (let at = 0; at < length; at++) {
    const value = values[at];
    if (typeof value !== "number") return values;
    integers[at] = value;
    // Not -0 either, of which an integer keeps no sign.
    if (integers[at] !== value || (value === 0 && Object.is(value, -0))) return packDoubles(values);
  }
  return integers;
}

function packDoubles(values: readonly unknown[]): MaybePacked {
  const { length } = values;
  const doubles = new Float64Array(length);
  for (let at = 0; at < length; at++) {
    const value = values[at];
    if (typeof value !== "number") return values;
    doubles[at] = value;
  }
  return doubles;
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
