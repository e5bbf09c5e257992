import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { FrameReader, HEADER_BYTES, JSON_FORMAT, V8_FORMAT, writeHeader } from "../../src/protocol/frames.ts";

interface Frame {
  readonly format: number;
  readonly payload: Uint8Array;
}

const frames = fc.array(
  fc.record(
    { format: fc.constantFrom(JSON_FORMAT, V8_FORMAT), payload: fc.uint8Array({ maxLength: 40 }) },
    { noNullPrototype: true },
  ),
  { maxLength: 8 },
);

function frameOf({ format, payload }: Frame): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  frame.set(payload, HEADER_BYTES);
  writeHeader(frame, format);
  return frame;
}

/** What a reader makes of the chunks. Payloads are views that hold within the call: they are copied. */
function read(chunks: Iterable<Uint8Array>): Frame[] {
  const got: Frame[] = [];
  const reader = new FrameReader((format, payload) => got.push({ format, payload: Uint8Array.from(payload) }));
  for (const chunk of chunks) reader.push(chunk);
  return got;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

function joined(list: readonly Frame[]): Uint8Array {
  return Uint8Array.from(list.flatMap((frame) => [...frameOf(frame)]));
}

describe("frames", () => {
  it("come out as they went in, wherever the bytes are split", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(400), { maxLength: 20 }), (list, cuts) => {
        assert.deepEqual(read(split(joined(list), cuts)), list);
      }),
      { numRuns: 1_000 },
    );
  });

  it("come out byte by byte, with nothing in between, and all at once", () => {
    fc.assert(
      fc.property(frames, (list) => {
        const bytes = joined(list);
        const one = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
        assert.deepEqual(read(one), list);
        assert.deepEqual(read(one.flatMap((byte) => [new Uint8Array(0), byte, new Uint8Array(0)])), list);
        assert.deepEqual(read([bytes]), list);
      }),
    );
  });

  it("come out as soon as they are whole", () => {
    const got: number[] = [];
    const reader = new FrameReader((_, payload) => got.push(payload.length));
    const [full, empty] = [3, 0].map((length) => frameOf({ format: JSON_FORMAT, payload: new Uint8Array(length) })) as [
      Uint8Array,
      Uint8Array,
    ];
    reader.push(full.subarray(0, -1));
    assert.deepEqual(got, []);
    reader.push(full.subarray(-1));
    assert.deepEqual(got, [3]);
    reader.push(empty.subarray(0, -1));
    assert.deepEqual(got, [3]);
    reader.push(empty.subarray(-1));
    assert.deepEqual(got, [3, 0]);
  });

  it("hold their length in four bytes, the smallest first", () => {
    const frame = new Uint8Array(HEADER_BYTES + 0x01_02_03);
    writeHeader(frame, V8_FORMAT);
    assert.deepEqual([...frame.subarray(0, HEADER_BYTES)], [3, 2, 1, 0, V8_FORMAT]);
  });

  it("of many megabytes come in chunks without being copied over and over", (t) => {
    const payload = new Uint8Array(4 * 2 ** 20).map((_, at) => at);
    const bytes = frameOf({ format: V8_FORMAT, payload });
    // The first cut is in the header.
    const cuts = Array.from({ length: 4_000 }, (_, i) => 2 + i * 1_000);
    let copied = 0;
    const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
    const { set } = typedArray;
    t.mock.method(typedArray, "set", function (this: Uint8Array, from: Uint8Array, at: number) {
      copied += from.length;
      set.call(this, from, at);
    });
    const [frame] = read(split(bytes, cuts)) as [Frame];
    assert.ok(copied >= bytes.length && copied < bytes.length * 1.1, `copied ${copied} bytes`);
    assert.ok(Buffer.from(frame.payload).equals(payload));
  });

  it("of more than two gigabytes are waited for", () => {
    const got: unknown[] = [];
    const reader = new FrameReader((...frame) => got.push(frame));
    reader.push(Uint8Array.of(0x00, 0x00, 0x00, 0x80, V8_FORMAT));
    reader.push(new Uint8Array(1_000));
    assert.deepEqual(got, []);
  });

  it("that nobody wrote are a ProtocolError that shows how the bytes begin, as soon as the header is there", () => {
    const texts = ["Hello, world\n", "(node:12) Warning: x", "\0\0\0\0\0", "\u{1f4a5}\u{1f4a5}"];
    for (const text of texts) {
      const bytes = Buffer.from(text);
      const shown = [...bytes.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      for (const chunks of [[bytes], [...bytes].map((byte) => Uint8Array.of(byte))]) {
        assert.throws(
          () => read(chunks),
          (error) => error instanceof ProtocolError && error.message.includes(shown),
          JSON.stringify(text),
        );
      }
    }
  });

  it("that are garbage behind good ones do not take those back", () => {
    const got: number[] = [];
    const reader = new FrameReader((format) => got.push(format));
    const good = frameOf({ format: JSON_FORMAT, payload: Uint8Array.of(1) });
    assert.throws(() => reader.push(Buffer.concat([good, Buffer.from("garbage!")])), {
      code: "ERR_PROTOCOL",
      message: /begin with 67 61 72 62 61 67 65 21/,
    });
    assert.deepEqual(got, [JSON_FORMAT]);
  });
});
