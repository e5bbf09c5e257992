import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { countOf, pack, unpack } from "../../src/protocol/packing.ts";
import { anything, plainData } from "./specimens.ts";

/** Lists of objects that have the same keys, or nearly. */
const shapes = fc
  .uniqueArray(fc.oneof(fc.string(), fc.constantFrom("id", "0", "7", "__proto__", "constructor")), { maxLength: 18 })
  .chain((keys) => {
    const cell = fc.oneof(
      { weight: 9, arbitrary: fc.oneof(fc.string(), fc.double(), fc.constant(undefined)) },
      plainData,
    );
    const member = fc
      .tuple(fc.array(cell, { minLength: keys.length, maxLength: keys.length }), fc.nat(60))
      .map(([cells, odd]) => {
        const object: Record<string, unknown> = {};
        for (const [at, key] of (odd === 0 ? keys.toReversed() : odd === 1 ? keys.slice(1) : keys).entries()) {
          Object.defineProperty(object, key, {
            value: cells[at],
            enumerable: true,
            configurable: true,
            writable: true,
          });
        }
        return object;
      });
    return fc.array(member, { maxLength: 12 });
  });

/** Lists of numbers, long enough to be packed or not, all whole or not, and some with something else among them. */
const numbers = fc
  .tuple(fc.constantFrom(fc.integer(), fc.maxSafeInteger(), fc.double()), fc.nat(80), fc.nat(160))
  .chain(([number, length, odd]) =>
    fc
      .tuple(
        fc.array(number, { minLength: length, maxLength: length }),
        fc.constantFrom(-0, Number.NaN, "1", undefined),
      )
      .map(([list, other]): unknown[] => (odd < length ? list.with(odd, other as never) : list)),
  );

function keysOf(object: unknown): string[] {
  return Object.keys(object as object);
}

describe("packing a list", () => {
  it("loses nothing, with a structured clone or without", () => {
    fc.assert(
      fc.property(fc.oneof(shapes, fc.array(plainData), fc.array(anything, { maxLength: 5 }), numbers), (list) => {
        const packed = pack(list);
        assert.equal(countOf(packed), list.length);
        assert.deepStrictEqual(Array.from(unpack(packed)), list);
        assert.deepStrictEqual(Array.from(unpack(structuredClone(packed))), structuredClone(list));
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps the order of keys", () => {
    const list = [1, 2, 3].map((n) => ({ z: n, a: n, "1": n }));
    assert.deepEqual(Array.from(unpack(pack(list)), keysOf), list.map(keysOf));
  });

  it("makes columns of three or more small objects of one shape", () => {
    const list = [1, 2, 3].map((id) => ({ id, ok: true }));
    assert.deepEqual(pack(list), { keys: ["id", "ok"], cells: [1, true, 2, true, 3, true] });
    assert.deepEqual(pack(list.slice(1)), list.slice(1));
  });

  it("makes one piece of memory of many numbers", () => {
    const whole = Array.from({ length: 40 }, (_, at) => at - 20);
    assert.deepEqual(pack(whole), Int32Array.from(whole));
    for (const odd of [0.5, -0, Number.NaN, 2 ** 31]) {
      assert.deepEqual(pack([...whole, odd]), Float64Array.from([...whole, odd]));
    }
    assert.deepEqual(pack([...whole, "1"]), [...whole, "1"]);
    assert.deepEqual(pack(whole.slice(20)), whole.slice(20));
  });

  it("leaves other lists as they are", () => {
    const lists: readonly unknown[][] = [
      [],
      [1, 2, 3],
      [{ a: 1 }, { a: 1 }, { b: 1 }],
      [{ a: 1 }, { a: 1 }, { a: 1, b: 1 }],
      [
        { a: 1, b: 2 },
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      [{ a: 1, b: 2 }, { a: 1, b: 2 }, { a: 1 }],
      [{ a: {} }, { a: {} }, { a: {} }],
      [{}, {}, {}],
      [[1], [1], [1]],
      [new Map(), new Map(), new Map()],
      [{ a: 1 }, null, { a: 1 }],
    ];
    for (const list of lists) assert.equal(pack(list), list);
  });

  it("makes no shape of somebody's changes to the prototype of all objects", () => {
    Reflect.set(Object.prototype, "polluted", 1);
    try {
      const list = [{ a: 1 }, { a: 2 }, { a: 3 }];
      assert.deepEqual(Array.from(unpack(pack(list)), keysOf), [["a"], ["a"], ["a"]]);
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted");
    }
  });

  it("is not fooled by what no packer makes", () => {
    const forged = [
      { keys: ["__proto__"], cells: [{ polluted: 1 }] },
      { keys: "ab", cells: [1] },
      { keys: ["a"], cells: "no list" },
    ];
    for (const packed of forged) assert.equal(unpack(packed as never).length, 0);
  });
});
