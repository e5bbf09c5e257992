// Which values may travel in one message. A structured clone keeps the identity of objects across the whole message: two tasks
// that hold the same object would get the same copy and see each other's changes. So a value joins a message only if it shares
// no object with what is in it.

/** The value may join the message. */
export const JOINS = 0;
/** The value holds an object that is in the message already: it needs the next one. */
export const SHARES = 1;
/** The value is large, or of a kind that is not looked into: it needs a message of its own. */
export const ALONE = 2;

const MAX_NODES = 400;
const MAX_CHARACTERS = 256 * 1024;

export class Isolation {
  /** Which value of the message each object belongs to. */
  readonly #owners = new Map<object, number>();
  #value = 0;
  #nodes = 0;
  #characters = 0;

  /** Starts the next message. */
  reset(): void {
    this.#characters = 0;
    if (this.#owners.size > 0) this.#owners.clear();
  }

  admit(value: unknown): typeof JOINS | typeof SHARES | typeof ALONE {
    if (typeof value === "number" || value === null || value === undefined || typeof value === "boolean") return JOINS;
    if (typeof value === "string") return this.#fits(value);
    if (typeof value === "bigint") return JOINS;
    if (typeof value !== "object") return ALONE;
    this.#value++;
    this.#nodes = 0;
    try {
      return this.#walk(value);
    } catch {
      // A getter or a proxy that throws: alone it harms nobody else's message.
      return ALONE;
    }
  }

  #fits(text: string): typeof JOINS | typeof ALONE {
    this.#characters += text.length;
    return this.#characters <= MAX_CHARACTERS || this.#characters === text.length ? JOINS : ALONE;
  }

  #walk(value: object): typeof JOINS | typeof SHARES | typeof ALONE {
    const owner = this.#owners.get(value);
    if (owner !== undefined) return owner === this.#value ? JOINS : SHARES;
    if (++this.#nodes > MAX_NODES) return ALONE;
    this.#owners.set(value, this.#value);
    if (Array.isArray(value)) {
      if (value.length > MAX_NODES) return ALONE;
      for (const element of value) {
        const answer = this.#visit(element);
        if (answer !== JOINS) return answer;
      }
      return JOINS;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value instanceof Date ? JOINS : ALONE;
    for (const key in value) {
      const answer = this.#visit((value as Record<string, unknown>)[key]);
      if (answer !== JOINS) return answer;
    }
    return JOINS;
  }

  #visit(value: unknown): typeof JOINS | typeof SHARES | typeof ALONE {
    if (typeof value === "object") return value === null ? JOINS : this.#walk(value);
    if (typeof value === "string") return this.#fits(value);
    return typeof value === "function" || typeof value === "symbol" ? ALONE : JOINS;
  }
}
