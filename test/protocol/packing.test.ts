import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import * as packer from "../../src/protocol/packer.ts";
import { countOf, type Deep, type MaybePacked, unpack } from "../../src/protocol/packing.ts";
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

function pack(list: readonly unknown[]): MaybePacked {
  return packer.pack(list, types.isProxy);
}

function isColumns(packed: MaybePacked): packed is Deep {
  return typeof packed === "object" && "columns" in packed;
}

function keysOf(object: unknown): string[] {
  return Object.keys(object as object);
}

describe("packing a list", () => {
  it("does not ask what is no plain object for its keys: bytes have one for each of them", () => {
    let asked = 0;
    const bytes = new Proxy(new Uint8Array(3), {
      ownKeys: () => {
        asked++;
        return [];
      },
    });

    packer.pack([bytes, bytes, bytes], () => false);

    assert.equal(asked, 0);
  });

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

  it("makes one list of the values of small objects of one shape", () => {
    const list = [1, 2, 3].map((id) => ({ id, ok: true }));
    assert.deepEqual(pack(list), { keys: ["id", "ok"], cells: [1, true, 2, true, 3, true] });
    assert.deepEqual(pack(list.slice(1)), list.slice(1));
    const mixed = [...list, ...list, ...list, { id: 4 }, 5, ...list, { ok: true, id: 6 }];
    assert.deepStrictEqual(unpack(pack(mixed)), mixed);
  });

  it("makes columns of objects, however deep, and of one shape or several", () => {
    const list = Array.from({ length: 12 }, (_, id) => ({
      id,
      name: `number ${id}`,
      text: "a text that is longer than a dozen",
      parts: [{ ok: id % 2 === 0 }, { ok: true, why: null }],
      ...(id % 3 === 0 ? { extra: 12n } : {}),
    }));
    const packed = pack(list);
    assert.ok(isColumns(packed));
    const [, , , , long, shapes] = packed.columns;
    assert.deepEqual([(long as string[]).length, (shapes as string[][]).length], [12 + 4, 4]);
    assert.deepStrictEqual(unpack(packed), list);
  });

  it("leaves few and small values a list, of copies", () => {
    const list = [{ id: 1, ok: true }, "two", 3];
    const packed = pack(list);
    assert.ok(Array.isArray(packed));
    assert.deepStrictEqual(packed, list);
    assert.notEqual(packed[0], list[0]);
  });

  it("makes one piece of memory of many numbers", () => {
    const whole = Array.from({ length: 40 }, (_, at) => at - 20);
    assert.deepEqual(pack(whole), Int32Array.from(whole));
    for (const odd of [0.5, -0, Number.NaN, 2 ** 31]) {
      assert.deepEqual(pack([...whole, odd]), Float64Array.from([...whole, odd]));
    }
    assert.deepStrictEqual(unpack(pack([...whole, "1"])), [...whole, "1"]);
    assert.deepEqual(pack(whole.slice(20)), whole.slice(20));
  });

  it("does not share a text that was cut out of a long one", () => {
    const list = Array.from({ length: 40 }, (_, at) => `${at} of forty texts`);
    const packed = pack(list);
    assert.ok(isColumns(packed));
    assert.deepEqual(packed.columns.slice(3), ["", list, 0]);
  });

  it("leaves a list as it is where something in it is not plain or is large", () => {
    class Point {
      x = 1;
    }
    const twice = { a: 1 };
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    const odd: readonly unknown[] = [
      new Map(),
      new Date(0),
      new Point(),
      Object.create(null),
      Object.assign(Object.create({ inherited: 1 }) as object, { a: 1 }),
      new Uint8Array(3),
      Symbol("s"),
      () => 1,
      { deep: [new Set()] },
      new Array(3),
      Object.assign([1, 2], { index: 0 }),
      /(b)/.exec("abc"),
      { one: twice, two: twice },
      cyclic,
      JSON.parse('{"__proto__":{"polluted":1}}'),
      new Proxy({ a: 1 }, {}),
      new Array(65).fill(0),
      "x".repeat(64 * 1024 + 1),
      Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`k${at}`, at])),
      {
        get broken(): number {
          throw new Error("no");
        },
      },
      Array.from({ length: 30 }, () => Array.from({ length: 30 }, () => ({}))),
    ];
    for (const value of odd) {
      const list = [{ a: 1 }, value, { a: 2 }];
      assert.equal(pack(list), list);
    }
  });

  it("takes what comes after a value that it did not take", () => {
    const some = new packer.Packer(types.isProxy);
    const good = (n: number): object => ({ n, name: `number ${n}`, list: [n, "a text that is longer than a dozen"] });
    for (let n = 0; n < 10; n++) {
      assert.ok(some.add(good(n)));
      assert.ok(!some.add({ ...good(n), list: [n, "a text that is longer than a dozen", new Map()] }));
    }
    assert.deepStrictEqual(
      unpack(some.take()),
      Array.from({ length: 10 }, (_, n) => good(n)),
    );
    assert.equal(some.count, 0);
    assert.ok(some.add(1));
    assert.deepStrictEqual(some.take(), [1]);
  });

  it("gives up one value rather than name too many shapes, and goes on with the next message", () => {
    const some = new packer.Packer(types.isProxy);
    let taken = 0;
    while (some.add({ [`key ${taken}`]: taken })) taken++;
    assert.equal(taken, 240);
    assert.equal(countOf(some.take()), taken);
    assert.ok(some.add({ [`key ${taken}`]: taken }));
  });

  it("makes no shape of somebody's changes to the prototype of all objects", () => {
    Reflect.set(Object.prototype, "polluted", 1);
    try {
      const list = Array.from({ length: 12 }, (_, a) => ({ a, b: { c: a } }));
      assert.deepEqual(Array.from(unpack(pack(list)), keysOf), Array(12).fill(["a", "b"]));
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted");
    }
  });

  it("refuses what no packer makes", () => {
    const char = String.fromCharCode;
    const forged: readonly unknown[] = [
      [1, char(16), [], "", 0, [["__proto__"]]],
      [1, char(16), [], "", 0, 0],
      [1, char(300), [], "", 0, []],
      [1, char(8), new Float64Array([1e300]), "", 0, 0],
      [1, char(8), [], "", 0, 0],
      [1, new Uint8Array([4]), [1], "", 0, 0],
      [1, char(16), [], "", 0, ["ab"]],
      [3, "", [], "", 0, 0],
      [1, char(4), [1], "", "no list", 0],
      "no list",
    ];
    const flat: readonly object[] = [
      { keys: ["__proto__"], cells: [{ polluted: 1 }] },
      { keys: "ab", cells: [1] },
      { keys: ["a"], cells: "no list" },
      { keys: [], cells: [1] },
    ];
    for (const packed of flat) assert.throws(() => unpack(packed as never), { name: "ProtocolError" });
    for (const columns of forged) assert.throws(() => unpack({ columns } as never), { name: "ProtocolError" });
  });
});
