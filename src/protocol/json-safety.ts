// Whether JSON gives a value back as it was. JSON text is the fastest way between processes, and knows neither undefined, NaN,
// -0, BigInt, Map, typed arrays, nor an object that is met twice.

const MAX_NODES = 2_000;
const MAX_ARRAY = 64;

export class JsonSafety {
  readonly #seen = new Set<object>();
  readonly #isProxy: (value: object) => boolean;
  #nodes = 0;

  /** @param isProxy tells proxies, which JSON would take for what they stand for */
  constructor(isProxy: (value: object) => boolean) {
    this.#isProxy = isProxy;
  }

  isSafe(value: unknown): boolean {
    if (this.#seen.size > 0) this.#seen.clear();
    this.#nodes = 0;
    try {
      return this.#isSafe(value);
    } catch {
      return false;
    }
  }

  #isSafe(value: unknown): boolean {
    switch (typeof value) {
      case "string":
      case "boolean":
        return true;
      case "number":
        return Number.isFinite(value) && (value !== 0 || 1 / value > 0);
      case "object":
        return value === null || this.#isSafeObject(value);
      default:
        return false;
    }
  }

  #isSafeObject(value: object): boolean {
    if (++this.#nodes > MAX_NODES || this.#seen.has(value) || this.#isProxy(value)) return false;
    this.#seen.add(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Array.prototype) {
      const array = value as readonly unknown[];
      // An array may have properties besides its elements, as matches of regular expressions do.
      if (array.length > MAX_ARRAY || Object.keys(array).length !== array.length) return false;
      for (const element of array) if (!this.#isSafe(element)) return false;
      return true;
    }
    if (prototype !== Object.prototype) return false;
    for (const key in value) {
      if (!this.#isSafe((value as Record<string, unknown>)[key])) return false;
    }
    return true;
  }
}
