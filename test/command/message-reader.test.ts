import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import { MessageReader } from "../../src/backends/command/message-reader.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { Msgpack } from "../../src/protocol/msgpack.ts";
import { jsonFrame, msgpackFrame } from "../../src/worker/message-frames.ts";
import { loadMsgpack } from "../../src/worker/msgpack-library.ts";

const msgpack = new Msgpack(loadMsgpack()!, types.isProxy);
const HELLO = { type: "hello", protocol: 1 };

interface Heard {
  readonly messages: object[];
  readonly lines: string[];
}

/** What a reader makes of the bytes. The first message is the hello; after one of the type `last`, other lines are welcome. */
function read(chunks: Iterable<Uint8Array>, isFramed: boolean): Heard {
  const heard: Heard = { messages: [], lines: [] };
  let isLast = false;
  const reader = new MessageReader({
    get takesOther(): boolean {
      return isLast;
    },
    message: (message) => {
      if (heard.messages.push(message) === 1) reader.greeted(isFramed ? msgpack : undefined);
      isLast = Reflect.get(message, "type") === "last";
    },
    other: (line) => {
      if (!isLast) throw new ProtocolError(`not welcome: ${line}`);
      heard.lines.push(line);
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return heard;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const message = fc.oneof(
  fc.record({ type: fc.constant("result"), value: fc.jsonValue({ maxDepth: 2 }) }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("item"), value: fc.uint8Array({ maxLength: 20 }) }, { noNullPrototype: true }),
);
const lineOf = (one: object): string => `${JSON.stringify(one)}\n`;

function bytesOf(messages: readonly object[], tail: readonly string[]): Buffer {
  const frames = messages.map((one) =>
    Reflect.get(one, "type") === "item" ? msgpackFrame(msgpack.encode(one)) : jsonFrame(lineOf(one)),
  );
  const plain = tail.map((line) => `${line}\n`).join("");
  return Buffer.concat([
    Buffer.from(lineOf(HELLO)),
    ...frames,
    jsonFrame(lineOf({ type: "last" })),
    Buffer.from(plain),
  ]);
}

describe("the reader of a worker's messages", () => {
  it("gives lines, frames of either kind and the tail as they were, wherever the bytes are split", () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(message), words, fc.array(fc.nat(2_000)), (messages, tail, cuts) => {
        const { messages: came, lines } = read(split(bytesOf(messages, tail), cuts), true);
        assert.deepEqual(came, asSent([HELLO, ...messages, { type: "last" }]));
        assert.deepEqual(lines, tail);
      }),
      { numRuns: 500 },
    );
  });

  it("takes several messages in one frame, and a frame without a line feed", () => {
    const bytes = Buffer.concat([
      Buffer.from(lineOf(HELLO)),
      jsonFrame(lineOf({ type: "a" }) + lineOf({ type: "b" })),
      jsonFrame('{"type":"c"}'),
    ]);
    assert.deepEqual(read([bytes], true).messages, [HELLO, { type: "a" }, { type: "b" }, { type: "c" }]);
  });

  it("knows no frames where none were agreed on", () => {
    const bytes = Buffer.concat([Buffer.from(lineOf(HELLO)), jsonFrame(lineOf({ type: "a" }))]);
    assert.throws(() => read([bytes], false), ProtocolError);
  });

  it("refuses what is no message, with its first bytes", () => {
    const hello = Buffer.from(lineOf(HELLO));
    const cases: readonly (readonly [Buffer, RegExp])[] = [
      [Buffer.from("GARBAGE\n"), /unknown format 65 \(its bytes begin with 47 41 52 42 41 47 45 0a "GARBAGE\."/],
      [Buffer.from([0, 0, 0, 255, 3]), /4278190080 bytes are too many/],
      [msgpackFrame(Uint8Array.of(1)), /it is number/],
      [msgpackFrame(Uint8Array.of(0xc4, 0)), /it is no object/],
      [msgpackFrame(Uint8Array.of(0xc1)), /never used/],
      [jsonFrame("{nonsense\n"), /it is no JSON and begins with "\{nonsense/],
      [jsonFrame("nonsense\n"), /not welcome: nonsense/],
    ];
    for (const [bytes, pattern] of cases) {
      assert.throws(
        () => read([hello, bytes], true),
        (error) => error instanceof ProtocolError && pattern.test(error.message),
        String(pattern),
      );
    }
  });

  it("makes messages or a ProtocolError of any bytes", () => {
    const garbage = fc.oneof(
      fc.uint8Array(),
      fc
        .tuple(fc.array(message, { minLength: 1 }), fc.array(fc.tuple(fc.nat(), fc.nat(255))))
        .map(([list, changes]) => {
          const bytes = bytesOf(list, []);
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          return bytes;
        }),
    );
    fc.assert(
      fc.property(garbage, fc.boolean(), (bytes, isFramed) => {
        try {
          read([bytes], isFramed);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

/** Those that went as JSON, as that brings them. */
function asSent(messages: readonly object[]): object[] {
  return messages.map((one) =>
    Reflect.get(one, "type") === "item" ? one : (JSON.parse(JSON.stringify(one)) as object),
  );
}
