// What a program writes goes to a file of its own: nothing of it passes through a process of ours while the program runs, and memory
// stays bounded however much it is. A file costs a program's start nothing that can be measured; a pipe nearly doubles it.
import { closeSync, fstatSync, openSync, readdirSync, readSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Written } from "./messages.ts";

/** So much goes into a message; more stays in its file. */
const MOST_IN_MESSAGE = 64 * 1024;

/** Asking for it takes some thirty system calls. */
let folder: string | undefined;
let count = 0;

export class Capture {
  readonly fd: number;
  readonly #file: string;

  /** An empty file, open for appending and reading. */
  constructor() {
    folder ??= tmpdir();
    this.#file = join(folder, `${prefixOf(process.pid)}${process.hrtime.bigint()}-${count++}`);
    // It must be new: in a folder for everybody another's file, or a link to one, could wait there.
    try {
      this.fd = openSync(this.#file, "ax+", 0o600);
    } catch (cause) {
      // Without the system's code, which would be taken for the program's.
      throw new Error(`there is no file for what it writes: ${(cause as Error).message}`, { cause });
    }
  }

  /** What is in it. The file is gone, or named in the answer. */
  take(): Written {
    const { size } = fstatSync(this.fd);
    if (size > MOST_IN_MESSAGE) {
      closeSync(this.fd);
      return { file: this.#file, size };
    }
    const bytes = Buffer.allocUnsafe(size);
    const length = size === 0 ? 0 : readSync(this.fd, bytes, 0, size, 0);
    this.drop();
    return length === 0 ? 0 : bytes.toString("base64", 0, length);
  }

  drop(): void {
    closeSync(this.fd);
    try {
      unlinkSync(this.#file);
    } catch {
      // Somebody has removed it, or the folder.
    }
  }
}

/** Removes what a launcher has left that was killed. What still runs goes on writing to files without a name. */
export function removeCaptures(pid: number): void {
  const temporary = tmpdir();
  for (const name of namesIn(temporary))
    if (name.startsWith(prefixOf(pid))) rmSync(join(temporary, name), { force: true });
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // It is gone, with all that was in it.
    return [];
  }
}

function prefixOf(pid: number): string {
  return `manyhands-${pid}-`;
}
