// Copies plain data: primitives, and plain objects and arrays of them.
//
// Values that travel in one message must not be the caller's own objects. A structured clone keeps identity across the whole
// message, so two tasks that hold the same object would see each other's changes; and what waits to be sent may be changed
// meanwhile. A copy of its own, made when the value is handed over, is safe from both. What is not plain, or large, is not copied
// here: it leaves in a message of its own, at once.

/** The value is not plain data, or too large to be worth it. */
export const NOT_PLAIN: unique symbol = Symbol("not plain");

const MAX_NODES = 400;
const MAX_CHARACTERS = 64 * 1024;
const MAX_ARRAY = 64;

export class PlainCopier {
  readonly #seen = new Set<object>();
  readonly #isProxy: (value: object) => boolean;
  #characters = 0;

  /** @param isProxy tells proxies, which look like what they stand for and have no structured clone */
  constructor(isProxy: (value: object) => boolean) {
    this.#isProxy = isProxy;
  }

  /** A copy of the value, or NOT_PLAIN. Never throws. */
  copy(value: unknown): unknown {
    if (typeof value !== "object" || value === null) {
      if (typeof value === "string") return value.length > MAX_CHARACTERS ? NOT_PLAIN : value;
      return typeof value === "function" || typeof value === "symbol" ? NOT_PLAIN : value;
    }
    this.#characters = 0;
    try {
      return this.#copyObject(value, true);
    } catch {
      // A getter or a proxy that throws: whoever sends it will say so.
      return NOT_PLAIN;
    } finally {
      if (this.#seen.size > 0) this.#seen.clear();
    }
  }

  #copyObject(value: object, isRoot: boolean): unknown {
    if (!isRoot) {
      // Met twice within one value it has to stay one object: that is the structured clone's business.
      if (this.#seen.size > MAX_NODES || this.#seen.has(value)) return NOT_PLAIN;
      this.#seen.add(value);
    }
    if (this.#isProxy(value)) return NOT_PLAIN;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) {
      const from = value as Record<string, unknown>;
      const copy: Record<string, unknown> = {};
      for (const key in from) {
        // What somebody put on the prototype of all objects is not the value's.
        if (!Object.hasOwn(from, key)) continue;
        const member = this.#copyMember(from[key], value);
        // An assignment to this key would set the prototype.
        if (member === NOT_PLAIN || key === "__proto__") return NOT_PLAIN;
        copy[key] = member;
      }
      return copy;
    }
    return prototype === Array.prototype ? this.#copyArray(value as readonly unknown[]) : NOT_PLAIN;
  }

  #copyArray(from: readonly unknown[]): unknown {
    const { length } = from;
    // An array may have holes, or properties besides its elements, as matches of regular expressions do.
    if (length > MAX_ARRAY || Object.keys(from).length !== length) return NOT_PLAIN;
    const copy: unknown[] = [];
    for (let at = 0; at < length; at++) {
      const member = this.#copyMember(from[at], from);
      if (member === NOT_PLAIN || (member === undefined && !Object.hasOwn(from, at))) return NOT_PLAIN;
      copy.push(member);
    }
    return copy;
  }

  #copyMember(member: unknown, parent: object): unknown {
    if (typeof member === "object") {
      if (member === null) return null;
      this.#seen.add(parent);
      return this.#copyObject(member, false);
    }
    if (typeof member === "string") {
      this.#characters += member.length;
      return this.#characters > MAX_CHARACTERS ? NOT_PLAIN : member;
    }
    return typeof member === "function" || typeof member === "symbol" ? NOT_PLAIN : member;
  }
}
