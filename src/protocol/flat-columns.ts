// Gathers flat objects of one shape: the keys once, and all their values in one list.
import { type Flat, unpack, type Values } from "./packing.ts";
import { isOwnKeyLoop } from "./shape.ts";

const MAX_KEYS = 16;
/** Fewer are cloned faster as they are. */
const FEWEST_OBJECTS = 3;
const MAX_CHARACTERS = 64 * 1024;

export class FlatColumns {
  readonly #isProxy: (value: object) => boolean;
  #keys: readonly string[] = [];
  #cells: unknown[] = [];
  #count = 0;

  constructor(isProxy: (value: object) => boolean) {
    this.#isProxy = isProxy;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes the first object, whose keys all that follow must have; false where it is not flat. Never throws. */
  begin(value: object): boolean {
    try {
      // Whatever else it is may have a key for each of its bytes.
      if (Object.getPrototypeOf(value) !== Object.prototype) return false;
      const keys = Object.keys(value);
      if (keys.length === 0 || keys.length > MAX_KEYS || keys.includes("__proto__") || !isOwnKeyLoop()) return false;
      this.#keys = keys;
    } catch {
      return false;
    }
    return this.add(value);
  }

  /** Takes an object of the same keys in the same order, and with nothing in it but primitives; false for anything else. Never throws. */
  add(value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    const cells = this.#cells;
    const before = cells.length;
    try {
      if (Object.getPrototypeOf(value) === Object.prototype && !this.#isProxy(value) && this.#put(value, cells)) {
        this.#count++;
        return true;
      }
    } catch {
      // A getter that throws: whoever sends the value will say so.
    }
    cells.length = before;
    return false;
  }

  /** What was taken since the last call: columns, or, where it is little, a list of copies. */
  take(): Flat | Values {
    const flat = { keys: this.#keys, cells: this.#cells };
    const isSmall = this.#count < FEWEST_OBJECTS;
    this.#cells = [];
    this.#count = 0;
    return isSmall ? unpack(flat) : flat;
  }

  #put(value: object, cells: unknown[]): boolean {
    const keys = this.#keys;
    let at = 0;
    let characters = 0;
    for (const key in value) {
      if (key !== keys[at++]) return false;
      const cell = (value as Record<string, unknown>)[key];
      const type = typeof cell;
      if (type === "string") characters += (cell as string).length;
      else if ((type === "object" && cell !== null) || type === "function" || type === "symbol") return false;
      cells.push(cell);
    }
    return at === keys.length && characters <= MAX_CHARACTERS;
  }
}
