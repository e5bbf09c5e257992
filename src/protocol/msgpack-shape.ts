// Whether bytes are one value in MessagePack, and what kinds of values are in it: looked at before a library makes values of them, so
// that a few bytes cannot ask for much memory, and nothing comes that nobody here knows. https://github.com/msgpack/msgpack/blob/master/spec.md
import { ProtocolError } from "./errors.ts";

/** What is worth knowing of a value before it is made. */
export interface MsgpackShape {
  readonly hasBytes: boolean;
  /** Some key, or some text, is `__proto__`. */
  readonly hasProto: boolean;
}

/** Extensions by their types: a point in time (as the specification says), and a whole number of any size. */
export const TIME_TYPE = -1;
export const WHOLE_NUMBER_TYPE = 1;

/** Levels of lists and maps. */
const MAX_DEPTH = 1_000;
const PROTO = [95, 95, 112, 114, 111, 116, 111, 95, 95];

/** What stands after a first byte, from 0xc0 on: so many bytes of length, then what the length counts; or so many bytes of value. */
type Kind = readonly [what: "value" | "bytes" | "text" | "list" | "map" | "extension" | "nothing", size: number];
const KINDS: readonly Kind[] = [
  ["value", 0], // nil
  ["nothing", 0],
  ["value", 0], // false
  ["value", 0], // true
  ["bytes", 1],
  ["bytes", 2],
  ["bytes", 4],
  ["extension", 1],
  ["extension", 2],
  ["extension", 4],
  ["value", 4], // float 32
  ["value", 8], // float 64
  ["value", 1], // uint 8 …
  ["value", 2],
  ["value", 4],
  ["value", 8],
  ["value", 1], // int 8 …
  ["value", 2],
  ["value", 4],
  ["value", 8],
  ["extension", 0], // of 1 byte
  ["extension", 0], // of 2
  ["extension", 0], // of 4
  ["extension", 0], // of 8
  ["extension", 0], // of 16
  ["text", 1],
  ["text", 2],
  ["text", 4],
  ["list", 2],
  ["list", 4],
  ["map", 2],
  ["map", 4],
];
const FIRST_FIXED_EXTENSION = 0xd4;

/** @throws ProtocolError that says what is wrong, and at which byte */
export function shapeOf(bytes: Uint8Array): MsgpackShape {
  let hasBytes = false;
  let hasProto = false;
  /** Values still to come, level by level; and in all. Each takes a byte at least. */
  const left = [1];
  let pending = 1;
  let at = 0;
  while (left.length > 0) {
    if (left[left.length - 1] === 0) {
      left.pop();
      continue;
    }
    left[left.length - 1]!--;
    pending--;
    const begin = at;
    const fail = (what: string): ProtocolError =>
      new ProtocolError(`Cannot read MessagePack: ${what} at byte ${begin} of ${bytes.length}`);
    if (at >= bytes.length) throw fail("it ends");
    const first = bytes[at++]!;
    let inside = 0;
    let [what, size] = shortKind(first);
    if (first >= 0xc0 && first < 0xe0) {
      let headSize: number;
      [what, headSize] = KINDS[first - 0xc0]!;
      if (what === "nothing") throw fail("a byte that is never used stands");
      if (what === "value") size = headSize;
      else if (what === "extension" && headSize === 0) size = 1 << (first - FIRST_FIXED_EXTENSION);
      else {
        if (at + headSize > bytes.length) throw fail("it ends");
        size = 0;
        for (let head = 0; head < headSize; head++) size = size * 256 + bytes[at++]!;
      }
    }
    switch (what) {
      case "list":
        inside = size;
        break;
      case "map":
        inside = size * 2;
        break;
      case "extension": {
        const type = ((bytes[at++] ?? 0) << 24) >> 24;
        if (type !== TIME_TYPE && type !== WHOLE_NUMBER_TYPE) throw fail(`an unknown extension ${type} stands`);
        at += size;
        break;
      }
      case "bytes":
        hasBytes = true;
        at += size;
        break;
      case "text":
        hasProto ||= size === PROTO.length && PROTO.every((byte, index) => bytes[at + index] === byte);
        at += size;
        break;
      default:
        at += size;
    }
    if (at > bytes.length) throw fail("it ends");
    if (inside > 0) {
      pending += inside;
      if (left.length > MAX_DEPTH) throw fail(`there are more than ${MAX_DEPTH} levels`);
      left.push(inside);
    }
    if (pending > bytes.length - at) throw fail("it ends too early for all that is announced");
  }
  if (at < bytes.length)
    throw new ProtocolError(`Cannot read MessagePack: its value ends at byte ${at} of ${bytes.length}`);
  return { hasBytes, hasProto };
}

/** Kinds that are told with their length by the first byte. */
function shortKind(first: number): [what: Kind[0], size: number] {
  if (first >= 0x80 && first < 0x90) return ["map", first - 0x80];
  if (first >= 0x90 && first < 0xa0) return ["list", first - 0x90];
  if (first >= 0xa0 && first < 0xc0) return ["text", first - 0xa0];
  return ["value", 0];
}
