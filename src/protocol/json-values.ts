// Values as JSON text, where JSON can say what they are. What JSON would drop or change without a word is refused: a Map, a Date, NaN,
// a hole in a list. Two things are let pass because JSON means them so: a member that is undefined is left out, and -0 is 0.

/** Deeper than this a value is taken for endless. */
const MAX_DEPTH = 5_000;

export class JsonValues {
  readonly #isProxy: (value: object) => boolean;
  #parents: object[] = [];
  /** Keys and indexes from the value down to what is looked at. */
  #path: (string | number)[] = [];

  /** @param isProxy tells proxies, which JSON would take for what they stand for */
  constructor(isProxy: (value: object) => boolean) {
    this.#isProxy = isProxy;
  }

  /** The value as JSON; undefined for undefined. @throws TypeError that says what has no JSON, and where in the value it stands */
  text(value: unknown): string | undefined {
    if (value === undefined) return undefined;
    try {
      this.#check(value);
      return JSON.stringify(value);
    } finally {
      if (this.#path.length > 0) this.#path = [];
      if (this.#parents.length > 0) this.#parents = [];
    }
  }

  #check(value: unknown): void {
    switch (typeof value) {
      case "string":
      case "boolean":
        return;
      case "number":
        if (!Number.isFinite(value)) throw this.#noJson(String(value));
        return;
      case "object":
        if (value !== null) this.#checkObject(value);
        return;
      case "bigint":
        throw this.#noJson("BigInt");
      default:
        throw this.#noJson(typeof value);
    }
  }

  #checkObject(value: object): void {
    if (this.#isProxy(value)) throw this.#noJson("Proxy");
    if (this.#parents.length > MAX_DEPTH || this.#parents.includes(value)) throw this.#noJson("cycle");
    this.#parents.push(value);
    if (Array.isArray(value)) this.#checkList(value);
    else this.#checkMembers(value);
    this.#parents.pop();
  }

  #checkList(list: readonly unknown[]): void {
    const depth = this.#path.push(0) - 1;
    for (let at = 0; at < list.length; at++) {
      this.#path[depth] = at;
      this.#check(list[at]);
    }
    this.#path.pop();
  }

  #checkMembers(value: object): void {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (tag !== "Object") throw this.#noJson(tag);
    if (typeof Reflect.get(value, "toJSON") === "function") throw this.#noJson("object with a toJSON of its own");
    const depth = this.#path.push("") - 1;
    for (const key of Object.keys(value)) {
      this.#path[depth] = key;
      const member: unknown = Reflect.get(value, key);
      if (member !== undefined) this.#check(member);
    }
    this.#path.pop();
  }

  #noJson(what: string): TypeError {
    const where = this.#path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
    return new TypeError(`JSON has no ${what}${where === "" ? "" : ` (at ${where})`}`);
  }
}
