// What a pool and a host of hands say to each other: entries, many in one body. The carrier below delivers bodies once and in order.
//
//   0  1  kind
//   1  4  hand: the pool's number of the worker (u32, little endian); 0 where the entry is of the host as a whole
//   5  4  length of what follows (u32, little endian)
//   9     the content: a frame for requests and replies (see `wire.ts`), JSON for everything else
import { replyOf, requestOf } from "../protocol/column-text.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { WorkerReply, WorkerRequest } from "../protocol/messages.ts";
import { encodeReply, encodeRequest, readFrame } from "./wire.ts";

export const HANDS_VERSION = 1;

/** Pool → host. */
export const START = 1;
export const REQUEST = 2;
export const RECALL = 3;
export const RECALL_ITEMS = 4;
export const STOP = 5;
export const KILL = 6;
/** The host is not needed any more. */
export const RELEASE = 7;

/** Host → pool. */
export const FACTS = 65;
export const REPLY = 66;
export const RECALLED = 67;
export const ITEMS_RECALLED = 68;
export const ENDED = 69;
/** The host wants to go: nothing new, please. */
export const LEAVING = 70;

const HEAD_BYTES = 9;

export interface Entry {
  readonly kind: number;
  readonly hand: number;
  readonly content: Buffer;
}

/** Gathers entries until everything that has come by now is read, or they are much, and sends them as one body. */
export class EntryWriter {
  readonly #send: (body: Uint8Array) => void;
  readonly #bodyBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #isScheduled = false;

  /** @param bodyBytes with more than that a body leaves at once */
  constructor(send: (body: Uint8Array) => void, bodyBytes: number) {
    this.#send = send;
    this.#bodyBytes = bodyBytes;
  }

  /** @throws DataCloneError when a value cannot be copied; then nothing was written */
  request(hand: number, request: WorkerRequest): void {
    this.#write(REQUEST, hand, encodeRequest(request));
  }

  /** @throws DataCloneError when a value cannot be copied; then nothing was written */
  reply(hand: number, reply: WorkerReply): void {
    this.#write(REPLY, hand, encodeReply(reply));
  }

  say(kind: number, hand: number, content?: object): void {
    this.#write(kind, hand, content === undefined ? NOTHING : Buffer.from(JSON.stringify(content)));
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#parts.length === 0) return;
    const body = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#send(body);
  }

  #write(kind: number, hand: number, content: Buffer): void {
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head[0] = kind;
    head.writeUInt32LE(hand, 1);
    head.writeUInt32LE(content.length, 5);
    this.#parts.push(head, content);
    this.#bytes += HEAD_BYTES + content.length;
    if (this.#bytes > this.#bodyBytes) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
  }
}

const NOTHING = Buffer.alloc(0);

/** The entries of a body, one after another. @throws ProtocolError where the body ends in the middle of one */
export function* entriesOf(body: Uint8Array): Generator<Entry> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEAD_BYTES <= bytes.length ? at + HEAD_BYTES + bytes.readUInt32LE(at + 5) : Number.NaN;
    if (!(end <= bytes.length)) {
      throw new ProtocolError(`Cannot read entry at byte ${at} of ${bytes.length}: it is cut off`);
    }
    yield { kind: bytes[at]!, hand: bytes.readUInt32LE(at + 1), content: bytes.subarray(at + HEAD_BYTES, end) };
    at = end;
  }
}

/** @throws ProtocolError for what is no request */
export function requestIn({ content }: Entry): WorkerRequest {
  return requestOf(readFrame(content));
}

/** @throws ProtocolError for what is no reply */
export function replyIn({ content }: Entry): WorkerReply {
  return replyOf(readFrame(content));
}

/** The JSON object of an entry. @throws ProtocolError for anything else */
export function objectIn({ kind, content }: Entry): Readonly<Record<string, unknown>> {
  const text = content.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError(`Cannot read entry of kind ${kind}: it begins with "${text.slice(0, 40)}"`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProtocolError(`Cannot read entry of kind ${kind}: expected an object, got ${text.slice(0, 40)}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** The numbers of one of its members. @throws ProtocolError for anything else */
export function numbersIn(object: Readonly<Record<string, unknown>>, member: string): number[] {
  const value = Object.hasOwn(object, member) ? object[member] : undefined;
  if (!Array.isArray(value) || !value.every((one) => Number.isInteger(one))) {
    throw new ProtocolError(`Cannot read "${member}": expected a list of whole numbers`);
  }
  return value as number[];
}
