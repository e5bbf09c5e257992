// Lists of values in the form in which they are cloned fastest. A structured clone costs about a microsecond an object and some tens
// of nanoseconds a value, and next to nothing for a typed array or a long text: so plain data goes as a few of those. `packer.ts`
// writes what is read here.
import { ProtocolError } from "./errors.ts";

/**
 * Plain values, one after another, each written depth first. What a value is stands in the codes; what it holds stands in the
 * lists of numbers and texts, in the order in which the codes ask for it.
 */
export interface Deep {
  /** A list, since its members are cloned faster than those of an object. */
  readonly columns: readonly [
    /** How many values there are. */
    count: number,
    /** A character each: a text of them is cloned faster than an array of bytes. */
    codes: string,
    numbers: readonly number[] | Float64Array,
    /** All short texts, joined. */
    short: string,
    /** 0 for none. */
    long: readonly string[] | 0,
    /** The keys of objects; an object's code says which. 0 for none. */
    shapes: readonly (readonly string[])[] | 0,
  ];
}

/** Flat objects of one shape: `cells` holds the values of the first object, then of the second, and so on. */
export interface Flat {
  readonly keys: readonly string[];
  readonly cells: readonly unknown[];
}

/** A list, or numbers in one piece of memory. */
export type Values = readonly unknown[] | Int32Array | Float64Array;

export type MaybePacked = Values | Flat | Deep;

export const UNDEFINED = 0;
export const NULL = 1;
export const FALSE = 2;
export const TRUE = 3;
export const NUMBER = 4;
/** The next code is its length in UTF-16 units. */
export const SHORT_TEXT = 5;
export const LONG_TEXT = 6;
/** Its decimal digits are a long text. */
export const BIGINT = 7;
/** The next number is its length; its members follow. */
export const ARRAY = 8;
/** And above: an object of the shape with the number `code - OBJECT`; its values follow. */
export const OBJECT = 16;

export const MAX_SHAPES: number = 256 - OBJECT;
/** Longer arrays are not packed. */
export const MAX_ARRAY = 64;

/** The values of the list, by their index. @throws ProtocolError for what no packer writes */
export function unpack(packed: MaybePacked): Values {
  if (isValues(packed)) return packed;
  return "keys" in packed ? unpackFlat(packed) : new Unpacker(packed).all();
}

/** How many values the list has, packed or not. */
export function countOf(packed: MaybePacked): number {
  if (isValues(packed)) return packed.length;
  return "keys" in packed ? packed.cells.length / packed.keys.length : packed.columns[0];
}

export function isNumbers(packed: MaybePacked): packed is Int32Array | Float64Array {
  return packed instanceof Int32Array || packed instanceof Float64Array;
}

function isValues(packed: MaybePacked): packed is Values {
  return Array.isArray(packed) || isNumbers(packed);
}

function unpackFlat({ keys, cells }: Flat): unknown[] {
  // An assignment to this key would set a prototype.
  if (!Array.isArray(keys) || keys.length === 0 || !Array.isArray(cells) || keys.includes("__proto__"))
    throw malformed();
  const values: unknown[] = [];
  for (let at = 0; at < cells.length; ) {
    const value: Record<string, unknown> = {};
    for (const key of keys as readonly string[]) value[key] = cells[at++];
    values.push(value);
  }
  return values;
}

class Unpacker {
  readonly #count: number;
  readonly #codes: string;
  readonly #numbers: ArrayLike<number>;
  readonly #short: string;
  readonly #long: readonly string[];
  readonly #shapes: readonly (readonly string[])[];
  #code = 0;
  #number = 0;
  #unit = 0;
  #text = 0;

  constructor({ columns }: Deep) {
    if (!Array.isArray(columns)) throw malformed();
    const [count, codes, numbers, short, long, shapes] = columns as Deep["columns"];
    const isSound =
      typeof codes === "string" &&
      (Array.isArray(numbers) || numbers instanceof Float64Array) &&
      typeof short === "string" &&
      (long === 0 || Array.isArray(long)) &&
      // An assignment to this key would set a prototype.
      (shapes === 0 || shapes.every((keys) => Array.isArray(keys) && !keys.includes("__proto__")));
    if (!isSound) throw malformed();
    this.#count = count;
    this.#codes = codes;
    this.#numbers = numbers;
    this.#short = short;
    this.#long = long === 0 ? NONE : long;
    this.#shapes = shapes === 0 ? NONE : shapes;
  }

  all(): unknown[] {
    const values: unknown[] = [];
    for (let left = this.#count; left > 0; left--) values.push(this.#next());
    return values;
  }

  #next(): unknown {
    const code = this.#codes.charCodeAt(this.#code++);
    switch (code) {
      case NUMBER:
        return this.#numbers[this.#number++];
      case SHORT_TEXT: {
        const from = this.#unit;
        this.#unit += this.#codes.charCodeAt(this.#code++);
        return this.#short.substring(from, this.#unit);
      }
      case LONG_TEXT:
        return this.#long[this.#text++];
      case TRUE:
        return true;
      case FALSE:
        return false;
      case NULL:
        return null;
      case UNDEFINED:
        return undefined;
      case BIGINT:
        return BigInt(this.#long[this.#text++]!);
      case ARRAY:
        return this.#array();
      default:
        return this.#object(code);
    }
  }

  #array(): unknown[] {
    const length = this.#numbers[this.#number++];
    if (length === undefined || !(length <= MAX_ARRAY)) throw malformed();
    const array: unknown[] = [];
    for (let at = 0; at < length; at++) array.push(this.#next());
    return array;
  }

  #object(code: number): object {
    const keys = this.#shapes[code - OBJECT];
    if (keys === undefined) throw malformed();
    const object: Record<string, unknown> = {};
    for (let at = 0; at < keys.length; at++) {
      // Most members are numbers: not a call for each.
      if (this.#codes.charCodeAt(this.#code) === NUMBER) {
        this.#code++;
        object[keys[at]!] = this.#numbers[this.#number++];
      } else object[keys[at]!] = this.#next();
    }
    return object;
  }
}

const NONE: readonly never[] = [];

function malformed(): ProtocolError {
  return new ProtocolError("Cannot unpack values: they were not written by this library");
}
