// Splits a byte stream into frames, and makes frames: four bytes of length (little endian), one byte that tells the format of the
// payload, the payload. Holds no stream itself.
import { ProtocolError } from "./errors.ts";

export const HEADER_BYTES = 5;
export const JSON_FORMAT = 1;
export const V8_FORMAT = 2;
const MAX_FRAME_BYTES = 0xffffffff;

export type FrameHandler = (format: number, payload: Uint8Array) => void;

export class FrameReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #onFrame: FrameHandler;

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame;
  }

  /** Takes the next bytes, split anywhere, and hands on each frame that is whole. */
  push(chunk: Uint8Array): void {
    let data = chunk;
    if (this.#bytes > 0) {
      this.#parts.push(chunk);
      this.#bytes += chunk.length;
      // Joining at each chunk would copy a large frame over and over.
      if (this.#bytes < this.#needed()) return;
      data = join(this.#parts, this.#bytes);
      this.#parts = [];
      this.#bytes = 0;
    }
    let at = 0;
    while (data.length - at >= HEADER_BYTES) {
      const end = at + frameBytesAt(data, at);
      if (end > data.length) break;
      const start = at + HEADER_BYTES;
      at = end;
      this.#onFrame(data[start - 1]!, data.subarray(start, end));
    }
    if (at < data.length) {
      this.#parts.push(at === 0 ? data : data.subarray(at));
      this.#bytes = data.length - at;
    }
  }

  #needed(): number {
    const first = this.#parts[0]!;
    if (first.length >= HEADER_BYTES) return frameBytesAt(first, 0);
    if (this.#bytes < HEADER_BYTES) return HEADER_BYTES;
    const head = join(this.#parts, this.#bytes);
    this.#parts = [head];
    return frameBytesAt(head, 0);
  }
}

/** Writes the header of a frame into the first five bytes of `frame`. */
export function writeHeader(frame: Uint8Array, format: number): void {
  const length = frame.length - HEADER_BYTES;
  if (length > MAX_FRAME_BYTES)
    throw new ProtocolError(`Cannot send a message of ${length} bytes: a frame holds 4 GiB at most`);
  frame[0] = length & 0xff;
  frame[1] = (length >>> 8) & 0xff;
  frame[2] = (length >>> 16) & 0xff;
  frame[3] = (length >>> 24) & 0xff;
  frame[4] = format;
}

/** The length of the frame whose header is there, header included. Throws at what is none: the wait for its end could be long. */
function frameBytesAt(data: Uint8Array, at: number): number {
  const format = data[at + 4]!;
  if (format !== JSON_FORMAT && format !== V8_FORMAT) {
    const shown = Array.from(data.subarray(at, at + 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new ProtocolError(`Cannot read frame: unknown format ${format} (its bytes begin with ${shown})`);
  }
  const length = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
  return HEADER_BYTES + (length >>> 0);
}

function join(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
