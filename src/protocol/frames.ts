// Splits a byte stream into frames, and makes frames: four bytes of length (little endian), one byte that tells the format of the
// payload, the payload. Holds no stream itself.
import { ProtocolError } from "./errors.ts";

export const HEADER_BYTES = 5;
export const JSON_FORMAT = 1;
export const V8_FORMAT = 2;
export const MSGPACK_FORMAT = 3;
/** JSON or V8's, and lists of numbers as memory: see `number-columns.ts`. */
export const COLUMNS_FORMAT = 4;
const MAX_FRAME_BYTES = 0xffffffff;

/** What a reader takes. */
export interface FrameLimits {
  /** Formats that are known; default JSON, V8's, and either with columns. */
  readonly formats?: readonly number[];
  /** The longest payload, default 4 GiB. */
  readonly maxBytes?: number;
  /** Takes what begins no frame, and all that follows; answers whether that is welcome. Default: it never is. */
  readonly onOther?: (bytes: Uint8Array) => boolean;
}

export type FrameHandler = (format: number, payload: Uint8Array) => void;

export class FrameReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #onFrame: FrameHandler;
  readonly #formats: readonly number[];
  readonly #maxBytes: number;
  readonly #onOther: (bytes: Uint8Array) => boolean;
  #isOver = false;

  constructor(onFrame: FrameHandler, limits: FrameLimits = {}) {
    const { formats = OWN_FORMATS, maxBytes = MAX_FRAME_BYTES, onOther = () => false } = limits;
    this.#onFrame = onFrame;
    this.#onOther = onOther;
    this.#formats = formats;
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes, split anywhere, and hands on each frame that is whole. */
  push(chunk: Uint8Array): void {
    if (this.#isOver) {
      this.#onOther(chunk);
      return;
    }
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
      const length = this.#frameBytesAt(data, at);
      if (length < 0) {
        this.#isOver = true;
        return;
      }
      const end = at + length;
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

  /** The stream is at its end: what is left is no frame. */
  end(): void {
    if (this.#bytes === 0 || this.#isOver) return;
    this.#isOver = true;
    this.#onOther(join(this.#parts, this.#bytes));
  }

  /** Bytes that the first frame takes; where it is none, as many as there are. */
  #needed(): number {
    if (this.#bytes < HEADER_BYTES) return HEADER_BYTES;
    if (this.#parts[0]!.length < HEADER_BYTES) this.#parts = [join(this.#parts, this.#bytes)];
    const head = this.#parts[0]!;
    return this.#formats.includes(head[HEADER_BYTES - 1]!) ? this.#frameBytesAt(head, 0) : 0;
  }

  /**
   * The length of the frame whose header is there, header included; -1 where what is there is something else, and was taken. Throws at
   * what is no frame: the wait for its end could be long.
   */
  #frameBytesAt(data: Uint8Array, at: number): number {
    const format = data[at + 4]!;
    if (!this.#formats.includes(format)) {
      if (this.#onOther(data.subarray(at))) return -1;
      throw new ProtocolError(
        `Cannot read frame: unknown format ${format} (its bytes begin with ${shownAt(data, at)})`,
      );
    }
    const length = (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) >>> 0;
    if (length > this.#maxBytes) {
      throw new ProtocolError(`Cannot read frame: ${length} bytes are too many (it begins with ${shownAt(data, at)})`);
    }
    return HEADER_BYTES + length;
  }
}

/** What this library's own ends speak to each other. */
export const OWN_FORMATS: readonly number[] = [JSON_FORMAT, V8_FORMAT, COLUMNS_FORMAT];

/** In numbers, and as text: it may be what somebody printed. */
function shownAt(data: Uint8Array, at: number): string {
  const first = Array.from(data.subarray(at, at + 16));
  const text = first.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
  return `${first.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")} "${text}"`;
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

function join(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
