// Values and errors that are hard to carry, by name, made where they are needed: a worker and a test make the same.

/** Values that a structured clone keeps. */
export const cloneable: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  zero: () => 0,
  "minus zero": () => -0,
  NaN: () => Number.NaN,
  infinity: () => Number.POSITIVE_INFINITY,
  "a fraction": () => 0.1 + 0.2,
  "a BigInt": () => 2n ** 80n,
  "an empty string": () => "",
  "text in many scripts": () => "naïve – 日本語 – 👩‍👩‍👧 – \u0000 – \u2028",
  "a lone surrogate": () => "\ud800",
  "an empty array": () => [],
  "an array with a hole": () => Object.assign([], { 0: 1, 2: 3 }),
  "an array with undefined": () => [undefined, null],
  "a nested object": () => ({ a: { b: [{ c: "d" }] }, "": 0, "a key": { x: undefined } }),
  "a Date": () => new Date(86_400_000),
  "a RegExp": () => /a+(?<name>b)/giu,
  "a Map": () =>
    new Map<unknown, unknown>([
      ["a", 1],
      [{ key: 1 }, new Map([[1n, 2n]])],
    ]),
  "a Set": () => new Set<unknown>([1, "1", Number.NaN, new Set()]),
  "a boxed number": () => Object(7) as unknown,
  "an ArrayBuffer": () => new Uint8Array([1, 2, 3]).buffer,
  "an empty Uint8Array": () => new Uint8Array(),
  "a Uint8Array": () => new Uint8Array([0, 127, 255]),
  "a Float64Array": () => new Float64Array([0.5, -0, Number.NaN]),
  "a BigInt64Array": () => new BigInt64Array([-1n, 2n ** 62n]),
  "a Uint16Array off the start of its buffer": () => new Uint16Array(new Uint16Array([1, 2, 3, 4]).buffer, 2, 2),
  "a DataView": () => new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
  "an Error in an object": () => ({ problem: new RangeError("too far") }),
};

/** Values that JSON keeps too. */
export const plain: ReadonlySet<string> = new Set([
  "null",
  "true",
  "zero",
  "a fraction",
  "an empty string",
  "text in many scripts",
  "an empty array",
]);

/** Values that no backend can carry. */
export const uncloneable: Readonly<Record<string, () => unknown>> = {
  "a function": () => () => 1,
  "a symbol": () => Symbol("s"),
  "a WeakMap": () => new WeakMap(),
  "an object with a function deep inside": () => ({ list: [1, { deep: () => 1 }] }),
  "a Map with a function": () => new Map([["f", () => 1]]),
  "a Proxy": () => new Proxy({}, {}),
  "a getter that throws": () => ({
    get trap(): never {
      throw new Error("the getter threw");
    },
  }),
  "a detached buffer": () => {
    const buffer = new ArrayBuffer(8);
    structuredClone(buffer, { transfer: [buffer] });
    return { buffer };
  },
};

/** An error as users write them: a class of its own over a built-in one. */
export class BrokenTask extends TypeError {
  readonly code = "E_BROKEN";
  readonly extra: { readonly list: readonly number[]; readonly when: string };
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BrokenTask";
    this.extra = { list: [1, 2], when: "now" };
  }
}

/** What a task may throw. */
export const throwable: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  "a string": () => "just text",
  "an empty string": () => "",
  "a number": () => 42,
  "a plain object": () => ({ status: 404, deep: { list: [1] } }),
  "a frozen object": () => Object.freeze({ frozen: true }),
  "an Error": () => new Error("plain"),
  "a TypeError": () => new TypeError("of type"),
  "a RangeError": () => new RangeError("of range"),
  "a SyntaxError": () => new SyntaxError("of syntax"),
  "a ReferenceError": () => new ReferenceError("of reference"),
  "a URIError": () => new URIError("of uri"),
  "an EvalError": () => new EvalError("of eval"),
  "an error class with a code, properties and a cause": () =>
    new BrokenTask("broke", { cause: new RangeError("too far", { cause: "the root" }) }),
  "an AggregateError": () => new AggregateError([new TypeError("one"), "two", new BrokenTask("three")], "several"),
  "an error that is its own cause": () => {
    const error = new Error("loop");
    error.cause = error;
    return error;
  },
  "an error whose stack throws": () => {
    const error = new Error("no stack for you");
    Object.defineProperty(error, "stack", {
      get() {
        throw new Error("the stack getter threw");
      },
    });
    return error;
  },
  "an error whose message throws": () => {
    const error = new Error("hidden");
    Object.defineProperty(error, "message", {
      get() {
        throw new Error("the message getter threw");
      },
    });
    return error;
  },
  "an error that holds a function": () => Object.assign(new Error("holder"), { callback: () => 1, code: "E_HOLDER" }),
  "an error that holds a symbol": () => Object.assign(new Error("holder"), { tag: Symbol("s"), code: "E_HOLDER" }),
  "a frozen error": () => Object.freeze(new Error("frozen")),
  "a Proxy": () => new Proxy(new Error("behind"), {}),
  "a hostile Proxy": () =>
    new Proxy(
      {},
      {
        get() {
          throw new Error("no get");
        },
        ownKeys() {
          throw new Error("no keys");
        },
        getPrototypeOf() {
          throw new Error("no prototype");
        },
      },
    ),
  "a revoked Proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a function": () => () => 1,
  "a symbol": () => Symbol("thrown"),
  "a DOMException": () => new DOMException("stopped", "AbortError"),
};
