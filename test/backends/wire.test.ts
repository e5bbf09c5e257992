import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decoder, encodeReply, encodeRequest, readFrame } from "../../src/backends/wire.ts";
import { replyOf, requestOf } from "../../src/protocol/column-text.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { COLUMNS_FORMAT, HEADER_BYTES } from "../../src/protocol/frames.ts";
import { RUN, type RunRequest, type TaskExtras, type WorkerReply } from "../../src/protocol/messages.ts";
import { type MaybePacked, unpack } from "../../src/protocol/packing.ts";
import { plainData } from "../protocol/specimens.ts";

const ticket = fc.integer({ min: 1, max: 2 ** 30 - 1 });
const value = fc.oneof(plainData, fc.constantFrom(new Map([[1, new Set(["a"])]]), new Date(0), Uint8Array.of(1, 2)));
/** As many as there are tasks: numbers in memory or in a list, or anything. */
function values(count: number): fc.Arbitrary<MaybePacked> {
  const bounds = { minLength: count, maxLength: count };
  return fc.oneof(
    fc.array(fc.integer(), bounds).map((list) => Int32Array.from(list)),
    fc.array(fc.double(), bounds).map((list) => Float64Array.from(list)),
    fc.array(fc.oneof(fc.integer(), fc.double()), bounds),
    fc.array(value, bounds),
  );
}
const counts = fc.integer({ min: 1, max: 40 });
const extra = fc.constantFrom<TaskExtras | 0>(0, { attempt: 2 }, { priority: Number.NEGATIVE_INFINITY, isTimed: true });
const requests: fc.Arbitrary<RunRequest> = counts.chain((count) => {
  const bounds = { minLength: count, maxLength: count };
  return fc.tuple(
    fc.constant(RUN),
    fc.oneof(fc.string(), fc.array(fc.string(), bounds)),
    fc.array(ticket, bounds),
    fc.oneof(fc.maxSafeInteger(), fc.array(fc.oneof(fc.integer(), fc.string()), bounds), fc.array(fc.nat(), bounds)),
    values(count),
    fc.oneof(fc.constant(0 as const), fc.array(extra, bounds)),
  );
});
const replies: fc.Arbitrary<WorkerReply> = counts.chain((count) => {
  const bounds = { minLength: count, maxLength: count };
  return fc.tuple(fc.array(ticket, bounds), fc.array(fc.nat(), bounds), values(count), fc.constant(0 as const));
});

const listed = (message: readonly unknown[], at: number): unknown[] =>
  message.map((member, place) => (place === at ? Array.from(unpack(member as MaybePacked)) : member));

describe("a message as a frame", () => {
  it("comes back as it was, whatever it holds: requests", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const back = requestOf(readFrame(encodeRequest(request)));
        assert.deepStrictEqual(listed(back, 4), listed(request, 4));
      }),
      { numRuns: 500 },
    );
  });

  it("comes back as it was, whatever it holds: replies, and those that came out of a clone", () => {
    fc.assert(
      fc.property(replies, fc.boolean(), (reply, isCloned) => {
        const back = replyOf(readFrame(encodeReply(isCloned ? structuredClone(reply) : reply)));
        assert.deepStrictEqual(listed(back, 2), listed(reply, 2));
      }),
      { numRuns: 500 },
    );
  });

  it("is read from a stream that splits anywhere", () => {
    fc.assert(
      fc.property(fc.array(replies, { minLength: 1, maxLength: 4 }), fc.nat(), (sent, seed) => {
        const got: unknown[] = [];
        const reader = decoder((message) => got.push(listed(message as WorkerReply, 2)));
        const bytes = Buffer.concat(sent.map(encodeReply));
        for (let at = 0, step = 1 + (seed % 50); at < bytes.length; at += step)
          reader.push(bytes.subarray(at, at + step));
        assert.deepStrictEqual(
          got,
          sent.map((reply) => listed(reply, 2)),
        );
      }),
    );
  });

  it("has its lists of numbers as memory: some four bytes a number", () => {
    const tickets = Array.from({ length: 1_000 }, (_, at) => 10_000_000 + at);
    const frame = encodeReply([tickets, tickets, tickets, 0]);
    assert.equal(frame[HEADER_BYTES - 1], COLUMNS_FORMAT);
    assert.ok(frame.length < 12_100, `${frame.length} bytes`);
  });

  it("leaves an input with words beside it where those say how it is read", () => {
    const count = 10;
    const chunk = { isChunk: true } as const;
    const request: RunRequest = [
      RUN,
      "task",
      Array.from({ length: count }, (_, at) => at + 1),
      1,
      Array.from({ length: count }, () => Int32Array.of(1, 2, 3)),
      Array.from({ length: count }, () => chunk),
    ];
    assert.deepStrictEqual(requestOf(readFrame(encodeRequest(request))), request);
  });

  it("with columns is a ProtocolError where it is garbage, and never anything else", () => {
    const numbers = Array.from({ length: 10 }, (_, at) => at);
    const sound = encodeReply([numbers, numbers, numbers, 0]);
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.nat(255), (at, byte) => {
        try {
          replyOf(readFrame(Buffer.from(sound.with(at, byte))));
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
          refused++;
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(refused > 300, `${refused} of 2,000 were refused`);
  });
});
