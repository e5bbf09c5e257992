// The sockets of one channel: binds and connects, hands on what comes with the route it came by, and sends. Where it binds there is a
// ROUTER, where it connects a DEALER. Knows nothing of sessions.
//
// Sending never waits: no high-water mark, because credit bounds what is under way, and no timeout. So there is never a second send while
// one is pending, which zeromq.js does not allow.
import type { Dealer, Observer, Router, Socket } from "zeromq";
import { ConfigError, ProtocolError } from "../../protocol/errors.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Engine } from "./engine.ts";
import { receive } from "./receive.ts";
import { SocketFile } from "./socket-file.ts";
import { Gatekeeper } from "./zap.ts";

/** One connection to somebody. */
export interface Route {
  /** Differs for each connection. */
  readonly key: string;
  /** Whether this side has made it. */
  readonly isMade: boolean;
}

export interface LinkEars {
  message(route: Route, bytes: Uint8Array): void;
  /** A connection that this side makes is there, or there again. */
  up(route: Route): void;
  /** A connection that this side has made is gone; it is being made again. */
  down(route: Route): void;
  /** Something was dropped, or somebody refused. */
  garbage(error: ProtocolError): void;
}

export interface LinkOptions {
  /** Larger messages, and who sends them, are cut off. */
  readonly maxMessageBytes: number;
  /** How often libzmq looks whether its peers live, and after how long without an answer it cuts the connection. */
  readonly heartbeatMs: number;
  readonly leaseMs: number;
}

export class Link {
  readonly #engine: Engine;
  readonly #options: LinkOptions;
  readonly #ears: LinkEars;
  readonly #ports: Port[] = [];

  constructor(engine: Engine, options: LinkOptions, ears: LinkEars) {
    this.#engine = engine;
    this.#options = options;
    this.#ears = ears;
  }

  /** Binds and connects. Answers the addresses, with the ports that the system chose. */
  async open(places: readonly (Endpoint | Socket)[]): Promise<readonly string[]> {
    try {
      for (const place of places) {
        const name = `${this.#ports.length}`;
        const port = new Port(this.#engine, this.#options, this.#ears, name, place);
        this.#ports.push(port);
        await port.open();
      }
      return this.#ports.map(({ url }) => url);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Sends a message; `onNobody` is called, later, when nobody is there who could get it. */
  send(route: Route, bytes: Uint8Array, onNobody: () => void): void {
    const at = route.key.indexOf(":");
    this.#ports[Number(at < 0 ? route.key : route.key.slice(0, at))]?.send(
      at < 0 ? undefined : route.key.slice(at + 1),
      bytes,
      onNobody,
    );
  }

  /** Makes the connection anew, with a fresh socket. What waits in the old one is dropped. */
  renew(route: Route): void {
    this.#ports[Number(route.key)]?.renew();
  }

  /** Closes the sockets now, and resolves when others can bind where they were bound. */
  async close(): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.close()));
  }
}

class Port {
  readonly #engine: Engine;
  readonly #options: LinkOptions;
  readonly #ears: LinkEars;
  readonly #name: string;
  readonly #endpoint: Endpoint | undefined;
  readonly #made: Route;
  #socket: Router | Dealer | undefined;
  #gatekeeper: Gatekeeper | undefined;
  #file: SocketFile | undefined;
  #isClosed = false;
  /** Resolves when a bound socket that was closed is gone. */
  #isGone: Promise<void> = Promise.resolve();
  url = "";

  constructor(engine: Engine, options: LinkOptions, ears: LinkEars, name: string, place: Endpoint | Socket) {
    this.#engine = engine;
    this.#options = options;
    this.#ears = ears;
    this.#name = name;
    this.#made = { key: name, isMade: true };
    if (isEndpoint(place)) this.#endpoint = place;
    else this.#socket = this.#ready(place);
  }

