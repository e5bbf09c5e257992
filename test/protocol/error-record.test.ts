import assert from "node:assert/strict";
import { describe, it } from "node:test";
import vm from "node:vm";
import fc from "fast-check";
import { fromErrorRecord, toErrorRecord } from "../../src/protocol/error-record.ts";
import { isPermanentError, PermanentError } from "../../src/protocol/throwables.ts";
import { hostileGetters, hostileProxies, plainData } from "./specimens.ts";

/** There and back, over a structured clone as on every way. */
function roundTrip(thrown: unknown): unknown {
  return fromErrorRecord(structuredClone(toErrorRecord(thrown)));
}

interface Parts {
  readonly type: ErrorConstructor;
  readonly message: string;
  readonly own: readonly (readonly [string, unknown])[];
  readonly name?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

const types = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, PermanentError];

/** Keys of own properties, without those that an error has anyway. */
const keys = fc
  .oneof(fc.string(), fc.constantFrom("code", "errno", "__proto__", "constructor", "toString"))
  .filter((key) => !["name", "message", "stack", "cause", "errors"].includes(key));

const { error: errors } = fc.letrec<{ error: Error; thrown: unknown }>((tie) => ({
  error: fc
    .record(
      {
        type: fc.constantFrom(...(types as ErrorConstructor[])),
        message: fc.string(),
        own: fc.uniqueArray(fc.tuple(keys, plainData), { maxLength: 3, selector: ([key]) => key }),
        name: fc.string(),
        cause: tie("thrown"),
        errors: fc.array(tie("thrown"), { maxLength: 3 }),
      },
      { requiredKeys: ["type", "message", "own"] },
    )
    .map(makeError),
  thrown: fc.oneof({ maxDepth: 4, depthSize: "small" }, plainData, tie("error")),
}));

function makeError(parts: Parts): Error {
  const { type, message, own, name, errors } = parts;
  const options = "cause" in parts ? { cause: parts.cause } : {};
  const error = errors === undefined ? new type(message, options) : new AggregateError(errors, message, options);
  if (name !== undefined) Object.defineProperty(error, "name", { value: name });
  for (const [key, value] of own) Object.defineProperty(error, key, { value, enumerable: true });
  return error;
}

function equals(got: unknown, wanted: unknown): void {
  if (!(wanted instanceof Error)) {
    assert.deepStrictEqual(got, structuredClone(wanted));
    return;
  }
  assert.ok(got instanceof Error);
  assert.equal(Object.getPrototypeOf(got), Object.getPrototypeOf(wanted));
  assert.deepEqual([got.name, got.message, got.stack], [wanted.name, wanted.message, wanted.stack]);
  // As pairs, for one key may be __proto__.
  assert.deepStrictEqual(Object.entries(got), structuredClone(Object.entries(wanted)));
  assert.equal(Object.hasOwn(got, "cause"), Object.hasOwn(wanted, "cause"));
  equals(got.cause, wanted.cause);
  if (!(wanted instanceof AggregateError)) return;
  assert.ok(got instanceof AggregateError);
  assert.equal(got.errors.length, wanted.errors.length);
  for (const [at, one] of wanted.errors.entries()) equals(got.errors[at], one);
}

describe("an error that crosses", () => {
  it("is what it was: class, name, message, stack, own properties, causes, errors", () => {
    fc.assert(
      fc.property(errors, (error) => equals(roundTrip(error), error)),
      { numRuns: 500 },
    );
  });

  it("keeps the nearest built-in class of one that somebody made", () => {
    class OwnError extends TypeError {
      override name = "OwnError";
      readonly status = 404;
    }
    const got = roundTrip(new OwnError("lost"));
    assert.ok(got instanceof TypeError);
    assert.deepEqual([got.name, got.message, Reflect.get(got, "status")], ["OwnError", "lost", 404]);
    assert.match(String(got.stack), /lost/);
  });

  it("is permanent where it was", () => {
    assert.ok(isPermanentError(roundTrip(new PermanentError("x"))));
    assert.ok(!isPermanentError(roundTrip(new Error("x"))));
  });

  it("is a DOMException where it was one", () => {
    const got = roundTrip(new DOMException("too long", "TimeoutError"));
    assert.ok(got instanceof DOMException);
    assert.deepEqual([got.name, got.message, got.code], ["TimeoutError", "too long", 23]);
  });

  it("is an error of this realm where it came from another", () => {
    const foreign: unknown = vm.runInNewContext("Object.assign(new RangeError('far'), { code: 'E_FAR' })");
    assert.ok(!(foreign instanceof Error));
    const got = roundTrip(foreign);
    assert.ok(got instanceof RangeError);
    assert.deepEqual([got.message, Reflect.get(got, "code")], ["far", "E_FAR"]);
  });

  it("keeps the code of one of Node's own", () => {
    let thrown: unknown;
    try {
      new URL("no url");
    } catch (error) {
      thrown = error;
    }
    const got = roundTrip(thrown);
    assert.ok(got instanceof TypeError);
    assert.equal(Reflect.get(got, "code"), "ERR_INVALID_URL");
  });

  it("keeps cycles of causes", () => {
    const [a, b] = [new Error("a"), new TypeError("b")];
    a.cause = b;
    b.cause = a;
    const got = roundTrip(a) as Error;
    assert.equal((got.cause as Error).message, "b");
    assert.equal((got.cause as Error).cause, got);
  });

  it("keeps sixteen causes of a long row, and a text of the next", () => {
    const causes: unknown[] = [];
    for (let got = roundTrip(deep(1_000)); got !== undefined; got = (got as Error).cause) causes.push(got);
    assert.equal(causes.length, 18);
    assert.equal(causes.at(-1), "Error: depth 983");
  });

  it("is itself where it is its own cause, or is met twice", () => {
    const self = new Error("self");
    self.cause = self;
    const got = roundTrip(self) as Error;
    assert.equal(got.cause, got);
    const twice = new Error("twice");
    const both = roundTrip(new AggregateError([twice, twice, self])) as AggregateError;
    assert.equal(both.errors[0], both.errors[1]);
    assert.equal((both.errors[2] as Error).cause, both.errors[2]);
  });

  it("says what it can of properties that cannot cross", () => {
    const got = roundTrip(
      Object.assign(new Error("x"), { run() {}, mark: Symbol("s"), socket: new WeakMap(), kept: [1] }),
    );
    assert.deepEqual(Object.keys(got as Error), ["socket", "kept"]);
    assert.equal(Reflect.get(got as Error, "socket"), "[object WeakMap]");
  });

  it("has a stack even where it had none", () => {
    const bare = new Error("bare");
    delete bare.stack;
    assert.equal((roundTrip(bare) as Error).stack, "Error: bare");
  });
});

