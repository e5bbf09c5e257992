import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import { JsonSafety } from "../../src/protocol/json-safety.ts";
import { anything, hostileGetters, hostileProxies, plainData } from "./specimens.ts";

const safety = new JsonSafety(types.isProxy);

/** Symbols and their like are lost to every way of copying: what a structured clone keeps is the measure. */
function survives(value: unknown): void {
  assert.deepStrictEqual(JSON.parse(JSON.stringify(value)) as unknown, structuredClone(value));
}

describe("what is safe in JSON", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.oneof(anything, plainData), (value) => {
        if (safety.isSafe(value)) survives(value);
      }),
      { numRuns: 3_000 },
    );
  });

  it("is every value that JSON has a text for", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        fc.pre(!JSON.stringify(value).includes("-0"));
        // -0 is a number that JSON writes as 0.
        const hasMinusZero = (one: unknown): boolean =>
          Object.is(one, -0) || (typeof one === "object" && one !== null && Object.values(one).some(hasMinusZero));
        if (!hasMinusZero(value)) assert.ok(safety.isSafe(value));
      }),
    );
  });

  const unsafe: Readonly<Record<string, unknown>> = {
    undefined: undefined,
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    "-0": -0,
    "a bigint": 1n,
    "a symbol": Symbol("s"),
    "a function": () => {},
    "a member that is undefined": { a: undefined },
    "an element that is undefined": [undefined],
    "a -0 further in": { a: [{ b: -0 }] },
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    "a list with a hole": [1, , 3],
    "a list with a property": Object.assign([1], { extra: 1 }),
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    "a list with a hole and one property": Object.assign([1, , 3], { extra: 1 }),
    "a match": /x/.exec("x"),
    "a Map": new Map(),
    "a Set": new Set(),
    "a Date": new Date(0),
    "a buffer": Buffer.from("x"),
    "an object of a class": new (class Own {})(),
    "an object without a prototype": Object.create(null),
    "an object that says how it is written": { toJSON: () => 1 },
    "a boxed number": Object(1),
    "a proxy": new Proxy({}, {}),
    "an object that is met twice": (() => {
      const twice = {};
      return { a: twice, b: twice };
    })(),
    "a cycle": (() => {
      const cycle: unknown[] = [];
      cycle.push(cycle);
      return cycle;
    })(),
  };
  for (const [what, value] of Object.entries(unsafe)) {
    it(`is not ${what}`, () => assert.equal(safety.isSafe(value), false));
  }

  it("is nothing that throws when it is read", () => {
    for (const value of [...hostileProxies(), hostileGetters(), [hostileGetters()]])
      assert.equal(safety.isSafe(value), false);
  });

  it("is judged anew for each value", () => {
    const value = { a: { b: 1 } };
    assert.equal(safety.isSafe([value, value]), false);
    assert.equal(safety.isSafe(value), true);
    assert.equal(safety.isSafe(value), true);
  });

  it("is every text, lone surrogates and separators included", () => {
    for (const text of ["\u{d800}", "\u2028", "\0", "😀", '"\\']) {
      assert.ok(safety.isSafe(text));
      survives(text);
    }
  });

  it("may hold a key that is called __proto__", () => {
    const value: unknown = JSON.parse('{"__proto__": 1}');
    if (safety.isSafe(value)) survives(value);
  });
});
