import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { LineReader } from "../../src/protocol/lines.ts";

/** The lines of these bytes, which come in pieces of the given lengths, again and again. */
function linesOf(bytes: Uint8Array, pieces: readonly number[]): string[] {
  const lines: string[] = [];
  const reader = new LineReader((line) => void lines.push(line));
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const length = pieces[piece % pieces.length]!;
    reader.push(bytes.subarray(at, at + length));
    at += length;
  }
  reader.end();
  return lines;
}

const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

describe("lines of a stream", () => {
  it("are the same however the bytes are split", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), pieces, (texts, lengths) => {
        const lines = texts.map((text) => text.replaceAll("\n", ""));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        assert.deepEqual(
          linesOf(bytes, lengths),
          lines.filter((line) => line !== ""),
        );
      }),
    );
  });

  it("may be any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), pieces, (bytes, lengths) => {
        assert.deepEqual(linesOf(bytes, lengths), linesOf(bytes, [1000]));
      }),
    );
  });

  it("need no line feed at the end", () => {
    assert.deepEqual(linesOf(Buffer.from("one\ntwo"), [3]), ["one", "two"]);
  });

  it("that can be no message are refused before they end", () => {
    const reader = new LineReader(
      () => {},
      (byte) => byte === 123,
    );
    reader.push(Buffer.from('{"a":1}\n{"b"'));
    reader.push(Buffer.from(":2}\n"));
    assert.throws(() => reader.push(Buffer.from("Hello, I am no message")), {
      name: "ProtocolError",
      message: 'Cannot read message: it begins with "Hello, I am no message"',
    });
  });

  it("that have no end are refused, and what came of them is not kept", () => {
    const reader = new LineReader(() => {});
    const megabytes = Buffer.alloc(64 * 2 ** 20, "x");
    assert.throws(() => {
      for (let i = 0; i < 10; i++) reader.push(megabytes);
    }, ProtocolError);
  });
});
