// Gathers plain objects and arrays, however deep, and all that is in them, as columns: what each value is, and what it holds (see
// `packing.ts`).
import { NumberList } from "./number-list.ts";
import {
  ARRAY,
  BIGINT,
  type Deep,
  FALSE,
  LONG_TEXT,
  MAX_ARRAY,
  MAX_SHAPES,
  NULL,
  NUMBER,
  OBJECT,
  SHORT_TEXT,
  TRUE,
  UNDEFINED,
  unpack,
} from "./packing.ts";
import { isOwnKeyLoop, Shape } from "./shape.ts";

/** Longer texts go by themselves: one cut out of a long text keeps all of that in memory. */
const MAX_SHORT = 12;
const MAX_CHARACTERS = 64 * 1024;
const MAX_OBJECTS = 400;
const MAX_CODES = 4_096;
/** More objects than this in one value are looked up in a set. */
const FEW_OBJECTS = 24;
/** Less than this is cloned faster as it is. */
const FEWEST_CODES = 24;
const ROOM = 64;
/** What was longer once is not kept for ever. */
const MOST_ROOM = 64 * 1024;

export class DeepColumns {
  readonly #isProxy: (value: object) => boolean;
  #count = 0;
  #codes = new Uint8Array(ROOM);
  #codeCount = 0;
  readonly #numbers = new NumberList();
  #short = "";
  #long: string[] = [];
  #shapes: string[][] = [];
  #root = new Shape(undefined, "");
  /** Of the value that is being added: where its codes begin, how long its texts are, the objects in it. */
  #start = 0;
  #characters = 0;
  readonly #few: object[] = [];
  #fewCount = 0;
  readonly #seen = new Set<object>();
  /** Whether objects inherit keys that a loop over their own meets too. */
  #isPolluted = false;

