// Where a serving program's messages go: a descriptor that several threads write to, a whole line at a time.
import { writeSync } from "node:fs";
import { Turnstile } from "./turnstile.ts";

/** How long a full pipe is waited for before it is tried again. */
const FULL_MS = 1;

export class Channel {
  readonly fd: number;
  readonly turnstile: Turnstile;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));

  constructor(fd: number, turnstile: Turnstile = new Turnstile()) {
    this.fd = fd;
    this.turnstile = turnstile;
  }

  /** Writes lines, each with its line feed. Who does not read holds up who writes: there is no queue. */
  write(lines: string): void {
    const bytes = Buffer.from(lines);
    this.turnstile.pass(() => {
      for (let at = 0; at < bytes.length; ) at += this.#some(bytes, at);
    });
  }

  #some(bytes: Uint8Array, at: number): number {
    try {
      return writeSync(this.fd, bytes, at);
    } catch (error) {
      const code: unknown = Reflect.get(error as object, "code");
      // The pool is gone: nobody waits for this process any more.
      if (code === "EPIPE" || code === "EBADF") process.kill(process.pid, "SIGKILL");
      if (code !== "EAGAIN") throw error;
      Atomics.wait(this.#pause, 0, 0, FULL_MS);
      return 0;
    }
  }
}
