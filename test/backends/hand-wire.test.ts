import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ENDED,
  EntryWriter,
  entriesOf,
  numbersIn,
  objectIn,
  RECALL,
  REPLY,
  REQUEST,
  replyIn,
  requestIn,
} from "../../src/backends/hand-wire.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { RUN, type WorkerReply, type WorkerRequest } from "../../src/protocol/messages.ts";

const BODY_BYTES = 4_096;

function bodyOf(write: (writer: EntryWriter) => void): Uint8Array {
  const bodies: Uint8Array[] = [];
  const writer = new EntryWriter((body) => bodies.push(body), BODY_BYTES);
  write(writer);
  writer.flush();
  return Buffer.concat(bodies);
}

const request: WorkerRequest = [RUN, "task", [1, 2], 7, [new Map([[1, 2]]), "two"], 0];
const reply: WorkerReply = [[1, 2], [3, 4], ["one", 2n], 0];

describe("what a pool and a host of hands say", () => {
  it("comes as it was said, in the order of saying, many in one body", async () => {
    const bodies: Uint8Array[] = [];
    const writer = new EntryWriter((body) => bodies.push(body), BODY_BYTES);
    writer.request(4, request);
    writer.reply(4, reply);
    writer.say(RECALL, 5, { tickets: [1, 2] });
    writer.say(ENDED, 5);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bodies.length, 1);
    const [first, second, third, fourth] = [...entriesOf(bodies[0]!)];
    assert.deepEqual([first!.kind, second!.kind, third!.kind, fourth!.kind], [REQUEST, REPLY, RECALL, ENDED]);
    assert.deepEqual([first!.hand, second!.hand, third!.hand, fourth!.hand], [4, 4, 5, 5]);
    assert.deepStrictEqual(requestIn(first!), request);
    assert.deepStrictEqual(replyIn(second!), reply);
    assert.deepEqual(numbersIn(objectIn(third!), "tickets"), [1, 2]);
  });

  it("leaves nothing of a message with a value that cannot be copied", () => {
    const body = bodyOf((writer) => {
      assert.throws(() => writer.request(1, [RUN, "task", [1], 1, [() => 1], 0]), /could not be cloned/);
      writer.request(1, request);
    });
    assert.equal([...entriesOf(body)].length, 1);
  });

  it("does not wait for the end of the turn with much", () => {
    const bodies: Uint8Array[] = [];
    const writer = new EntryWriter((body) => bodies.push(body), BODY_BYTES);
    writer.request(1, request);
    assert.equal(bodies.length, 0);
    writer.request(1, [RUN, "task", [1], 1, ["x".repeat(BODY_BYTES)], 0]);
    assert.equal(bodies.length, 1);
    assert.equal([...entriesOf(bodies[0]!)].length, 2);
  });

  it("is a ProtocolError where it is garbage, and never anything else", () => {
    const read = (bytes: Uint8Array): void => {
      for (const entry of entriesOf(bytes)) {
        if (entry.kind === REQUEST) requestIn(entry);
        else if (entry.kind === REPLY) replyIn(entry);
        else objectIn(entry);
      }
    };
    const sound = bodyOf((writer) => {
      writer.request(4, request);
      writer.reply(4, reply);
      writer.say(RECALL, 5, { tickets: [1, 2] });
    });
    const broken = fc
      .tuple(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(sound.length))
      .map(([at, byte, length]) => Uint8Array.from(sound.with(at, byte).subarray(0, length)));
    let refused = 0;
    fc.assert(
      fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
          refused++;
        }
      }),
      { numRuns: 3_000 },
    );
    assert.ok(refused > 1_000);
  });
});
