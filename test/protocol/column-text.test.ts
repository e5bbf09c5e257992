import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { types } from "node:util";
import fc from "fast-check";
import { ColumnText, replyOf, requestOf } from "../../src/protocol/column-text.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import {
  ABORT,
  CHUNK_ITEMS,
  RUN,
  type RunRequest,
  type WorkerReply,
  type WorkerRequest,
} from "../../src/protocol/messages.ts";
import { pack as packWith } from "../../src/protocol/packer.ts";
import { type MaybePacked, unpack } from "../../src/protocol/packing.ts";

const text = new ColumnText(types.isProxy);
const value = fc.oneof(
  { weight: 1, arbitrary: fc.constant(undefined) },
  { weight: 4, arbitrary: fc.jsonValue().map((one) => JSON.parse(JSON.stringify(one)) as unknown) },
  { weight: 2, arbitrary: fc.record({ id: fc.integer(), name: fc.string() }, { noNullPrototype: true }) },
  { weight: 2, arbitrary: fc.integer() },
);
const values = fc.array(value, { maxLength: 60 });

const pack = (list: readonly unknown[]): MaybePacked => packWith(list, types.isProxy);

const there = (request: WorkerRequest): WorkerRequest => requestOf(JSON.parse(text.request(request)));
const back = (reply: WorkerReply): WorkerReply => replyOf(JSON.parse(text.reply(reply)));

describe("columns as text", () => {
  it("bring tasks as they were, packed or not", () => {
    fc.assert(
      fc.property(values, (list) => {
        const request: RunRequest = [RUN, "task", list.map((_, at) => at), 1, pack(list), 0];
        const came = there(request) as RunRequest;
        assert.deepEqual([came[1], came[2], came[3], came[5]], [request[1], request[2], 1, 0]);
        assert.deepEqual(Array.from(unpack(came[4])), list);
      }),
    );
  });

  it("bring chunks as they were", () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        const inputs = [pack(one), "alone", pack(other)];
        const request: RunRequest = [RUN, "task", [1, 2, 3], 1, inputs, [{ isChunk: true }, 0, { isChunk: true }]];
        const came = unpack((there(request) as RunRequest)[4]);
        assert.deepEqual(Array.from(unpack(came[0] as never)), one);
        assert.equal(came[1], "alone");
        assert.deepEqual(Array.from(unpack(came[2] as never)), other);
      }),
    );
  });

  it("bring answers as they were, and the values of chunks", () => {
    fc.assert(
      fc.property(values, values, (list, items) => {
        const tickets = list.map((_, at) => at);
        const came = back([tickets, tickets, pack(list), [[CHUNK_ITEMS, 9, 0, pack(items), 5]]]);
        assert.deepEqual(came[0], tickets);
        assert.deepEqual(Array.from(unpack(came[2])), list);
        const [event] = came[3] as unknown as [[number, number, number, never, number]];
        assert.deepEqual([event[0], event[1], event[2], event[4]], [CHUNK_ITEMS, 9, 0, 5]);
        assert.deepEqual(Array.from(unpack(event[3])), items);
      }),
    );
  });

  it("bring other requests as they were", () => {
    assert.deepEqual(there([ABORT, 7]), [ABORT, 7]);
  });

  it("say what has no JSON, and where it stands", () => {
    const inputs = [{ list: [1, { deep: new Map() }] }];
    assert.throws(() => text.request([RUN, "task", [1], 1, inputs, 0]), {
      name: "TypeError",
      message: "JSON has no Map (at .list[1].deep)",
    });
  });

  it("that are none are a ProtocolError, whatever they are", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (line) => {
        for (const read of [requestOf, replyOf]) {
          try {
            read(line);
          } catch (error) {
            assert.ok(error instanceof ProtocolError, String(error));
          }
        }
      }),
    );
  });
});
