// What a program writes goes to a file of its own: nothing of it passes through this process while the program runs, and memory
// stays bounded however much it is. A file costs a program's start nothing that can be measured; a pipe nearly doubles it.
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** So much of what a program wrote is kept in memory; more stays in its file. */
const MOST_IN_MEMORY = 64 * 1024;
const PIECE = 64 * 1024;

/** Asking for it takes some thirty system calls. */
let folder: string | undefined;

let count = 0;

/** An empty file without a name, open for appending and reading. */
export function openNameless(): number {
  folder ??= tmpdir();
  for (;;) {
    const path = join(folder, `manyhands-${process.pid}-${process.hrtime.bigint()}-${count++}`);
    try {
      // It must be new: in a folder for everybody another's file, or a link to one, could wait there.
      const fd = openSync(path, "ax+", 0o600);
      unlinkSync(path);
      return fd;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** What a program wrote on one of its streams. It can be read until it is closed. */
export class Output {
  readonly size: number;
  readonly #bytes: Buffer | undefined;
  #fd: number;

  /** @param fd the file, which is this object's from now on */
  constructor(fd: number) {
    this.size = fstatSync(fd).size;
    this.#fd = fd;
    if (this.size > MOST_IN_MEMORY) return;
    this.#bytes = this.#read(0, this.size);
    this.close();
  }

  /** All of it, from the beginning, in pieces of at most 64 KiB. */
  *pieces(): Generator<Buffer, void, undefined> {
    if (this.#bytes !== undefined) {
      if (this.size > 0) yield this.#bytes;
      return;
    }
    for (let at = 0; at < this.size; at += PIECE) yield this.#read(at, PIECE);
  }

  /** The last bytes of it. */
  tail(size: number): Buffer {
    const from = Math.max(0, this.size - size);
    return this.#bytes?.subarray(from) ?? this.#read(from, size);
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
