// Splits a byte stream into lines of text. Holds no stream itself.
import { ProtocolError } from "./errors.ts";

const LINE_FEED = 10;
/** A line that goes on for longer is no message. */
export const MAX_LINE_BYTES: number = 256 * 2 ** 20;

export class LineReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #onLine: (line: string) => void;
  readonly #mayBegin: ((byte: number) => boolean) | undefined;
  readonly #decoder = new TextDecoder();

  /**
   * @param onLine gets each line that is not empty, without its line feed
   * @param mayBegin whether a line may begin with the byte: what never can be a message is not waited for
   */
  constructor(onLine: (line: string) => void, mayBegin?: (byte: number) => boolean) {
    this.#onLine = onLine;
    this.#mayBegin = mayBegin;
  }

  /** Takes the next bytes, split anywhere. @throws ProtocolError at a line without end */
  push(chunk: Uint8Array): void {
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last < 0) {
      this.#keep(chunk);
      return;
    }
    const text = this.#take(chunk.subarray(0, last));
    if (last + 1 < chunk.length) this.#keep(chunk.subarray(last + 1));
    let from = 0;
    for (let to = text.indexOf("\n"); to >= 0; to = text.indexOf("\n", from)) {
      this.#say(text, from, to);
      from = to + 1;
    }
    this.#say(text, from, text.length);
  }

  /** The stream is at its end: what is left is a line too. */
  end(): void {
    if (this.#bytes === 0) return;
    const text = this.#take(new Uint8Array(0));
    this.#say(text, 0, text.length);
  }

  #say(text: string, from: number, to: number): void {
    if (to > from) this.#onLine(text.slice(from, to));
  }

  #keep(chunk: Uint8Array): void {
    if (this.#bytes === 0 && chunk.length > 0 && this.#mayBegin?.(chunk[0]!) === false) {
      throw new ProtocolError(`Cannot read message: it begins with "${this.#decoder.decode(chunk.subarray(0, 80))}"`);
    }
    if (this.#bytes + chunk.length > MAX_LINE_BYTES) {
      const shown = this.#decoder.decode((this.#parts[0] ?? chunk).subarray(0, 80));
      throw new ProtocolError(`Cannot read line: it is longer than ${MAX_LINE_BYTES} bytes and begins with "${shown}"`);
    }
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
  }

  /** What was kept and these bytes, as text. */
  #take(chunk: Uint8Array): string {
    if (this.#bytes === 0) return this.#decoder.decode(chunk);
    const whole = new Uint8Array(this.#bytes + chunk.length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    whole.set(chunk, at);
    this.#parts = [];
    this.#bytes = 0;
    return this.#decoder.decode(whole);
  }
}
