import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import { NOT_PLAIN, PlainCopier } from "../../src/protocol/plain-copy.ts";
import { anything, hostileGetters, hostileProxies, objectsOf, plainData } from "./specimens.ts";

const copier = new PlainCopier(types.isProxy);

function clone(value: unknown): { readonly value: unknown } | undefined {
  try {
    return { value: structuredClone(value) };
  } catch {
    return undefined;
  }
}

describe("a plain copy", () => {
  it("of plain data equals its structured clone", () => {
    fc.assert(
      fc.property(plainData, (value) => {
        assert.deepStrictEqual(copier.copy(value), structuredClone(value));
      }),
      { numRuns: 1_000 },
    );
  });

  it("of anything else is what a structured clone would be, or is not made", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const copy = copier.copy(value);
        if (copy !== NOT_PLAIN) assert.deepStrictEqual({ value: copy }, clone(value));
      }),
      { numRuns: 2_000 },
    );
  });

  it("shares no object with the original", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const copy = copier.copy(value);
        if (copy === NOT_PLAIN) return;
        const originals = objectsOf(value);
        for (const object of objectsOf(copy)) assert.ok(!originals.has(object));
      }),
    );
  });

  it("shares no object with another copy", () => {
    const shared = { deep: [1] };
    const [a, b] = [copier.copy({ shared }), copier.copy({ shared })] as [{ shared: object }, { shared: object }];
    assert.notEqual(a.shared, b.shared);
    assert.notEqual(a.shared, shared);
  });

  it("keeps what a change of the original would take away", () => {
    const value = { list: [1, { two: 2 }], text: "x" };
    const copy = copier.copy(value);
    value.list.push(3);
    value.text = "y";
    (value.list[1] as { two: number }).two = 9;
    assert.deepEqual(copy, { list: [1, { two: 2 }], text: "x" });
  });

  const others: Readonly<Record<string, unknown>> = {
    "a function": () => {},
    "a symbol": Symbol("s"),
    "an object with a function": { run() {} },
    "a list with a symbol": [Symbol("s")],
    "a Map": new Map(),
    "a Set": new Set(),
    "a Date": new Date(0),
    "a regular expression": /x/,
    "an Error": new Error("x"),
    "a buffer": Buffer.from("x"),
    "a typed array": new Uint8Array(1),
    "an array buffer": new ArrayBuffer(1),
    "a promise": Promise.resolve(1),
    "an object of a class": new (class Own {
      x = 1;
    })(),
    "a list of a class": new (class Own extends Array {})(),
    "an object without a prototype": Object.create(null),
    "a boxed number": Object(1),
    "a proxy": new Proxy({ a: 1 }, {}),
    "an object with a proxy": { a: new Proxy({}, {}) },
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    "a list with a hole": [1, , 3],
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    "a list with a hole and one property": Object.assign([1, , 3], { extra: 1 }),
    "a list with a property": Object.assign([1], { extra: 1 }),
    "a match": /x/.exec("x"),
    "a key that would set the prototype": JSON.parse('{"__proto__": {"polluted": 1}}'),
    "such a key further in": { a: [JSON.parse('{"__proto__": 1}')] },
    "an object that is met twice": (() => {
      const twice = {};
      return [twice, twice];
    })(),
    "a cycle": (() => {
      const cycle: Record<string, unknown> = {};
      cycle["self"] = cycle;
      return cycle;
    })(),
    "a long list": new Array(65).fill(0),
    "many objects": Array.from({ length: 60 }, () => Array.from({ length: 20 }, () => ({}))),
    "a long text": "x".repeat(65 * 1024),
    "many long texts": new Array(10).fill("x".repeat(10 * 1024)),
  };
  for (const [what, value] of Object.entries(others)) {
    it(`is not made of ${what}`, () => assert.equal(copier.copy(value), NOT_PLAIN));
  }

  it("is not made of what throws when it is read, and never throws itself", () => {
    for (const value of [...hostileProxies(), hostileGetters(), [hostileGetters()], { deep: hostileProxies()[0] }]) {
      assert.equal(copier.copy(value), NOT_PLAIN);
    }
  });

  it("is none the worse for one that failed before", () => {
    copier.copy({ a: { b: Symbol("s") } });
    copier.copy([{ x: 1 }, hostileGetters()]);
    assert.deepEqual(copier.copy({ a: { b: 1 } }), { a: { b: 1 } });
  });

  it("holds own properties only, whatever somebody put on the prototype of all objects", () => {
    Reflect.set(Object.prototype, "polluted", "yes");
    try {
      const copy = copier.copy({ a: 1 });
      assert.ok(copy === NOT_PLAIN || !Object.hasOwn(copy as object, "polluted"));
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted");
    }
  });

  it("is made of what is at the limits", () => {
    for (const value of [
      "x".repeat(64 * 1024),
      new Array(64).fill(1),
      Array.from({ length: 64 }, () => ({ a: [1] })),
    ]) {
      assert.deepEqual(copier.copy(value), value);
    }
  });
});
