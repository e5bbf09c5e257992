import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import {
  DATA,
  type FrameType,
  HELLO,
  NO_SESSION,
  REFUSE,
  readFrame,
  VersionError,
  writeFrame,
} from "../../src/protocol/session/frame.ts";

const session = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => String.fromCharCode(...bytes));
const count = fc.maxSafeNat();

describe("a frame of a session", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: HELLO, max: REFUSE }),
        session,
        count,
        count,
        fc.uint8Array(),
        (type, id, seq, ack, body) => {
          const frame = readFrame(writeFrame(type as FrameType, id, seq, ack, body));
          assert.deepEqual({ ...frame, body: [...frame.body] }, { type, session: id, seq, ack, body: [...body] });
        },
      ),
    );
  });

  it("has the layout that the reference says", () => {
    const bytes = writeFrame(DATA, "\x01\x02\x03\x04\x05\x06\x07\x08", 2 ** 32 + 5, 7, Uint8Array.of(9));
    assert.equal(
      Buffer.from(bytes).toString("hex"),
      "6d68" + "01" + "03" + "0102030405060708" + "0500000001000000" + "0700000000000000" + "09",
    );
  });

  it("of anything else is a ProtocolError, never a crash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          readFrame(bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      }),
    );
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [new Uint8Array(0), /not of this protocol \(0 bytes, empty\)/],
      [Buffer.from("GET / HTTP/1.1\r\n"), /not of this protocol \(16 bytes, beginning with 47 45 54/],
      [writeFrame(DATA, NO_SESSION, 0, 0).subarray(0, 20), /ends within its header \(20 bytes\)/],
      [Object.assign(writeFrame(DATA, NO_SESSION, 0, 0), { 3: 99 }), /unknown type 99/],
      [Object.assign(writeFrame(DATA, NO_SESSION, 0, 0), { 19: 0xff }), /its seq is past 2\^53/],
    ];
    for (const [bytes, complaint] of cases) assert.throws(() => readFrame(bytes), complaint);
  });

  it("of another version says so", () => {
    const frame = Object.assign(writeFrame(HELLO, NO_SESSION, 0, 0), { 2: 2 });
    assert.throws(
      () => readFrame(frame),
      (error) => error instanceof VersionError && /version 2 of the protocol, and only 1 is known/.test(error.message),
    );
  });
});
