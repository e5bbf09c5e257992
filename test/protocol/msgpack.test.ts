import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { Msgpack } from "../../src/protocol/msgpack.ts";
import { shapeOf } from "../../src/protocol/msgpack-shape.ts";
import { loadMsgpack } from "../../src/worker/msgpack-library.ts";

const msgpack = new Msgpack(loadMsgpack()!, types.isProxy);
const bytesOf = (value: unknown): Uint8Array => {
  msgpack.check(value);
  return Uint8Array.from(msgpack.encode(value));
};
const there = (value: unknown): unknown => msgpack.decode(bytesOf(value));

const key = fc.oneof(fc.string(), fc.constant("__proto__"), fc.constant("constructor"));
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double().map((one) => (one === 0 ? 0 : one)),
    fc.bigInt(),
    fc.string({ unit: "binary" }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.array(tie("value")),
    fc.array(fc.tuple(key, tie("value"))).map(objectOf),
  ),
})).value;

/** A plain object in which every key is a member, `__proto__` too. */
function objectOf(members: readonly (readonly [string, unknown])[]): object {
  const made = {};
  for (const [name, member] of members)
    Object.defineProperty(made, name, { value: member, enumerable: true, configurable: true, writable: true });
  return made;
}

function throwsProtocolError(act: () => unknown, message: RegExp): void {
  assert.throws(act, (error) => error instanceof ProtocolError && message.test(error.message));
}

describe("MessagePack", () => {
  it("brings what it has there and back as it was", () => {
    fc.assert(
      fc.property(value, (one) => assert.deepEqual(there(one), one)),
      { numRuns: 1_000 },
    );
  });

  it("leaves out members that are undefined, and makes bytes of a Buffer", () => {
    assert.deepEqual(there({ a: undefined, b: [Buffer.from("ab")] }), { b: [Uint8Array.of(97, 98)] });
  });

  it("gives bytes memory of their own", () => {
    const [one, two] = there([Uint8Array.of(1, 2), Uint8Array.of(3)]) as [Uint8Array, Uint8Array];
    assert.notEqual(one.buffer, two.buffer);
    assert.deepEqual([one.buffer.byteLength, two.buffer.byteLength], [2, 1]);
  });

  it("takes __proto__ for a key, and pollutes nobody", () => {
    const back = there(JSON.parse('{"__proto__":{"polluted":true},"a":1}')) as object;
    assert.equal(Object.getPrototypeOf(back), Object.prototype);
    assert.deepEqual(Object.keys(back).toSorted(), ["__proto__", "a"]);
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });

  it("refuses what it has not, and says where it stands", () => {
    class Own {
      toJSON(): number {
        return 1;
      }
    }
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [{ a: [new Map()] }, /^MessagePack has no Map \(at \.a\[0\]\)$/],
      [[1, undefined], /no undefined \(at \[1\]\)/],
      [() => 1, /no function/],
      [new Date(Number.NaN), /no Date/],
      [new Float64Array(1), /no Float64Array/],
      [new Uint8Array(new SharedArrayBuffer(1)), /no Uint8Array/],
      [new ArrayBuffer(1), /no ArrayBuffer/],
      [new Own(), /toJSON/],
      [new Proxy({}, {}), /no Proxy/],
      [["\ud800"], /no half of a character \(at \[0\]\)/],
      [10n ** 20_000n, /no BigInt/],
      [nested(600), /no cycle/],
    ];
    for (const [one, message] of cases) assert.throws(() => msgpack.check(one), { name: "TypeError", message });
  });

  it("is refused where it ends too early, wherever that is", () => {
    fc.assert(
      fc.property(value, fc.nat(), (one, cut) => {
        const bytes = bytesOf(one);
        throwsProtocolError(() => msgpack.decode(bytes.subarray(0, cut % bytes.length)), /Cannot read MessagePack/);
      }),
    );
  });

  it("is a value or a ProtocolError, whatever the bytes are", () => {
    const garbage = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      fc.tuple(value, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 })).map(([one, changes]) => {
        const bytes = bytesOf(one);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(garbage, (bytes) => {
        try {
          msgpack.decode(bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it("cannot ask for memory with a few bytes", () => {
    const list = [0xdd, 0xff, 0xff, 0xff, 0xff];
    throwsProtocolError(() => msgpack.decode(Uint8Array.from(list)), /ends too early for all that is announced/);
    const thousand = [0xdd, 0, 0, 3, 232];
    const many = Uint8Array.from({ length: 5_000 }, (_, at) => thousand[at % 5]!);
    throwsProtocolError(() => msgpack.decode(many), /ends too early/);
    throwsProtocolError(() => msgpack.decode(Uint8Array.from([0xc6, 0xff, 0xff, 0xff, 0xff, 1])), /it ends at byte 0/);
  });

  it("brings no extension that nobody knows, and no number that is none", () => {
    throwsProtocolError(() => msgpack.decode(Uint8Array.of(0x91, 0xd4, 7, 0)), /unknown extension 7 stands at byte 1/);
    throwsProtocolError(() => msgpack.decode(Uint8Array.of(0xd4, 1, 0x78)), /a whole number is none/);
    throwsProtocolError(() => msgpack.decode(Uint8Array.of(0xd4, 0xff, 0)), /Cannot read MessagePack/);
    throwsProtocolError(() => msgpack.decode(Uint8Array.of(0xc1)), /never used stands at byte 0/);
    throwsProtocolError(() => msgpack.decode(Uint8Array.of(1, 2)), /its value ends at byte 1 of 2/);
    throwsProtocolError(() => msgpack.decode(new Uint8Array(2_000).fill(0x91)), /more than 1000 levels/);
    throwsProtocolError(() => msgpack.decode(Uint8Array.of(0x81, 0xc0, 1)), /type of key/);
  });

  it("tells of bytes and of keys that need care", () => {
    assert.deepEqual(shapeOf(bytesOf([1, { a: "b" }])), { hasBytes: false, hasProto: false });
    assert.deepEqual(shapeOf(bytesOf({ a: [Uint8Array.of(1)] })), { hasBytes: true, hasProto: false });
    assert.deepEqual(shapeOf(bytesOf(["__proto__"])), { hasBytes: false, hasProto: true });
  });
});

function nested(depth: number): unknown {
  let deep: unknown = 0;
  for (let level = 0; level < depth; level++) deep = [deep];
  return deep;
}
