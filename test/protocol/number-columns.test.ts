import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { putTogether, takeApart, writeColumns } from "../../src/protocol/number-columns.ts";

const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-0, Number.NaN, 2 ** 31 - 1, -(2 ** 31), 2 ** 31));
const lists = fc.oneof(
  fc.array(fc.integer(), { maxLength: 40 }),
  fc.array(number, { maxLength: 40 }),
  fc.array(fc.integer(), { maxLength: 40 }).map((list) => Int32Array.from(list)),
  fc.array(number, { maxLength: 40 }).map((list) => Float64Array.from(list)),
);
const members = fc.array(fc.oneof(lists, fc.anything()), { minLength: 1, maxLength: 5 });

/** There and back, from any place in a piece of memory. */
function carried(message: readonly unknown[], from: number): unknown[] | undefined {
  const apart = takeApart(message, [...message.keys()]);
  if (apart === undefined) return undefined;
  const bytes = new Uint8Array(from + apart.bytes);
  writeColumns(bytes, apart);
  const rest = [...apart.rest];
  putTogether(rest, bytes, from);
  return rest;
}

describe("lists of numbers as memory", () => {
  it("come back as they were, each in its place, and leave everything else alone", () => {
    fc.assert(
      fc.property(members, fc.nat(9), (message, from) => {
        const back = carried(message, from) ?? message;
        for (const [at, member] of message.entries()) {
          const isTyped = member instanceof Int32Array || member instanceof Float64Array;
          if (isTyped && !ArrayBuffer.isView(back[at])) assert.deepStrictEqual(back[at], Array.from(member));
          else assert.deepStrictEqual(back[at], member);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("are taken where they are long and of numbers alone", () => {
    const long = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    // oxlint-disable-next-line no-sparse-arrays -- tasks may give such lists
    const holes = [1, 2, 3, , 5, 6, 7, 8, 9];
    assert.equal(
      takeApart([[1, 2], long.map(String), [...long, null], holes, "123456789"], [0, 1, 2, 3, 4]),
      undefined,
    );
    assert.deepEqual(takeApart([long, long, long], [1])?.rest, [long, [], long]);
  });

  it("take four bytes a number where all are 32-bit integers, eight otherwise", () => {
    const bytesOf = (list: number[]): number => takeApart([list], [0])!.bytes - 6;
    const long = [1, 2, 3, 4, 5, 6, 7, 8];
    assert.equal(bytesOf(long), 32);
    for (const odd of [0.5, -0, 2 ** 31, Number.NaN]) assert.equal(bytesOf([...long.slice(1), odd]), 64);
  });

  it("are a ProtocolError where they are garbage, and never anything else", () => {
    const apart = takeApart([[1, 2, 3, 4, 5, 6, 7, 8], "x", [0.5, 2, 3, 4, 5, 6, 7, 8]], [0, 2])!;
    const sound = new Uint8Array(apart.bytes);
    writeColumns(sound, apart);
    let refused = 0;
    const broken = fc.tuple(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length));
    fc.assert(
      fc.property(broken, ([at, byte, length]) => {
        try {
          putTogether([[], "x", []], sound.with(at, byte).subarray(0, length), 0);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
          refused++;
        }
      }),
      { numRuns: 1_000 },
    );
    assert.ok(refused > 100, `${refused} of 1,000 were refused`);
  });
});
