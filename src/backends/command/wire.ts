// The way to one worker: lines of JSON, or frames from the hellos on. Knows nothing of what the messages say.
import type { Writable } from "node:stream";
import type { Msgpack } from "../../protocol/msgpack.ts";
import { jsonFrame, msgpackFrame } from "../../worker/message-frames.ts";

export class Wire {
  readonly #input: Writable;
  #msgpack: Msgpack | undefined;

  constructor(input: Writable) {
    this.#input = input;
  }

  /** From now on messages go as frames. */
  frame(msgpack: Msgpack): void {
    this.#msgpack = msgpack;
  }

  /** Set where messages go as frames: what JSON has not can then be sent by `pack`. */
  get msgpack(): Msgpack | undefined {
    return this.#msgpack;
  }

  /** Writes messages as JSON, each with its line feed. */
  write(lines: string): void {
    this.#input.write(this.#msgpack === undefined ? lines : jsonFrame(lines));
  }

  /** Writes a message, of values that were checked, in MessagePack. */
  pack(message: unknown): void {
    this.#input.write(msgpackFrame(this.#msgpack!.encode(message)));
  }
}
