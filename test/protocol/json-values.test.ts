import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import { JsonValues } from "../../src/protocol/json-values.ts";

const values = new JsonValues(types.isProxy);
const loop: Record<string, unknown> = {};
loop["self"] = { loop };

/** What JSON has no word for, and what is said of it. */
const refused: readonly (readonly [unknown, string])[] = [
  [Number.NaN, "JSON has no NaN"],
  [[1, Number.POSITIVE_INFINITY], "JSON has no Infinity (at [1])"],
  [{ a: 1n }, "JSON has no BigInt (at .a)"],
  [new Map(), "JSON has no Map"],
  [{ when: new Date(0) }, "JSON has no Date (at .when)"],
  [new Uint8Array(2), "JSON has no Uint8Array"],
  [[() => {}], "JSON has no function (at [0])"],
  [Symbol("s"), "JSON has no symbol"],
  [[1, undefined], "JSON has no undefined (at [1])"],
  // biome-ignore lint/suspicious/noSparseArray: a list with a hole is what is tested
  // oxlint-disable-next-line no-sparse-arrays
  [[1, , 2], "JSON has no undefined (at [1])"],
  [new Proxy({}, {}), "JSON has no Proxy"],
  [loop, "JSON has no cycle (at .self.loop)"],
  [{ toJSON: () => 1 }, "JSON has no object with a toJSON of its own"],
];

describe("a value as JSON", () => {
  it("is read back as it was", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        assert.deepEqual(JSON.parse(values.text(plain)!), plain);
      }),
    );
  });

  it("is nothing for nothing, and leaves out members that are", () => {
    assert.equal(values.text(undefined), undefined);
    assert.equal(values.text({ a: undefined, b: -0 }), '{"b":0}');
  });

  it("may hold the same object twice", () => {
    const part = { n: 1 };
    assert.equal(values.text([part, part]), '[{"n":1},{"n":1}]');
  });

  for (const [value, message] of refused) {
    it(`is refused: ${message}`, () => {
      assert.throws(() => values.text(value), { name: "TypeError", message });
      assert.equal(values.text({ next: [1] }), '{"next":[1]}');
    });
  }
});
