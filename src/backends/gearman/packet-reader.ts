// Splits a byte stream into packets. Holds no stream itself.
import { ProtocolError } from "../../protocol/errors.ts";
import { HEADER_BYTES, MAGIC_NUMBERS, type Magic, SHAPES, shownBytes } from "./packet.ts";

/** What a packet's body may have, if nothing else is said: 1 GiB. */
export const MAX_PACKET_BYTES: number = 2 ** 30;

/** Gets each packet. The body is a view that holds within the call; copy of it what is to stay. */
export type PacketHandler = (type: number, body: Buffer) => void;

export class PacketReader {
  #parts: Buffer[] = [];
  #bytes = 0;
  /** What the packet under way takes with its header; just the header's bytes as long as that is not whole. */
  #needed = HEADER_BYTES;
  readonly #magic: Magic;
  readonly #onPacket: PacketHandler;
  readonly #maxBytes: number;

  /**
   * @param magic the direction that is read: `RES` comes from a server
   * @param maxBytes a packet with a larger body is an error as soon as its header is there
   */
  constructor(magic: Magic, onPacket: PacketHandler, maxBytes: number = MAX_PACKET_BYTES) {
    this.#magic = magic;
    this.#onPacket = onPacket;
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes, split anywhere, and hands on each packet that is whole. @throws ProtocolError at what is none */
  push(chunk: Buffer): void {
    let data = chunk;
    if (this.#bytes > 0) {
      this.#parts.push(chunk);
      this.#bytes += chunk.length;
      // Joining at each chunk would copy a large packet over and over.
      if (this.#bytes < this.#needed) return;
      data = Buffer.concat(this.#parts, this.#bytes);
      this.#parts = [];
      this.#bytes = 0;
    }
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (data.length - at >= HEADER_BYTES) {
      const packetBytes = this.#packetBytesAt(data, at);
      if (packetBytes > data.length - at) {
        this.#needed = packetBytes;
        break;
      }
      const start = at;
      at += packetBytes;
      this.#needed = HEADER_BYTES;
      this.#onPacket(data.readUInt32BE(start + 4), data.subarray(start + HEADER_BYTES, at));
    }
    if (at < data.length) {
      this.#parts.push(at === 0 ? data : data.subarray(at));
      this.#bytes = data.length - at;
    }
  }

  #packetBytesAt(data: Buffer, at: number): number {
    const type = data.readUInt32BE(at + 4);
    const bodyBytes = data.readUInt32BE(at + 8);
    const shape = SHAPES[type];
    let problem: string | undefined;
    if (data.readUInt32BE(at) !== MAGIC_NUMBERS[this.#magic]) problem = "it is none";
    else if (shape === undefined) problem = `there is no type ${type}`;
    else if (!shape.travels.includes(this.#magic)) problem = `${shape.name} does not travel this way`;
    else if (bodyBytes > this.#maxBytes) problem = `it announces ${bodyBytes} bytes and may have ${this.#maxBytes}`;
    if (problem === undefined) return HEADER_BYTES + bodyBytes;
    throw new ProtocolError(
      `Cannot read packet: ${problem} (its bytes begin with ${shownBytes(data.subarray(at, at + 16))})`,
    );
  }
}
