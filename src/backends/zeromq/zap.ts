// Who may come in by CURVE: answers libzmq's questions by the ZeroMQ authentication protocol (RFC 27), in a context of its own, so that
// nobody else's answers are disturbed. Without one libzmq lets any key in.
import type { Context, Router } from "zeromq";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Engine } from "./engine.ts";
import { receive } from "./receive.ts";

const ADDRESS = "inproc://zeromq.zap.01";

export class Gatekeeper {
  /** For the sockets that are to be guarded. */
  readonly context: Context;
  readonly #allowed: ReadonlySet<string>;
  readonly #socket: Router;
  readonly #onRefused: (error: ProtocolError) => void;

  /** @param allowed public keys, in Z85 */
  constructor(engine: Engine, allowed: readonly string[], onRefused: (error: ProtocolError) => void) {
    this.#allowed = new Set(allowed.map((key) => fromZ85(key)));
    this.#onRefused = onRefused;
    this.context = new engine.Context();
    this.#socket = new engine.Router({ context: this.context, linger: 0, sendTimeout: 0 });
  }

  async open(): Promise<void> {
    await this.#socket.bind(ADDRESS);
    void this.#answer();
  }

  close(): void {
    this.#socket.close();
  }

  /** Ends without an error when the socket is closed. */
  async #answer(): Promise<void> {
    try {
      for (;;) {
        const parts = await receive(this.#socket);
        if (parts === undefined) return;
        const [route, , version, request, , address, , mechanism, ...credentials] = parts;
        if (route === undefined || request === undefined) continue;
        const key = credentials[0]?.toString("latin1") ?? "";
        const isAllowed = mechanism?.toString("latin1") === "CURVE" && this.#allowed.has(key);
        const verdict = isAllowed ? ["200", "OK", ""] : ["400", "key not listed", ""];
        await this.#socket.send([route, "", version?.toString() ?? "1.0", request, ...verdict, ""]);
        if (!isAllowed) {
          this.#onRefused(
            new ProtocolError(`Cannot let in a client from ${address?.toString("latin1")}: its key is not listed`),
          );
        }
      }
    } catch (error) {
      if (!this.#socket.closed) throw error;
    }
  }
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** The 32 bytes of a key, as latin1 characters (RFC 32). */
function fromZ85(key: string): string {
  let bytes = "";
  for (let at = 0; at < key.length; at += 5) {
    let value = 0;
    for (const digit of key.slice(at, at + 5)) value = value * 85 + Z85.indexOf(digit);
    for (let shift = 24; shift >= 0; shift -= 8) bytes += String.fromCharCode(Math.floor(value / 2 ** shift) & 0xff);
  }
  return bytes;
}