  async open(): Promise<void> {
    if (this.#endpoint === undefined) {
      const socket = this.#socket!;
      this.url = socket.lastEndpoint ?? "";
      void this.#read(socket);
      if (socket instanceof this.#engine.Dealer) this.#ears.up(this.#made);
    } else if (this.#endpoint.bind) await this.#bind(this.#endpoint);
    else this.#connect(this.#endpoint);
  }

  send(identity: string | undefined, bytes: Uint8Array, onNobody: () => void): void {
    const socket = this.#socket;
    if (socket === undefined || socket.closed) return;
    // A Buffer over the same memory: anything else is turned into a text.
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    socket.send(identity === undefined ? frame : [Buffer.from(identity, "latin1"), frame]).catch((error: unknown) => {
      if (!socket.closed && (error as { code?: unknown }).code !== "EAGAIN") onNobody();
    });
  }

  renew(): void {
    if (this.#isClosed || this.#endpoint === undefined || this.#endpoint.bind) return;
    this.#socket?.close();
    this.#connect(this.#endpoint);
  }

  /**
   * A socket is closed on another thread, and frees its port there. It is not unbound before: zeromq.js unbinds on a thread of its pool,
   * and asks the socket for events on this one meanwhile, which aborts the process ("Assertion failed: _state == term_ack_sent").
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#file?.remove();
    this.#socket?.close();
    this.#gatekeeper?.close();
    if (this.#endpoint?.bind === true) await this.#isGone;
  }

  async #bind(endpoint: Endpoint): Promise<void> {
    const { curve } = endpoint;
    if (curve?.allow !== undefined) {
      this.#gatekeeper = new Gatekeeper(this.#engine, curve.allow, (error) => this.#ears.garbage(error));
      await this.#gatekeeper.open();
    }
    const security =
      curve === undefined
        ? {}
        : {
            curveServer: true,
            curvePublicKey: curve.publicKey,
            curveSecretKey: curve.secretKey,
            zapDomain: "manyhands",
          };
    const context = this.#gatekeeper === undefined ? {} : { context: this.#gatekeeper.context };
    const socket = make(endpoint.url, () => {
      // Without these a message to somebody who is gone would wait for ever, or vanish without a word.
      const fixed = { mandatory: true, ...this.#common(), ...security, ...context };
      return new this.#engine.Router({ ...endpoint.options, ...fixed });
    });
    this.#socket = socket;
    this.#watch(socket, endpoint);
    try {
      await socket.bind(endpoint.url);
    } catch (cause) {
      throw new ConfigError(`Cannot bind "${endpoint.url}": ${(cause as Error).message}`, { cause });
    }
    this.url = socket.lastEndpoint ?? endpoint.url;
    this.#file = new SocketFile(this.url);
    void this.#read(socket);
  }

  #connect(endpoint: Endpoint): void {
    const { curve } = endpoint;
    const security =
      curve === undefined
        ? {}
        : { curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey, curveServerKey: curve.serverKey ?? null };
    const socket = make(endpoint.url, () => {
      const fixed = { ...this.#common(), ...security };
      return new this.#engine.Dealer({
        reconnectInterval: 50,
        reconnectMaxInterval: 1_000,
        connectTimeout: 5_000,
        ...endpoint.options,
        ...fixed,
      });
    });
    this.#socket = socket;
    this.url = endpoint.url;
    this.#watch(socket, endpoint);
    try {
      socket.connect(endpoint.url);
    } catch (cause) {
      socket.close();
      throw new ConfigError(`Cannot connect to "${endpoint.url}": ${(cause as Error).message}`, { cause });
    }
    void this.#read(socket);
    // Within a process there are no events of connections.
    if (endpoint.url.startsWith("inproc:")) this.#ears.up(this.#made);
  }

  #common(): object {
    const { heartbeatMs, leaseMs, maxMessageBytes } = this.#options;
    return {
      linger: 0,
      sendTimeout: 0,
      sendHighWaterMark: 0,
      // Where one is reached while libzmq's heartbeats are on, and the peer dies, libzmq 4.3 ends the process ("Assertion failed:
      // !_io_error", its issues 3937 and 4767). Credit bounds what may come.
      receiveHighWaterMark: 0,
      maxMessageSize: maxMessageBytes,
      heartbeatInterval: Math.ceil(heartbeatMs),
      heartbeatTimeout: Math.ceil(Math.max(heartbeatMs, leaseMs - 2 * heartbeatMs)),
    };
  }

  /** A socket that the caller has made: it is used as it is, and closed with the role. */
  #ready(socket: Socket): Router | Dealer {
    const { Router, Dealer } = this.#engine;
    if (socket instanceof Router) {
      socket.mandatory = true;
    } else if (!(socket instanceof Dealer)) {
      throw new ConfigError(
        `Cannot use a socket of type ${socket.constructor.name}: a channel takes a Router where it is bound, a Dealer where it is connected`,
      );
    }
    socket.linger = 0;
    socket.sendTimeout = 0;
    socket.receiveTimeout = -1;
    return socket;
  }

  /** Reads until the socket is closed. */
  async #read(socket: Router | Dealer): Promise<void> {
    const isRouter = socket instanceof this.#engine.Router;
    for (;;) {
      let parts: Buffer[] | undefined;
      try {
        parts = await receive(socket);
      } catch (cause) {
        this.#ears.garbage(new ProtocolError(`Cannot read from "${this.url}" any more`, { cause }));
        return;
      }
      if (parts === undefined) return;
      if (parts.length === (isRouter ? 2 : 1)) {
        const route = isRouter ? { key: `${this.#name}:${parts[0]!.toString("latin1")}`, isMade: false } : this.#made;
        this.#ears.message(route, parts.at(-1)!);
      } else {
        this.#ears.garbage(new ProtocolError(`Cannot read message: it has ${parts.length} parts`));
      }
    }
  }

  /** What happens to the connections of a socket, until it is gone. */
  #watch(socket: Router | Dealer, { url, bind }: Endpoint): void {
    if (!bind && url.startsWith("inproc:")) return;
    let events: Observer;
    try {
      events = socket.events;
    } catch (error) {
      // The package names an observer by its place in memory, and libzmq may still know an earlier one of that place. Heartbeats
      // notice what it would have told, only later.
      if ((error as { code?: unknown }).code !== "EADDRINUSE") throw error;
      if (!bind) this.#ears.up(this.#made);
      return;
    }
    const run = async (): Promise<void> => {
      for (;;) {
        const event = await events.receive();
        if (event.type === "end") return;
        if (socket.closed) continue;
        if (event.type === "handshake" && !bind) this.#ears.up(this.#made);
        else if (event.type === "disconnect" && !bind) this.#ears.down(this.#made);
        // Of the other kind are connections that broke meanwhile: they are made again.
        else if (event.type === "handshake:error:auth" || event.type === "handshake:error:protocol") {
          const why = event.error.message;
          this.#ears.garbage(new ProtocolError(`Cannot shake hands ${bind ? "at" : "with"} "${url}": ${why}`));
        }
      }
    };
    // An observer that ends before its socket costs only warnings, and a faster notice of what its heartbeats notice too.
    this.#isGone = run().catch(() => {});
  }
}

function make<S>(url: string, socket: () => S): S {
  try {
    return socket();
  } catch (cause) {
    throw new ConfigError(`Cannot use the options of "${url}": ${(cause as Error).message}`, { cause });
  }
}

function isEndpoint(place: Endpoint | Socket): place is Endpoint {
  return typeof place.bind === "boolean";
}
