// Messages as frames, ready to be written.
import { HEADER_BYTES, JSON_FORMAT, MSGPACK_FORMAT, writeHeader } from "../protocol/frames.ts";

/** Up to this length a buffer is made large enough for any text instead of measuring it first. */
const UNMEASURED = 64 * 1024;

/** Lines of JSON, or one text, in a frame. */
export function jsonFrame(text: string): Buffer {
  // A UTF-16 unit takes three bytes at most.
  const room = text.length < UNMEASURED ? text.length * 3 : Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + room);
  const length = frame.write(text, HEADER_BYTES, "utf8");
  const exact = frame.subarray(0, HEADER_BYTES + length);
  writeHeader(exact, JSON_FORMAT);
  return exact;
}

/** A message in MessagePack in a frame. */
export function msgpackFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + message.length);
  frame.set(message, HEADER_BYTES);
  writeHeader(frame, MSGPACK_FORMAT);
  return frame;
}
