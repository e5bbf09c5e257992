// What a job on the bus holds: a frame with the function of whoever sent it. Questions are told apart by their first byte, 0xff.
//
//   0  1  0x01
//   1  1  length of the sender's function
//   2     the sender's function, in ASCII; then the frame
import { ProtocolError } from "../../../protocol/errors.ts";

const FRAME = 1;

/** Makes parcels of one sender. */
export class ParcelWriter {
  readonly #head: Buffer;

  constructor(from: string) {
    this.#head = Buffer.from(`\x01${String.fromCharCode(from.length)}${from}`, "latin1");
  }

  wrap(frame: Uint8Array): Buffer {
    const parcel = Buffer.allocUnsafe(this.#head.length + frame.length);
    parcel.set(this.#head);
    parcel.set(frame, this.#head.length);
    return parcel;
  }
}

/** @throws ProtocolError at what is no parcel; the frame is a view */
export function readParcel(payload: Buffer): { readonly from: string; readonly frame: Buffer } {
  const end = 2 + (payload[1] ?? 0);
  if (payload[0] !== FRAME || end > payload.length) {
    throw new ProtocolError(
      `Cannot read parcel: its ${payload.length} bytes begin with ${payload.toString("hex", 0, 12)}`,
    );
  }
  return { from: payload.toString("latin1", 2, end), frame: payload.subarray(end) };
}