describe("anything else that is thrown", () => {
  it("crosses as it is, where it can", () => {
    fc.assert(fc.property(plainData, (value) => assert.deepStrictEqual(roundTrip(value), structuredClone(value))));
    for (const value of [new Map([[1, { a: 1 }]]), new Date(0), new Uint8Array([1, 2]), [new Set([1])]]) {
      assert.deepStrictEqual(roundTrip(value), value);
    }
  });

  it("crosses as a text, where it cannot", () => {
    assert.equal(roundTrip(Symbol("s")), "Symbol(s)");
    assert.match(String(roundTrip(() => 1)), /=> 1/);
    assert.equal(roundTrip(new WeakMap()), "[object WeakMap]");
    assert.equal(roundTrip({ run() {} }), "[object Object]");
  });
});

describe("a record", () => {
  const hostile: readonly (readonly [what: string, make: () => unknown])[] = [
    ["an error whose members throw", () => hostileGetters(new Error("x"))],
    ["an object whose members throw", () => hostileGetters()],
    ["an aggregate whose members throw", () => hostileGetters(new AggregateError([]))],
    ["an error whose class cannot be read", () => withoutClass()],
    ["members that are no texts", () => Object.assign(new Error("x"), { name: {}, message: Symbol("s"), stack: 7 })],
    ["a name that cannot be shown", () => Object.assign(new Error("x"), { name: Object.create(null) as unknown })],
    ["causes without end", () => endless(0)],
    ["ten thousand errors", () => new AggregateError(Array.from({ length: 10_000 }, () => new Error("x")))],
    ["errors that are hostile", () => new AggregateError([...hostileProxies(), hostileGetters(new Error("x"))])],
    ["an aggregate of trees", () => tree(6)],
  ];
  for (const [what, make] of hostile) it(`is made of ${what}`, () => isMadeOf(make()));

  it("is made of hostile proxies, and of errors with hostile proxies in any place", () => {
    for (const proxy of hostileProxies()) {
      isMadeOf(proxy);
      for (const key of ["errors", "cause", "name", "message", "stack", "own"]) {
        isMadeOf(Object.assign(new AggregateError([]), { [key]: proxy }));
      }
    }
  });

  it("never looks a class up by name outside of its list", () => {
    const names = ["Function", "process", "globalThis", "constructor", "__proto__", "toString", "Worker", "eval", ""];
    for (const name of names) {
      const got = fromErrorRecord([0, name, name, "message", "stack", [], null, null]);
      assert.ok(got instanceof Error);
      assert.equal(Object.getPrototypeOf(got), Error.prototype);
      assert.equal(got.name, name);
    }
  });

  it("changes nobody's prototype, whatever keys it has", () => {
    const forged = JSON.parse(
      '[0,"Error","Error","m","s",[["__proto__",{"polluted":1}],["constructor",{"prototype":{"polluted":1}}],["toString",1]],null,null]',
    ) as unknown[];
    const got = fromErrorRecord(forged) as Error;
    assert.equal(Object.getPrototypeOf(got), Error.prototype);
    assert.equal(Reflect.get({}, "polluted"), undefined);
    assert.equal(Reflect.get(new Error("x"), "polluted"), undefined);
    assert.deepEqual(Object.getOwnPropertyDescriptor(got, "__proto__")?.value, { polluted: 1 });
  });

  it("that points nowhere points at nothing", () => {
    assert.equal(fromErrorRecord([2, 99]), undefined);
  });
});

/** Of anything there is a record that can be sent, and is not large. */
function isMadeOf(thrown: unknown): void {
  const record = structuredClone(toErrorRecord(thrown));
  fromErrorRecord(record);
  assert.ok(JSON.stringify(record).length < 1_000_000);
}

function withoutClass(): object {
  const prototype = Object.defineProperty(Object.create(Error.prototype) as object, "constructor", {
    get() {
      throw new Error("refused");
    },
  });
  return Object.create(prototype) as object;
}

function endless(depth: number): Error {
  return Object.defineProperty(new Error(`endless ${depth}`), "cause", { get: () => endless(depth + 1) });
}

function deep(depth: number): Error {
  return depth === 0 ? new Error("deepest") : new Error(`depth ${depth}`, { cause: deep(depth - 1) });
}

function tree(depth: number): Error {
  return depth === 0 ? new Error("leaf") : new AggregateError(Array.from({ length: 4 }, () => tree(depth - 1)));
}
