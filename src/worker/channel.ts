// Where a serving program's messages go: a descriptor that several threads write to, whole lines or whole frames at a time.
import { writeSync } from "node:fs";
import { jsonFrame, msgpackFrame } from "./message-frames.ts";
import { Turnstile } from "./turnstile.ts";

/** How long a full pipe is waited for before it is tried again. */
const FULL_MS = 1;

export class Channel {
  readonly fd: number;
  readonly turnstile: Turnstile;
  /** One word: 1 from the hello on, where messages go as frames. */
  readonly framing: SharedArrayBuffer;
  readonly #isFramed: Int32Array;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));

  /** @param turnstile and `framing` what all threads that write there share */
  constructor(
    fd: number,
    turnstile: Turnstile = new Turnstile(),
    framing: SharedArrayBuffer = new SharedArrayBuffer(4),
  ) {
    this.fd = fd;
    this.turnstile = turnstile;
    this.framing = framing;
    this.#isFramed = new Int32Array(framing);
  }

  get isFramed(): boolean {
    return Atomics.load(this.#isFramed, 0) === 1;
  }

  /** Writes the hello. What comes after it, either way, goes as frames where that is said. */
  greet(hello: string, isFramed: boolean): void {
    // Before it is written: the pool may answer at once, and another thread reads that.
    Atomics.store(this.#isFramed, 0, isFramed ? 1 : 0);
    this.#write(Buffer.from(hello));
  }

  /** Writes lines, each with its line feed. Who does not read holds up who writes: there is no queue. */
  write(lines: string): void {
    this.#write(this.isFramed ? jsonFrame(lines) : Buffer.from(lines));
  }

  /** Writes a message in MessagePack, where that was agreed on. */
  writeMsgpack(message: Uint8Array): void {
    this.#write(msgpackFrame(message));
  }

  #write(bytes: Buffer): void {
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
