// One connection to one server: packets out in few writes, packets in, answers to those who asked, and a watch on whether the
// server still lives. Knows nothing of jobs, and never connects a second time.
import type { Socket } from "node:net";
import { ProtocolError } from "../../protocol/errors.ts";
import { Fifo } from "./fifo.ts";
import { GearmanError } from "./gearman-error.ts";
import { type Argument, PacketType, SHAPES } from "./packet.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";
import type { ServerAddress } from "./servers.ts";
import { openSocket, type TlsOptions } from "./socket.ts";

export interface ConnectionOptions {
  /** How long a server may take to be reached and to answer for the first time, default 5,000 ms. */
  readonly connectTimeoutMs?: number | undefined;
  /** A server that is silent for so long is asked whether it lives, and has as long to answer, and 4 s more for each MiB on its way; default 5,000 ms, 0 never asks. */
  readonly heartbeatMs?: number | undefined;
  /** Options of `tls.connect`; without them it is plain TCP. */
  readonly tls?: TlsOptions | undefined;
  /** What a packet may hold, default 1 GiB. */
  readonly maxPacketBytes?: number | undefined;
}

export interface ConnectionListener {
  /** The server is there: it has answered. */
  connected(): void;
  /** A packet that answers nothing. The body is a view that holds within the call. */
  packet(type: number, body: Buffer): void;
  /** It is over, exactly once and after everything else, however it ended. Those who asked were told before. */
  lost(cause: Error): void;
}

/** Who waits for an answer. Gets exactly one of the two calls, and `lost` after `answered` has thrown. */
export interface Asker {
  /**
   * The answer, which may be an ERROR. The body is a view that holds within the call.
   * @throws ProtocolError at one that is none to its question, before anything has changed: the connection ends
   */
  answered(type: number, body: Buffer): void;
  lost(cause: Error): void;
}

export const CONNECT_TIMEOUT_MS = 5_000;
export const HEARTBEAT_MS = 5_000;
/** How long the server may take to close its side, where no heartbeat says otherwise. */
const END_MS = 5_000;
/** The answer to a question comes after what was sent before it has crept over the slowest line that is of use. */
const MIN_BYTES_PER_MS = 256;
/** More than that lies in no system's buffers: of the rest each piece that leaves is a sign of life. */
const MAX_UNDER_WAY_BYTES = 8 * 2 ** 20;

/** The protocol has no request ids. These answer requests, in the order in which those were sent. */
const ANSWERS: ReadonlySet<number> = new Set([
  PacketType.JOB_CREATED,
  PacketType.NO_JOB,
  PacketType.JOB_ASSIGN,
  PacketType.JOB_ASSIGN_UNIQ,
  PacketType.JOB_ASSIGN_ALL,
  PacketType.ECHO_RES,
  PacketType.ERROR,
  PacketType.STATUS_RES,
  PacketType.OPTION_RES,
  PacketType.STATUS_RES_UNIQUE,
]);

/** What servers say of results for jobs that they do not know (any more). Nobody asked. */
const UNASKED_ERRORS: ReadonlySet<string> = new Set(["JOB_NOT_FOUND", "not_worker"]);

export class Connection {
  readonly server: ServerAddress;
  readonly #listener: ConnectionListener;
  readonly #socket: Socket;
  readonly #reader: PacketReader;
  readonly #writer: PacketWriter;
  readonly #asked = new Fifo<Asker>();
  readonly #heartbeatMs: number;
  #connectTimer: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  /** When the server last gave a sign of life: it sent, or it took what was sent. */
  #aliveAt = 0;
  /** How much had been sent when it last sent something. */
  #sentWhenHeard = 0;
  #isWaitingForEcho = false;
  #isConnected = false;
  #isOver = false;
  #cause: Error | undefined;

