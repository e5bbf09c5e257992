import { closeSync, openSync, readSync, unlinkSync } from "node:fs";
import type { Written } from "./messages.ts";

const PIECE = 64 * 1024;

/** What a program wrote on one of its streams. It can be read until it is closed. */
export class Output {
  readonly #bytes: Buffer | undefined;
  #size: number;
  #fd = -1;

  /** Takes the file over, where there is one: it has no name any more. */
  constructor(written: Written) {
    if (typeof written === "object") {
      this.#size = written.size;
      this.#fd = openSync(written.file, "r");
      unlinkSync(written.file);
    } else {
      this.#bytes = written === 0 ? Buffer.alloc(0) : Buffer.from(written, "base64");
      this.#size = this.#bytes.length;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Leaves out the last bytes of it, where it ends with them; answers whether it does. */
  dropEnd(end: string): boolean {
    const length = Buffer.byteLength(end);
    if (this.size < length || this.tail(length).toString() !== end) return false;
    this.#size -= length;
    return true;
  }

  /** All of it, from the beginning, in pieces of at most 64 KiB. */
  *pieces(): Generator<Buffer, void, undefined> {
    if (this.#bytes !== undefined) {
      if (this.size > 0) yield this.#bytes.subarray(0, this.size);
      return;
    }
    for (let at = 0; at < this.size; at += PIECE) yield this.#read(at, PIECE);
  }

  /** The last bytes of it. */
  tail(size: number): Buffer {
    const from = Math.max(0, this.size - size);
    return this.#bytes?.subarray(from, this.size) ?? this.#read(from, size);
  }

  /** Lets go of the file; safe to call twice. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #read(from: number, size: number): Buffer {
    const piece = Buffer.allocUnsafe(Math.min(size, this.size - from));
    let length = 0;
    while (length < piece.length) {
      const read = readSync(this.#fd, piece, length, piece.length - length, from + length);
      // Whoever still writes to it may have emptied it.
      if (read === 0) break;
      length += read;
    }
    return piece.subarray(0, length);
  }
}
