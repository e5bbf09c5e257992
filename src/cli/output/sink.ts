// Where results go: a stream, written in large pieces, that is asked for room before more is made.
import { createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import { messageOf, wrongUsage } from "../complaint.ts";

const PIECE = 64 * 1024;

export class Sink {
  readonly name: string;
  // Bound once: standard output's own write is given away below.
  readonly #write: (piece: string | Uint8Array, done?: () => void) => boolean;
  readonly #stream: Writable;
  readonly #isShared: boolean;
  #text = "";
  #isFlushing = false;
  #room: Promise<void> | undefined;
  #failure: Error | undefined;

  /**
   * @param onFailure hears of the first error, of a write or of the end; afterwards whatever is written is dropped
   * @param isShared the stream is the process's own: it is flushed at the end, and not closed
   */
  constructor(name: string, stream: Writable, onFailure: (error: Error) => void, isShared = false) {
    this.name = name;
    this.#stream = stream;
    this.#isShared = isShared;
    this.#write = stream.write.bind(stream) as (piece: string | Uint8Array, done?: () => void) => boolean;
    stream.on("error", (error) => {
      if (this.#failure) return;
      this.#failure = error;
      onFailure(error);
    });
  }

  /** Takes a piece. Where it gives a promise, there is no room for more before that resolves. */
  write(piece: string | Uint8Array): Promise<void> | undefined {
    if (this.#failure) return undefined;
    if (typeof piece === "string") {
      this.#text += piece;
      if (this.#text.length < PIECE) this.#flushSoon();
      else this.#flush();
    } else {
      this.#flush();
      this.#give(piece);
    }
    return this.#room;
  }

  /** Resolves when everything is written, or can no longer be. */
  async end(): Promise<void> {
    this.#flush();
    if (this.#failure) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("error", () => resolve());
      this.#stream.once("close", () => resolve());
      if (this.#isShared) this.#write("", () => resolve());
      else this.#stream.end();
    });
  }

  // Results that settle together are written together.
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#give(text);
  }

  #give(piece: string | Uint8Array): void {
    if (this.#failure || this.#write(piece) || this.#room) return;
    this.#room = new Promise((resolve) => {
      const done = () => {
        this.#stream.off("drain", done).off("error", done).off("close", done);
        this.#room = undefined;
        resolve();
      };
      this.#stream.on("drain", done).on("error", done).on("close", done);
    });
  }
}

/** Standard output, for results alone: whatever else this process prints goes to standard error from now on. */
export function openStandardOutput(onFailure: (error: Error) => void): Sink {
  const sink = new Sink("standard output", process.stdout, onFailure, true);
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return sink;
}

/** A file, emptied now. A complaint names it where it cannot be opened. */
export async function openFileSink(flag: string, path: string, onFailure: (error: Error) => void): Promise<Sink> {
  const stream = createWriteStream(path);
  try {
    await new Promise<void>((resolve, reject) => {
      stream.once("open", () => resolve());
      stream.once("error", reject);
    });
  } catch (error) {
    throw wrongUsage(`Cannot write ${flag} "${path}": ${messageOf(error)}`, { cause: error });
  }
  return new Sink(path, stream, onFailure);
}

/** What tells a file from another whatever its path is; undefined where there is none yet, or it is not a regular one. */
export async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? `${found.dev}:${found.ino}` : undefined;
}