  /** @param isProxy tells proxies, which look like what they stand for and have no structured clone */
  constructor(isProxy: (value: object) => boolean) {
    this.#isProxy = isProxy;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes the value; false where it has to go by itself. Never throws. */
  add(value: unknown): boolean {
    this.#start = this.#codeCount;
    const numbers = this.#numbers.length;
    const short = this.#short;
    const long = this.#long.length;
    this.#characters = 0;
    this.#fewCount = 0;
    let isTaken = false;
    try {
      this.#isPolluted = !isOwnKeyLoop();
      isTaken = this.#put(value);
    } catch {
      // A getter that throws: whoever sends the value will say so.
    }
    if (this.#seen.size > 0) this.#seen.clear();
    if (isTaken) {
      this.#count++;
      return true;
    }
    this.#codeCount = this.#start;
    this.#numbers.truncate(numbers);
    this.#short = short;
    this.#long.length = long;
    return false;
  }

  /** What was taken since the last call: columns, or, where it is little, a list of copies. */
  take(): Deep | unknown[] {
    const deep: Deep = {
      columns: [
        this.#count,
        textOf(this.#codes, this.#codeCount),
        this.#numbers.take(),
        this.#short,
        this.#long.length === 0 ? 0 : this.#long,
        this.#shapes.length === 0 ? 0 : this.#shapes,
      ],
    };
    // The callers' objects are not kept.
    if (this.#few.length > 0) this.#few.length = 0;
    const isSmall = this.#codeCount < FEWEST_CODES;
    if (this.#codes.length > MOST_ROOM) this.#codes = new Uint8Array(ROOM);
    this.#short = "";
    if (this.#long.length > 0) this.#long = [];
    if (this.#shapes.length > 0) {
      this.#shapes = [];
      this.#root = new Shape(undefined, "");
    }
    this.#count = 0;
    this.#codeCount = 0;
    return isSmall ? (unpack(deep) as unknown[]) : deep;
  }

  #put(value: unknown): boolean {
    switch (typeof value) {
      case "number":
        this.#putCode(NUMBER);
        this.#numbers.push(value);
        return true;
      case "string":
        return this.#putText(value);
      case "boolean":
        this.#putCode(value ? TRUE : FALSE);
        return true;
      case "undefined":
        this.#putCode(UNDEFINED);
        return true;
      case "bigint":
        this.#putCode(BIGINT);
        this.#long.push(String(value));
        return true;
      case "object":
        if (value !== null) return this.#putObject(value);
        this.#putCode(NULL);
        return true;
      default:
        return false;
    }
  }

  #putText(text: string): boolean {
    const { length } = text;
    if (length <= MAX_SHORT) {
      this.#putCode(SHORT_TEXT);
      this.#putCode(length);
      this.#short += text;
      return true;
    }
    this.#characters += length;
    if (this.#characters > MAX_CHARACTERS) return false;
    this.#putCode(LONG_TEXT);
    this.#long.push(text);
    return true;
  }

  #putObject(object: object): boolean {
    // Met twice within one value it has to stay one object: that is the structured clone's business.
    if (this.#isProxy(object) || !this.#isNew(object)) return false;
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype === Object.prototype) return this.#putMembers(object as Record<string, unknown>);
    return prototype === Array.prototype && this.#putArray(object as readonly unknown[]);
  }

  #putMembers(object: Record<string, unknown>): boolean {
    const place = this.#codeCount;
    this.#putCode(OBJECT);
    let shape = this.#root;
    for (const key in object) {
      // What somebody put on the prototype of all objects is not the value's.
      if (this.#isPolluted && !Object.hasOwn(object, key)) continue;
      shape = shape.after(key);
      if (!this.#put(object[key])) return false;
      if (this.#codeCount - this.#start > MAX_CODES) return false;
    }
    if (shape.number < 0 && !this.#name(shape)) return false;
    this.#codes[place] = OBJECT + shape.number;
    return true;
  }

  #name(shape: Shape): boolean {
    const keys = shape.keys();
    // An assignment to this key would set the prototype.
    if (keys.includes("__proto__") || this.#shapes.length === MAX_SHAPES) return false;
    shape.number = this.#shapes.length;
    this.#shapes.push(keys);
    return true;
  }

  #putArray(array: readonly unknown[]): boolean {
    const { length } = array;
    // An array may have holes, or properties besides its elements, as matches of regular expressions do.
    if (length > MAX_ARRAY || Object.keys(array).length !== length) return false;
    this.#putCode(ARRAY);
    this.#numbers.push(length);
    for (let at = 0; at < length; at++) {
      const member = array[at];
      if (member === undefined && !Object.hasOwn(array, at)) return false;
      if (!this.#put(member)) return false;
    }
    return true;
  }

  /** Few objects are compared one by one, which is faster than to hash them. */
  #isNew(object: object): boolean {
    const few = this.#few;
    const count = this.#fewCount;
    if (count < FEW_OBJECTS) {
      for (let at = 0; at < count; at++) if (few[at] === object) return false;
      few[count] = object;
      this.#fewCount = count + 1;
      return true;
    }
    const seen = this.#seen;
    if (seen.size === 0) for (const one of few) seen.add(one);
    if (seen.has(object) || seen.size > MAX_OBJECTS) return false;
    seen.add(object);
    return true;
  }

  #putCode(code: number): void {
    if (this.#codeCount === this.#codes.length) {
      const longer = new Uint8Array(this.#codeCount * 2);
      longer.set(this.#codes);
      this.#codes = longer;
    }
    this.#codes[this.#codeCount++] = code;
  }
}

/** A call takes so many arguments, on any stack. */
const MAX_ARGUMENTS = 8_192;

function textOf(codes: Uint8Array, count: number): string {
  let text = "";
  for (let from = 0; from < count; from += MAX_ARGUMENTS) {
    const part = codes.subarray(from, Math.min(count, from + MAX_ARGUMENTS));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}
