import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  argumentsOf,
  encode,
  HEADER_BYTES,
  type PacketName,
  PacketType,
  SHAPES,
} from "../../src/backends/gearman/packet.ts";
import { PacketReader } from "../../src/backends/gearman/packet-reader.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";

interface Packet {
  readonly name: PacketName;
  readonly args: readonly Buffer[];
}

/** Any packet that comes from a server. */
const packets = fc.array(
  fc
    .constantFrom(...(Object.keys(PacketType) as PacketName[]).filter((name) => travels(name).includes("RES")))
    .chain((name) => {
      const count = SHAPES[PacketType[name]]!.args.length;
      const word = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0)));
      const last = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
      const args = fc.tuple(...Array.from({ length: count }, (_, i) => (i < count - 1 ? word : last)));
      return fc.record({ name: fc.constant(name), args }, { noNullPrototype: true });
    }),
  { maxLength: 8 },
);

function travels(name: PacketName): readonly string[] {
  return SHAPES[PacketType[name]]!.travels;
}

function joined(list: readonly Packet[]): Buffer {
  return Buffer.concat(list.map(({ name, args }) => encode("RES", name, ...args)));
}

function read(chunks: Iterable<Buffer>, maxBytes?: number): Packet[] {
  const got: Packet[] = [];
  const reader = new PacketReader(
    "RES",
    (type, body) => {
      const { name } = SHAPES[type]!;
      got.push({ name, args: argumentsOf(type, body).map((one) => Buffer.from(one)) });
    },
    maxBytes,
  );
  for (const chunk of chunks) reader.push(chunk);
  return got;
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe("packets", () => {
  it("come out as they went in, wherever the bytes are split", () => {
    fc.assert(
      fc.property(packets, fc.array(fc.nat(600), { maxLength: 20 }), (list, cuts) => {
        assert.deepEqual(read(split(joined(list), cuts)), list);
      }),
      { numRuns: 1_000 },
    );
  });

  it("come out byte by byte, with nothing in between, and all at once", () => {
    fc.assert(
      fc.property(packets, (list) => {
        const bytes = joined(list);
        const one = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
        assert.deepEqual(read(one), list);
        assert.deepEqual(read(one.flatMap((byte) => [Buffer.alloc(0), byte])), list);
        assert.deepEqual(read([bytes]), list);
      }),
    );
  });

  it("come out as soon as they are whole", () => {
    const got: number[] = [];
    const reader = new PacketReader("RES", (type) => got.push(type));
    const bytes = encode("RES", "JOB_CREATED", "H:a:1");
    reader.push(bytes.subarray(0, -1));
    assert.deepEqual(got, []);
    reader.push(Buffer.concat([bytes.subarray(-1), encode("RES", "NOOP").subarray(0, 11)]));
    assert.deepEqual(got, [PacketType.JOB_CREATED]);
    reader.push(Buffer.of(0));
    assert.deepEqual(got, [PacketType.JOB_CREATED, PacketType.NOOP]);
  });

  it("are the bytes that the protocol says", () => {
    const submit = encode("REQ", "SUBMIT_JOB", "reverse", "", "test");
    assert.deepEqual(submit, Buffer.from("\0REQ\x00\x00\x00\x07\x00\x00\x00\x0dreverse\0\0test", "latin1"));
    assert.deepEqual(encode("REQ", "GRAB_JOB"), Buffer.from("\0REQ\0\0\0\x09\0\0\0\0", "latin1"));
    // Without its NUL the server would wait for the rest for ever.
    assert.deepEqual(
      encode("REQ", "WORK_COMPLETE", "H:a:1", ""),
      Buffer.from("\0REQ\0\0\0\x0d\0\0\0\x06H:a:1\0", "latin1"),
    );
    assert.deepEqual(
      encode("REQ", "SUBMIT_REDUCE_JOB", "f", "u", "r", "", "d").subarray(HEADER_BYTES),
      Buffer.from("f\0u\0r\0\0d"),
    );
  });

  it("have a number and a shape each, as the protocol lists them", () => {
    const numbers = Object.values(PacketType);
    const all = Array.from({ length: 42 }, (_, i) => i + 1).filter((number) => number !== 5);
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      all,
    );
    for (const [name, number] of Object.entries(PacketType)) {
      const shape = SHAPES[number];
      assert.equal(shape?.name, name);
      assert.ok(shape.travels.length > 0, name);
      assert.equal(new Set(shape.args).size, shape.args.length, name);
    }
    assert.equal(SHAPES[0], undefined);
    assert.equal(SHAPES[5], undefined);
    assert.equal(SHAPES.length, 43);
  });

  it("that have a payload have it last, so that it may hold anything", () => {
    for (const shape of SHAPES)
      if (shape?.args.includes("data") === true) assert.equal(shape.args.at(-1), "data", shape.name);
    const [packet] = read([encode("RES", "WORK_COMPLETE", "H:a:1", Buffer.from("a\0b\0"))]);
    assert.deepEqual(packet!.args, [Buffer.from("H:a:1"), Buffer.from("a\0b\0")]);
  });

  it("with a number of arguments that the table has not are refused", () => {
    assert.throws(() => encode("REQ", "SUBMIT_JOB", "f", "u"), { code: "ERR_PROTOCOL", message: /SUBMIT_JOB.*3/ });
  });

  it("of many megabytes come in chunks without being copied over and over", (t) => {
    const payload = Buffer.alloc(8 * 2 ** 20, "manyhands");
    const bytes = encode("RES", "WORK_COMPLETE", "H:a:1", payload);
    // The first cut is in the header.
    const cuts = Array.from({ length: 8_000 }, (_, i) => 2 + i * 1_000);
    let joins = 0;
    const { concat } = Buffer;
    t.mock.method(Buffer, "concat", (...args: Parameters<typeof concat>) => {
      joins++;
      return concat(...args);
    });
    const chunks = split(bytes, cuts);
    joins = 0;
    const [packet] = read(chunks);
    assert.ok(packet!.args[1]!.equals(payload));
    assert.ok(joins <= 3, `joined ${joins} times`);
  });

  const garbage: readonly (readonly [what: string, bytes: Buffer, complaint: RegExp])[] = [
    ["of another protocol", Buffer.from("HTTP/1.1 400 Bad Request\r\n"), /it is none .*48 54 54 50/],
    ["that goes to servers", encode("REQ", "GRAB_JOB"), /it is none .*00 52 45 51/],
    ["of the unused type 5", header(5, 0), /there is no type 5/],
    ["of an unknown type", header(43, 0), /there is no type 43/],
    ["of a huge type", header(0xffffffff, 0), /there is no type 4294967295/],
    ["that a server never sends", header(PacketType.GRAB_JOB, 0), /GRAB_JOB does not travel this way/],
    ["larger than allowed", header(PacketType.WORK_DATA, 101), /announces 101 bytes and may have 100/],
    ["as large as can be", header(PacketType.WORK_DATA, 0xffffffff), /announces 4294967295 bytes/],
  ];
  for (const [what, bytes, complaint] of garbage) {
    it(`${what} are an error as soon as the header is there`, () => {
      for (const chunks of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
        assert.throws(
          () => read(chunks, 100),
          (error) => error instanceof ProtocolError && complaint.test(error.message),
        );
      }
    });
  }

  it("with too few arguments are an error", () => {
    const short = Buffer.concat([header(PacketType.WORK_STATUS, 7), Buffer.from("H:a:1\x001")]);
    assert.throws(() => read([short]), { code: "ERR_PROTOCOL", message: /WORK_STATUS: it has fewer arguments than 3/ });
  });

  it("that are garbage behind good ones do not take those back", () => {
    const got: number[] = [];
    const reader = new PacketReader("RES", (type) => got.push(type));
    assert.throws(
      () => reader.push(Buffer.concat([encode("RES", "NOOP"), Buffer.from("garbage, garbage")])),
      ProtocolError,
    );
    assert.deepEqual(got, [PacketType.NOOP]);
  });
});

function header(type: number, bytes: number): Buffer {
  const head = Buffer.from("\0RES\0\0\0\0\0\0\0\0", "latin1");
  head.writeUInt32BE(type, 4);
  head.writeUInt32BE(bytes, 8);
  return head;
}
