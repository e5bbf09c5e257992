// Bodies in pieces: a large one on a slow line would keep heartbeats waiting, and its pieces are signs of life.
// A piece of full length is followed by another one; so a body that would end with such a piece ends with an empty one.
import { ProtocolError } from "../../../protocol/errors.ts";

export const PIECE_BYTES: number = 512 * 1024;
/** What has come together to so much leaves before the end of a turn: a job costs the server much more than bytes do. */
export const BODY_BYTES: number = 256 * 1024;
/** A larger body is an error. */
const MAX_BODY_BYTES = 2 ** 31 - 1;

/** Gives the pieces of a body, as views, one after another. */
export function sendInPieces(body: Uint8Array, send: (piece: Uint8Array) => void): void {
  if (body.length < PIECE_BYTES) {
    send(body);
    return;
  }
  for (let at = 0; at <= body.length; at += PIECE_BYTES) send(body.subarray(at, at + PIECE_BYTES));
}

/** Puts the bodies of one session together again. */
export class Pieces {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** Answers the body that is complete with this piece, or undefined. @throws ProtocolError where it gets too large */
  add(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length > PIECE_BYTES) throw new ProtocolError(`Cannot read piece: it has ${piece.length} bytes`);
    if (piece.length < PIECE_BYTES && this.#parts.length === 0) return piece;
    // What comes is a view of memory that holds within the call.
    this.#parts.push(Buffer.from(piece));
    this.#bytes += piece.length;
    if (this.#bytes > MAX_BODY_BYTES)
      throw new ProtocolError(`Cannot read body: it has more than ${MAX_BODY_BYTES} bytes`);
    if (piece.length === PIECE_BYTES) return undefined;
    const body = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return body;
  }
}