  constructor(server: ServerAddress, listener: ConnectionListener, options: ConnectionOptions = {}) {
    this.server = server;
    this.#listener = listener;
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
    this.#reader = new PacketReader("RES", (type, body) => this.#packet(type, body), options.maxPacketBytes);
    const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#connectTimer = setTimeout(
      () => this.destroy(this.#lost(`it has not answered within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    ).unref();
    this.#socket = openSocket(server, options.tls, () => this.#greet());
    this.#writer = new PacketWriter(this.#socket, () => this.#isAlive());
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("error", (error) => {
      this.#cause ??= this.#lost(error.message, error);
    });
    this.#socket.on("close", () => this.#closed());
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.#socket.destroyed && !this.#writer.isEnding;
  }

  /** What waits to be taken by the server, in bytes. */
  get unsentBytes(): number {
    return this.#writer.bytes;
  }

  /** Sends a packet with what else is sent in this turn. After the end it does nothing. Large arguments must not be changed. */
  send(type: number, ...args: readonly Argument[]): void {
    if (!this.#isOver) this.#writer.write(type, args);
  }

  /** Sends a packet that will be answered. */
  ask(asker: Asker, type: number, ...args: readonly Argument[]): void {
    if (this.#isOver) {
      asker.lost(this.#cause!);
      return;
    }
    this.#writer.write(type, args);
    this.#asked.push(asker);
  }

  /** Sends what is left to send, then closes. */
  end(): void {
    if (this.#isOver) return;
    this.#cause ??= this.#lost("the connection was closed here");
    this.#writer.end();
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#socket.destroy(), this.#heartbeatMs || END_MS).unref();
  }

  /** Ends it at once. */
  destroy(cause?: Error): void {
    if (this.#isOver) return;
    this.#cause ??= cause ?? this.#lost("the connection was closed here");
    this.#socket.destroy();
  }

  /** It keeps the process alive, as it does at first. */
  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /** Who answers this is a Gearman server. And from now on exceptions arrive as such. */
  #greet(): void {
    const greeted = (): void => {
      clearTimeout(this.#connectTimer);
      this.#isConnected = true;
      if (this.#heartbeatMs > 0) this.#watchFor(this.#heartbeatMs);
      this.#listener.connected();
    };
    // An ERROR comes from a server that has no options. It lives all the same.
    this.ask({ answered: greeted, lost: () => {} }, PacketType.OPTION_REQ, "exceptions");
  }

  #read(chunk: Buffer): void {
    this.#isAlive();
    this.#sentWhenHeard = this.#writer.total;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (error instanceof ProtocolError) this.destroy(this.#lost(error.message, error));
      else throw error;
    }
  }

  #packet(type: number, body: Buffer): void {
    if (this.#isOver || this.#socket.destroyed) return;
    if (!ANSWERS.has(type) || (type === PacketType.ERROR && this.#isUnasked(body))) {
      this.#listener.packet(type, body);
      return;
    }
    const asker = this.#asked.peek();
    if (asker === undefined) throw new ProtocolError(`Cannot use packet ${SHAPES[type]!.name}: nobody asked for it`);
    asker.answered(type, body);
    // Who could make nothing of it stays, and hears that the connection is lost.
    this.#asked.shift();
  }

  #isUnasked(body: Buffer): boolean {
    return this.#asked.length === 0 || UNASKED_ERRORS.has(body.toString("latin1", 0, Math.max(0, body.indexOf(0))));
  }

  #isAlive(): void {
    this.#aliveAt = performance.now();
  }

  #watchFor(ms: number): void {
    this.#watch = setTimeout(() => {
      // It may be this process that was late. What has arrived meanwhile is read first.
      setImmediate(() => this.#judge());
    }, ms).unref();
  }

  #judge(): void {
    if (this.#socket.destroyed || this.#writer.isEnding) return;
    const silentMs = performance.now() - this.#aliveAt;
    const sent = Math.min(MAX_UNDER_WAY_BYTES, this.#writer.total - this.#sentWhenHeard);
    const allowedMs = this.#heartbeatMs + sent / MIN_BYTES_PER_MS;
    if (silentMs < allowedMs) {
      this.#watchFor(allowedMs - silentMs);
      return;
    }
    if (this.#isWaitingForEcho) {
      this.destroy(this.#lost(`it has not answered for ${Math.round(silentMs)} ms`));
      return;
    }
    this.#isWaitingForEcho = true;
    const answered = (type: number): void => {
      if (type !== PacketType.ECHO_RES) throw unexpected(type, "ECHO_REQ");
      this.#isWaitingForEcho = false;
    };
    this.ask({ answered, lost: () => {} }, PacketType.ECHO_REQ, "manyhands");
    this.#watchFor(this.#heartbeatMs);
  }

  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#watch);
    this.#writer.close();
    const cause = (this.#cause ??= this.#lost("the server closed the connection"));
    for (let asker = this.#asked.shift(); asker !== undefined; asker = this.#asked.shift()) asker.lost(cause);
    this.#listener.lost(cause);
  }

  #lost(why: string, cause?: Error): GearmanError {
    const name = this.server.name;
    const message = `Cannot ${this.#isConnected ? "go on with" : "connect to"} server "${name}": ${why}`;
    return new GearmanError(message, { code: "CONNECTION_LOST", server: name }, cause === undefined ? {} : { cause });
  }
}

/** An answer came that is none to the question. */
export function unexpected(type: number, question: string): ProtocolError {
  return new ProtocolError(`Cannot use packet ${SHAPES[type]!.name}: it is no answer to ${question}`);
}
