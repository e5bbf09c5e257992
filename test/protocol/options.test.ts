import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ConfigError } from "../../src/protocol/errors.ts";
import {
  anyNumber,
  anything,
  environment,
  flag,
  func,
  milliseconds,
  oneOf,
  positiveMilliseconds,
  positiveNumber,
  positiveWholeNumber,
  type Rule,
  type Rules,
  readOptions,
  seriesNames,
  show,
  signal,
  text,
  texts,
  wholeNumber,
} from "../../src/protocol/options.ts";

const rules = { size: wholeNumber, series: seriesNames, timeoutMs: positiveMilliseconds } satisfies Rules;
const read = (given: unknown) => ({ ...readOptions("threads()", given, rules) });
const nothing = { size: undefined, series: undefined, timeoutMs: undefined };

function refuses(act: () => unknown, ...parts: readonly string[]): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof ConfigError);
    for (const part of parts) assert.ok(error.message.includes(part), `${error.message} says nothing of ${part}`);
    return true;
  });
}

describe("reading options", () => {
  it("answers each by its name, undefined where it is not given", () => {
    assert.deepEqual(read({ size: 2, series: "a" }), { size: 2, series: ["a"], timeoutMs: undefined });
    for (const none of [undefined, {}, { size: undefined }, Object.create(null)]) assert.deepEqual(read(none), nothing);
  });

  it("refuses what is no object", () => {
    for (const wrong of [null, 1, "x", true, [], () => {}, Symbol("s"), 1n])
      refuses(() => read(wrong), "threads()", show(wrong));
  });

  it("refuses an unknown name, and says which one may be meant, or which ones there are", () => {
    refuses(() => read({ sise: 1 }), '"sise"', "threads()", 'did you mean "size"?');
    refuses(() => read({ TIMEOUTMS: 1 }), 'did you mean "timeoutMs"?');
    refuses(() => read({ quite: 1 }), '"quite"', "size, series, timeoutMs");
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      refuses(() => read(JSON.parse(`{"${name}": 1}`)), `"${name}"`);
    }
  });

  it("refuses a wrong value by name, with what was wanted and what it got", () => {
    refuses(() => read({ size: -1 }), '"size"', "threads()", "a whole number, 0 or more", "-1");
  });

  it("sees own properties only", () => {
    assert.deepEqual(read(Object.create({ size: 3, unknown: 1 })), nothing);
    class Given {
      get size(): number {
        return 3;
      }
    }
    assert.deepEqual(read(new Given()), nothing);
  });

  it("sees nothing of what somebody put on the prototype of all objects", () => {
    const names = ["size", "series", "timeoutMs", "unknown"];
    for (const name of names) Reflect.set(Object.prototype, name, "polluted");
    try {
      for (const given of [undefined, {}, { size: undefined }]) {
        const options = readOptions("threads()", given, rules);
        assert.deepEqual([options.size, options.series, options.timeoutMs], [undefined, undefined, undefined]);
        assert.equal(Reflect.get(options, "unknown"), undefined);
      }
    } finally {
      for (const name of names) Reflect.deleteProperty(Object.prototype, name);
    }
  });

  it("answers with the names of its rules, or throws a ConfigError, whatever it is given", () => {
    const names = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...Object.keys(rules)) }, fc.string());
    const values = fc.oneof(fc.nat(), fc.string(), fc.anything());
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(names, values), fc.anything()), (given) => {
        try {
          assert.deepEqual(Object.keys(read(given)), Object.keys(rules));
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
      }),
    );
  });
});

const nan = Number.NaN;
const infinity = Number.POSITIVE_INFINITY;
const never: readonly unknown[] = [nan, null, {}, Symbol("s"), "5"];

const table: Readonly<
  Record<string, { readonly rule: Rule<unknown>; readonly good: readonly unknown[]; readonly bad: readonly unknown[] }>
> = {
  milliseconds: { rule: milliseconds, good: [0, 0.5, 1e12, infinity], bad: [-1, -0.001, -infinity, ...never] },
  positiveMilliseconds: { rule: positiveMilliseconds, good: [0.1, 5, infinity], bad: [0, -0, -1, ...never] },
  wholeNumber: { rule: wholeNumber, good: [0, 1, 2 ** 40], bad: [-1, 0.5, infinity, ...never] },
  positiveWholeNumber: { rule: positiveWholeNumber, good: [1, 7], bad: [0, -1, 1.5, infinity, ...never] },
  anyNumber: { rule: anyNumber, good: [0, -1.5, infinity, -infinity], bad: [nan, "1", null, 1n] },
  positiveNumber: { rule: positiveNumber, good: [0.1, infinity], bad: [0, -1, ...never] },
  flag: { rule: flag, good: [true, false], bad: [0, 1, "true", null] },
  text: { rule: text, good: ["a", " "], bad: ["", 1, null, ["a"]] },
  texts: { rule: texts, good: [[], ["a", ""]], bad: ["a", [1], ["a", null], null, {}] },
  anything: { rule: anything, good: [null, 0, "", {}], bad: [] },
  func: { rule: func, good: [() => {}, class {}], bad: [null, {}, "x"] },
  signal: { rule: signal, good: [new AbortController().signal], bad: [new AbortController(), {}, null] },
  environment: {
    rule: environment,
    good: [{}, { A: "1", B: undefined }],
    bad: [null, "A=1", { A: 1 }, { A: null }, ["A=1"]],
  },
  "oneOf(a, b)": { rule: oneOf("a", "b"), good: ["a", "b"], bad: ["c", "", null, ["a"]] },
};

describe("the rules", () => {
  for (const [name, { rule, good, bad }] of Object.entries(table)) {
    it(`take what they should and nothing else: ${name}`, () => {
      for (const value of good) assert.equal(readOptions("x", { value }, { value: rule }).value, value);
      for (const value of bad) refuses(() => readOptions("x", { value }, { value: rule }), '"value"', show(value));
    });
  }

  it("make a list of series of one", () => {
    assert.deepEqual(read({ series: "a" }).series, ["a"]);
    assert.deepEqual(read({ series: ["a", "b"] }).series, ["a", "b"]);
    for (const series of ["", [""], [1], 1, null]) refuses(() => read({ series }), '"series"');
  });
});

describe("showing a value", () => {
  it("is short, and never throws", () => {
    const shown: readonly (readonly [unknown, string])[] = [
      ["a", '"a"'],
      ["x".repeat(100), `"${"x".repeat(60)}…"`],
      [1n, "1n"],
      [-0, "0"],
      [nan, "NaN"],
      [null, "null"],
      [undefined, "undefined"],
      [Symbol("s"), "a symbol"],
      [() => {}, "a function"],
      [[1], "a list"],
      [Object.create(null), "an object"],
    ];
    for (const [value, expected] of shown) assert.equal(show(value), expected);
  });
});
