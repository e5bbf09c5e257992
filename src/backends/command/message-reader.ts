// What a worker writes, taken apart into messages: lines of JSON first, and frames from its hello on where that says so.
import { ProtocolError } from "../../protocol/errors.ts";
import { FrameReader, JSON_FORMAT, MSGPACK_FORMAT } from "../../protocol/frames.ts";
import { LineReader, MAX_LINE_BYTES } from "../../protocol/lines.ts";
import type { Msgpack } from "../../protocol/msgpack.ts";

const LINE_FEED = 10;
const BRACE = 123;
const BRACKET = 91;

export interface MessageListener {
  /** A message: an object, or columns. */
  message(message: object): void;
  /** A line that is no message. @throws where it is not welcome */
  other(line: string): void;
  /** Lines that are no messages are welcome. */
  readonly takesOther: boolean;
}

export class MessageReader {
  readonly #listener: MessageListener;
  readonly #lines: LineReader;
  #frames: FrameReader | undefined;
  #hasGreeted = false;

  constructor(listener: MessageListener) {
    this.#listener = listener;
    this.#lines = new LineReader(
      (line) => this.#line(line),
      (byte) => listener.takesOther || byte === BRACE || byte === BRACKET,
    );
  }

  /** The hello is read. @param msgpack where frames follow */
  greeted(msgpack: Msgpack | undefined): void {
    this.#hasGreeted = true;
    if (msgpack === undefined) return;
    const limits = {
      formats: [JSON_FORMAT, MSGPACK_FORMAT],
      maxBytes: MAX_LINE_BYTES,
      onOther: (bytes: Uint8Array) => this.#other(bytes),
    };
    this.#frames = new FrameReader((format, payload) => {
      if (format === MSGPACK_FORMAT) this.#listener.message(objectOf(msgpack.decode(payload)));
      else this.#whole(payload);
    }, limits);
  }

  /** Takes the next bytes, split anywhere. @throws ProtocolError for what is no message */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    // Whatever follows the hello may be of another form.
    while (!this.#hasGreeted && rest.length > 0) {
      const end = rest.indexOf(LINE_FEED) + 1;
      const line = end === 0 ? rest : rest.subarray(0, end);
      rest = rest.subarray(line.length);
      this.#lines.push(line);
    }
    if (rest.length > 0) (this.#frames ?? this.#lines).push(rest);
  }

  /** The stream is at its end: what is left is a line too. */
  end(): void {
    this.#frames?.end();
    this.#lines.end();
  }

  #whole(payload: Uint8Array): void {
    this.#lines.push(payload);
    this.#lines.end();
  }

  /** After the drain a worker may go on with plain lines. */
  #other(bytes: Uint8Array): boolean {
    if (this.#listener.takesOther) this.#lines.push(bytes);
    return this.#listener.takesOther;
  }

  #line(line: string): void {
    const first = line.charCodeAt(0);
    if (first !== BRACE && first !== BRACKET) {
      this.#listener.other(line);
      return;
    }
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch (error) {
      throw new ProtocolError(`Cannot read message: it is no JSON and begins with "${line.slice(0, 80)}"`, {
        cause: error,
      });
    }
    this.#listener.message(message as object);
  }
}

function objectOf(message: unknown): object {
  if (typeof message === "object" && message !== null && !(message instanceof Uint8Array || message instanceof Date))
    return message;
  throw new ProtocolError(`Cannot read message: it is ${typeof message === "object" ? "no object" : typeof message}`);
}
