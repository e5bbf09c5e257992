// Where bytes of input come from. Knows nothing of what they mean.
import { constants, createReadStream } from "node:fs";
import { access, stat } from "node:fs/promises";
import { messageOf, wrongUsage } from "../complaint.ts";

export interface Source {
  /** For messages: the path, or `stdin`. */
  readonly name: string;
  /** In bytes; undefined for what is not a regular file. */
  readonly size: number | undefined;
  /** Tells a file from another whatever its path is; undefined for what is not a regular file. */
  readonly identity: string | undefined;
  /** Reads it from the start. Once `signal` is aborted it ends, or throws. */
  open(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** A file that can be read, or a complaint that names it. `-` is standard input. */
export async function openFile(path: string): Promise<Source> {
  if (path === "-") return standardInput();
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new Error("it is a directory");
    await access(path, constants.R_OK);
    const isRegular = found.isFile();
    return {
      name: path,
      size: isRegular ? found.size : undefined,
      identity: isRegular ? `${found.dev}:${found.ino}` : undefined,
      open: (signal) => createReadStream(path, { signal }),
    };
  } catch (error) {
    throw wrongUsage(`Cannot read input "${path}": ${messageOf(error)}`, { cause: error });
  }
}

export async function standardInput(): Promise<Source> {
  // A file on standard input has a size too: `< in.ndjson`.
  const found = await stat("/dev/stdin").catch(() => undefined);
  if (found?.isDirectory()) throw wrongUsage("Cannot read standard input: it is a directory");
  const isRegular = found?.isFile() === true;
  return {
    name: "stdin",
    size: isRegular ? found.size : undefined,
    identity: isRegular ? `${found.dev}:${found.ino}` : undefined,
    open: (signal) => {
      // Accessed only here: touching process.stdin opens it, and an open pipe keeps a program from ending.
      const { stdin } = process;
      signal.addEventListener("abort", () => stdin.destroy(), { once: true });
      return stdin;
    },
  };
}
