// The frame of every session message: a header of 28 bytes, then the body. See docs/reference/zeromq-protocol.md.
//
//   0  2  magic "mh"
//   2  1  version
//   3  1  type
//   4  8  session: chosen at random by whoever says HELLO
//  12  8  seq: how many DATA messages of the session the sender has sent, this one included (u64, little endian)
//  20  8  ack: how many it has received without a gap (u64, little endian)
//  28     body
import { ProtocolError } from "../errors.ts";

export const SESSION_VERSION = 1;
export const HEADER_BYTES = 28;
export const SESSION_ID_BYTES = 8;

/** Client → hub: who it is. Asks for a new session, or to go on with one. */
export const HELLO = 1;
/** Hub → client: the session is open, and how often to be heard. */
export const WELCOME = 2;
/** What the session carries: delivered once and in order while the session lives. */
export const DATA = 3;
/** I live; I have sent and received so much. */
export const HEARTBEAT = 4;
/** Nothing more will come from me. */
export const BYE = 5;
/** Hub → client: there is no such session; say HELLO again with a new one. */
export const RESET = 6;
/** Hub → client, where the hub is the one that connects: say HELLO. */
export const CALL = 7;
/** Send again what comes after `ack`. */
export const AGAIN = 8;
/** You are not wanted, and why. Final. */
export const REFUSE = 9;

export type FrameType =
  | typeof HELLO
  | typeof WELCOME
  | typeof DATA
  | typeof HEARTBEAT
  | typeof BYE
  | typeof RESET
  | typeof CALL
  | typeof AGAIN
  | typeof REFUSE;

export interface Frame {
  readonly type: FrameType;
  /** Eight bytes, as a text of latin1 characters. */
  readonly session: string;
  readonly seq: number;
  readonly ack: number;
  readonly body: Uint8Array;
}

/** The session that CALL, and REFUSE of what has no header, are of. */
export const NO_SESSION = "\0\0\0\0\0\0\0\0";

const MAGIC_0 = 0x6d;
const MAGIC_1 = 0x68;
const TWO_32 = 2 ** 32;
const NOTHING = new Uint8Array(0);

/** The peer speaks another version of the protocol. */
export class VersionError extends ProtocolError {}

export function writeFrame(
  type: FrameType,
  session: string,
  seq: number,
  ack: number,
  body: Uint8Array = NOTHING,
): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + body.length);
  frame[0] = MAGIC_0;
  frame[1] = MAGIC_1;
  frame[2] = SESSION_VERSION;
  frame[3] = type;
  for (let at = 0; at < SESSION_ID_BYTES; at++) frame[4 + at] = session.charCodeAt(at);
  writeU64(frame, 12, seq);
  writeU64(frame, 20, ack);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** @throws VersionError for another version, ProtocolError for what is no frame at all; both show how it begins */
export function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length < 4 || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) {
    throw new ProtocolError(
      `Cannot read frame: it is not of this protocol (${bytes.length} bytes, ${beginning(bytes)})`,
    );
  }
  if (bytes[2] !== SESSION_VERSION) {
    throw new VersionError(
      `Cannot read frame: version ${bytes[2]} of the protocol, and only ${SESSION_VERSION} is known`,
    );
  }
  if (bytes.length < HEADER_BYTES) {
    throw new ProtocolError(`Cannot read frame: it ends within its header (${bytes.length} bytes)`);
  }
  const type = bytes[3]!;
  if (type < HELLO || type > REFUSE) throw new ProtocolError(`Cannot read frame: unknown type ${type}`);
  let session = "";
  for (let at = 4; at < 4 + SESSION_ID_BYTES; at++) session += String.fromCharCode(bytes[at]!);
  return {
    type: type as FrameType,
    session,
    seq: readU64(bytes, 12, "seq"),
    ack: readU64(bytes, 20, "ack"),
    body: bytes.subarray(HEADER_BYTES),
  };
}

function writeU64(into: Uint8Array, at: number, value: number): void {
  writeU32(into, at, value % TWO_32);
  writeU32(into, at + 4, Math.floor(value / TWO_32));
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value & 0xff;
  into[at + 1] = (value >>> 8) & 0xff;
  into[at + 2] = (value >>> 16) & 0xff;
  into[at + 3] = (value >>> 24) & 0xff;
}

function readU64(from: Uint8Array, at: number, field: string): number {
  const value = readU32(from, at) + readU32(from, at + 4) * TWO_32;
  if (Number.isSafeInteger(value)) return value;
  throw new ProtocolError(`Cannot read frame: its ${field} is past 2^53`);
}

function readU32(from: Uint8Array, at: number): number {
  return (from[at]! | (from[at + 1]! << 8) | (from[at + 2]! << 16) | (from[at + 3]! << 24)) >>> 0;
}

function beginning(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, 12), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return shown === "" ? "empty" : `beginning with ${shown}`;
}
