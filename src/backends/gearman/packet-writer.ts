// Gathers the packets of one turn of the event loop into one write, and hands a socket no more than it can take.
import type { Socket } from "node:net";
import { type Argument, HEADER_BYTES, packetBytes, writeHeader, writePacket } from "./packet.ts";

const SLAB_BYTES = 64 * 1_024;
/** An argument of that size is not copied. */
const LARGE_BYTES = 16 * 1_024;
/** So much is given to the socket at a time. Each time that it has taken it all is a sign of life of the other side. */
const PIECE_BYTES = 256 * 1_024;

export class PacketWriter {
  readonly #socket: Socket;
  readonly #onProgress: () => void;
  /** Small packets are written into it. */
  #slab: Buffer = Buffer.allocUnsafe(SLAB_BYTES);
  #used = 0;
  /** From where on the slab is not in the queue. */
  #queuedTo = 0;
  #queue: Buffer[] = [];
  #bytes = 0;
  /** All that it was ever given. */
  total = 0;
  #isWriting = false;
  #isScheduled = false;
  #isEnding = false;
  #isClosed = false;

  /** @param onProgress the socket has taken what it was given */
  constructor(socket: Socket, onProgress: () => void) {
    this.#socket = socket;
    this.#onProgress = onProgress;
  }

  /** Bytes that the socket has not taken yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing more is taken. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  write(type: number, args: readonly Argument[]): void {
    if (this.#isEnding || this.#isClosed) return;
    const bytes = packetBytes(args);
    const last = args.at(-1);
    if (last instanceof Uint8Array && last.length >= LARGE_BYTES) this.#writeLarge(type, args, last, bytes);
    else {
      const at = this.#reserve(bytes);
      writePacket(this.#slab, at, "REQ", type, args, bytes);
    }
    this.#bytes += bytes;
    this.total += bytes;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** Ends the socket when everything is written. */
  end(): void {
    this.#isEnding = true;
    this.#flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#bytes = 0;
  }

  #writeLarge(type: number, args: readonly Argument[], last: Uint8Array, bytes: number): void {
    const head = args.slice(0, -1);
    // With an empty text in the place of the large argument everything in front of it is there, its NUL too.
    const headBytes = packetBytes([...head, ""]);
    const at = this.#reserve(headBytes);
    writePacket(this.#slab, at, "REQ", type, [...head, ""], headBytes);
    writeHeader(this.#slab, at, "REQ", type, bytes - HEADER_BYTES);
    this.#seal();
    for (let from = 0; from < last.length; from += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, last.length - from);
      this.#queue.push(Buffer.from(last.buffer, last.byteOffset + from, length));
    }
  }

  /** Room for so many bytes in the slab; a new one where the old one is full. Answers where it begins. */
  #reserve(bytes: number): number {
    if (this.#used + bytes > this.#slab.length) {
      this.#seal();
      this.#slab = Buffer.allocUnsafe(Math.max(SLAB_BYTES, bytes));
      this.#used = 0;
      this.#queuedTo = 0;
    }
    const at = this.#used;
    this.#used += bytes;
    return at;
  }

  #seal(): void {
    if (this.#used > this.#queuedTo) this.#queue.push(this.#slab.subarray(this.#queuedTo, this.#used));
    this.#queuedTo = this.#used;
  }

  #flush(): void {
    if (this.#isWriting || this.#isClosed) return;
    this.#seal();
    if (this.#queue.length === 0) {
      if (this.#isEnding) this.#socket.end();
      return;
    }
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (bytes === 0 || bytes + this.#queue[count]!.length <= PIECE_BYTES)) {
      bytes += this.#queue[count++]!.length;
    }
    const pieces = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    this.#isWriting = true;
    const written = (error?: Error | null): void => {
      this.#isWriting = false;
      // The socket tells of its errors itself.
      if (error !== undefined && error !== null) return;
      this.#bytes -= bytes;
      this.#onProgress();
      this.#flush();
    };
    if (pieces.length === 1) this.#socket.write(pieces[0]!, written);
    else {
      this.#socket.cork();
      for (let i = 0; i < pieces.length - 1; i++) this.#socket.write(pieces[i]!);
      this.#socket.write(pieces.at(-1)!, written);
      this.#socket.uncork();
    }
  }
}
