// Whether a value is made of what a format has. What the format would drop or change without a word is refused, and named with its
// place. Two things are let pass because every format here means them so: a member that is undefined is left out, and -0 is 0.

export interface ValueFormat {
  /** For messages. */
  readonly name: string;
  /** More levels of lists and objects than this are taken for endless. */
  readonly maxDepth: number;
  /** Whether it has text that is not well-formed: half of a character of two. */
  readonly hasHalves: boolean;
  /** Whether it has a number that is not finite, a BigInt, or an object that is neither a list nor plain. */
  has(value: unknown): boolean;
}

const HALF = /\p{Surrogate}/u;

export class ValueCheck {
  readonly #format: ValueFormat;
  readonly #isProxy: (value: object) => boolean;
  #parents: object[] = [];
  /** Keys and indexes from the value down to what is looked at. */
  #path: (string | number)[] = [];

  /** @param isProxy tells proxies, which would be taken for what they stand for */
  constructor(format: ValueFormat, isProxy: (value: object) => boolean) {
    this.#format = format;
    this.#isProxy = isProxy;
  }

  /** @throws TypeError that says what the format has not, and where in the value it stands */
  check(value: unknown): void {
    try {
      this.#check(value);
    } finally {
      if (this.#path.length > 0) this.#path = [];
      if (this.#parents.length > 0) this.#parents = [];
    }
  }

  #check(value: unknown): void {
    switch (typeof value) {
      case "boolean":
        return;
      case "string":
        if (!this.#format.hasHalves && HALF.test(value)) throw this.#lacks("half of a character");
        return;
      case "number":
        if (!Number.isFinite(value) && !this.#format.has(value)) throw this.#lacks(String(value));
        return;
      case "object":
        if (value !== null) this.#checkObject(value);
        return;
      case "bigint":
        if (!this.#format.has(value)) throw this.#lacks("BigInt");
        return;
      default:
        throw this.#lacks(typeof value);
    }
  }

  #checkObject(value: object): void {
    if (this.#isProxy(value)) throw this.#lacks("Proxy");
    if (this.#parents.length > this.#format.maxDepth || this.#parents.includes(value)) throw this.#lacks("cycle");
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
    if (tag !== "Object") {
      if (this.#format.has(value)) return;
      throw this.#lacks(tag);
    }
    if (typeof Reflect.get(value, "toJSON") === "function") throw this.#lacks("object with a toJSON of its own");
    const depth = this.#path.push("") - 1;
    for (const key of Object.keys(value)) {
      this.#path[depth] = key;
      const member: unknown = Reflect.get(value, key);
      if (member !== undefined) this.#check(member);
    }
    this.#path.pop();
  }

  #lacks(what: string): TypeError {
    const where = this.#path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
    return new TypeError(`${this.#format.name} has no ${what}${where === "" ? "" : ` (at ${where})`}`);
  }
}
