// Messages to and from workers outside of this process as frames. Lists of numbers go as memory. For the rest each message takes JSON where JSON
// gives it back as it was, which is fastest, and V8's structured clone otherwise, which knows everything that can be copied.
//
// The payload of a frame with columns: one byte that tells the format of the rest, four of its length (little endian), the rest, the columns.
import { types } from "node:util";
import { ProtocolError } from "../protocol/errors.ts";
import {
  COLUMNS_FORMAT,
  FrameReader,
  HEADER_BYTES,
  JSON_FORMAT,
  OWN_FORMATS,
  V8_FORMAT,
  writeHeader,
} from "../protocol/frames.ts";
import { JsonSafety } from "../protocol/json-safety.ts";
import { CHUNK_ITEMS, RUN, type TaskExtras, type WorkerReply, type WorkerRequest } from "../protocol/messages.ts";
import { type Apart, putTogether, takeApart, writeColumns } from "../protocol/number-columns.ts";
import type { MaybePacked } from "../protocol/packing.ts";
import { jsonFrame } from "../worker/message-frames.ts";
import { deserialize, StrictSerializer } from "./structured-copy.ts";

const safety = new JsonSafety(types.isProxy);

/** @throws DataCloneError when a value cannot be copied */
export function encodeRequest(request: WorkerRequest): Buffer {
  if (request[0] === RUN) {
    const apart = takeApart(request, request[5] === 0 ? ALL_OF_REQUEST : SOME_OF_REQUEST);
    if (apart !== undefined) return columnsFrame(apart, isSafeRequest(apart.rest as unknown as WorkerRequest));
  }
  return isSafeRequest(request) ? jsonFrame(JSON.stringify(request)) : v8Frame(request);
}

/** @throws DataCloneError when a value cannot be copied */
export function encodeReply(reply: WorkerReply): Buffer {
  const apart = takeApart(reply, MEMBERS_OF_REPLY);
  if (apart !== undefined) return columnsFrame(apart, isSafeReply(apart.rest as unknown as WorkerReply));
  return isSafeReply(reply) ? jsonFrame(JSON.stringify(reply)) : v8Frame(reply);
}

/** Tickets, ids and inputs; what stands beside an input says how it is to be read. */
const ALL_OF_REQUEST: readonly number[] = [2, 3, 4];
const SOME_OF_REQUEST: readonly number[] = [2, 3];
/** Tickets, microseconds and values. */
const MEMBERS_OF_REPLY: readonly number[] = [0, 1, 2];

/** Anything that can be copied, as one frame. */
export function encodeAny(value: unknown): Buffer {
  return v8Frame(value);
}

/** Reads frames from chunks of bytes, split anywhere. */
export function decoder(onMessage: (message: unknown) => void): FrameReader {
  return new FrameReader((format, payload) => onMessage(decode(format, payload)));
}

/** The message of one whole frame. @throws ProtocolError for anything else */
export function readFrame(frame: Buffer): unknown {
  const length = frame.length < HEADER_BYTES ? -1 : frame.readUInt32LE(0);
  if (length !== frame.length - HEADER_BYTES) {
    throw new ProtocolError(`Cannot read frame of ${frame.length} bytes: it says that it has ${length} of content`);
  }
  const format = frame[HEADER_BYTES - 1]!;
  if (!OWN_FORMATS.includes(format)) throw new ProtocolError(`Cannot read frame: unknown format ${format}`);
  return decode(format, frame.subarray(HEADER_BYTES));
}

function decode(format: number, payload: Uint8Array): unknown {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  try {
    if (format === JSON_FORMAT) return JSON.parse(bytes.toString("utf8"));
    return format === V8_FORMAT ? deserialize(bytes) : decodeColumns(bytes);
  } catch (error) {
    throw new ProtocolError(`Cannot read message: it begins with "${bytes.toString("latin1", 0, 40)}"`, {
      cause: error,
    });
  }
}

function decodeColumns(bytes: Buffer): unknown {
  const end = REST_AT + bytes.readUInt32LE(1);
  const content = bytes.subarray(REST_AT, end);
  const rest: unknown = bytes[0] === JSON_FORMAT ? JSON.parse(content.toString("utf8")) : deserialize(content);
  if (!Array.isArray(rest) || end > bytes.length) throw new ProtocolError("Cannot read message: it has no members");
  putTogether(rest, bytes, end);
  return rest;
}

function isSafeRequest(request: WorkerRequest): boolean {
  if (request[0] !== RUN) return true;
  const [, , , , packed, extras] = request;
  if (!Array.isArray(packed)) return areSafe(packed) && (extras === 0 || areUsual(extras));
  const inputs = packed as readonly unknown[];
  for (let at = 0; at < inputs.length; at++) {
    const extra = extras === 0 ? 0 : extras[at]!;
    if (extra === 0) {
      if (!safety.isSafe(inputs[at])) return false;
    } else {
      if (!isUsual(extra)) return false;
      if (extra.isChunk === true ? !areSafe(inputs[at] as MaybePacked) : !safety.isSafe(inputs[at])) return false;
    }
  }
  return true;
}

function isSafeReply(reply: WorkerReply): boolean {
  const [, , values, events] = reply;
  if (!areSafe(values)) return false;
  if (events === 0) return true;
  return events.every((event) => (event[0] === CHUNK_ITEMS ? areSafe(event[3]) : safety.isSafe(event)));
}

function areSafe(values: MaybePacked): boolean {
  return Array.isArray(values) && values.every((value) => safety.isSafe(value));
}

function areUsual(extras: readonly (TaskExtras | 0)[]): boolean {
  return extras.every((extra) => extra === 0 || isUsual(extra));
}

/** An infinite priority has no JSON. */
function isUsual(extra: TaskExtras): boolean {
  return extra.priority === undefined || Number.isFinite(extra.priority);
}

function v8Frame(message: unknown): Buffer {
  const writer = new StrictSerializer();
  // The header of the frame, before the serializer's own.
  writer.writeRawBytes(BLANK_HEADER);
  writer.writeHeader();
  writer.writeValue(message);
  const frame = writer.releaseBuffer();
  writeHeader(frame, V8_FORMAT);
  return frame;
}

function columnsFrame(apart: Apart, isSafe: boolean): Buffer {
  const rest = isSafe ? jsonFrame(JSON.stringify(apart.rest)) : v8Frame(apart.rest);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + rest.length + apart.bytes);
  // A frame within the frame, but for where its format stands.
  frame[HEADER_BYTES] = rest[HEADER_BYTES - 1]!;
  frame.writeUInt32LE(rest.length - HEADER_BYTES, HEADER_BYTES + 1);
  frame.set(rest.subarray(HEADER_BYTES), HEADER_BYTES + REST_AT);
  writeColumns(frame, apart);
  writeHeader(frame, COLUMNS_FORMAT);
  return frame;
}

const BLANK_HEADER = Buffer.alloc(HEADER_BYTES);
/** Where the rest of a message with columns begins in its payload. */
const REST_AT = 5;
