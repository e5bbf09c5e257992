// Devices between plain ZeroMQ sockets, without the guarantees of the roles: what they hold is lost with them.
import type { Proxy, Socket } from "zeromq";
import { ConfigError, PoolClosedError } from "../../protocol/errors.ts";
import { type Endpoint, type Place, readPlaces } from "./endpoint.ts";
import { type Engine, loadEngine } from "./engine.ts";

/** A device that runs. It keeps the process alive until it is stopped. */
export interface Device {
  /** Where the front binds or connects, and the back, with the ports that the system chose. */
  readonly urls: readonly [frontend: string, backend: string];
  /** Passes nothing on until `resume`; what comes meanwhile waits as far as the sockets hold it. */
  pause(): void;
  resume(): void;
  /** Closes both sockets. Resolves when they are. Safe to call twice. */
  stop(): Promise<void>;
}

type Kind = "streamer" | "forwarder";

/**
 * Takes messages that PUSH sockets send to the front, and deals them out to PULL sockets at the back, round and round. For what may be lost:
 * telemetry, or pipelines of plain sockets.
 * @throws ConfigError where a socket is of another type, or cannot bind
 */
export async function streamer(frontend: Place, backend: Place): Promise<Device> {
  return await start("streamer", frontend, backend, (engine) => [engine.Pull, engine.Push]);
}

/**
 * Passes on what is published at the front to all who subscribe at the back.
 * @throws ConfigError where a socket is of another type, or cannot bind
 */
export async function forwarder(frontend: Place, backend: Place): Promise<Device> {
  return await start("forwarder", frontend, backend, (engine) => [engine.XSubscriber, engine.XPublisher]);
}

type SocketClass = new (options: object) => Socket;

async function start(
  kind: Kind,
  frontend: Place,
  backend: Place,
  types: (engine: Engine) => readonly [SocketClass, SocketClass],
): Promise<Device> {
  const places = [frontend, backend].map(
    (place, at) => readPlaces(`the ${at === 0 ? "front" : "back"} of ${kind}()`, place)[0]!,
  );
  const engine = await loadEngine();
  const sockets: Socket[] = [];
  try {
    for (const [at, type] of types(engine).entries()) sockets.push(await open(engine, kind, places[at]!, type));
  } catch (error) {
    for (const one of sockets) one.close();
    throw error;
  }
  const [front, back] = sockets as [Socket, Socket];
  const proxy = new engine.Proxy(front, back);
  return new Running(kind, proxy, [front.lastEndpoint ?? "", back.lastEndpoint ?? ""]);
}

async function open(engine: Engine, kind: Kind, place: Endpoint | Socket, Type: SocketClass): Promise<Socket> {
  if (typeof place.bind === "function") {
    const socket = place as Socket;
    if (!(socket instanceof Type)) {
      throw new ConfigError(
        `Cannot use a socket of type ${(place as Socket).constructor.name}: this end of a ${kind} is a ${Type.name}`,
      );
    }
    return socket;
  }
  const { url, bind, curve, options } = place as Endpoint;
  const security: Record<string, unknown> = {};
  if (curve !== undefined) {
    Object.assign(security, { curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey });
    if (!bind) security["curveServerKey"] = curve.serverKey;
    else {
      throw new ConfigError(`Cannot bind "${url}" of a ${kind} with CURVE: bind the ends, and let the ${kind} connect`);
    }
  }
  const socket = new Type({ ...options, linger: 0, ...security });
  try {
    if (bind) await socket.bind(url);
    else socket.connect(url);
  } catch (cause) {
    socket.close();
    throw new ConfigError(`Cannot ${bind ? "bind" : "connect to"} "${url}": ${(cause as Error).message}`, { cause });
  }
  return socket;
}

class Running implements Device {
  readonly urls: readonly [string, string];
  readonly #kind: Kind;
  readonly #proxy: Proxy;
  readonly #run: Promise<void>;
  #isStopped = false;

  constructor(kind: Kind, proxy: Proxy, urls: readonly [string, string]) {
    this.#kind = kind;
    this.#proxy = proxy;
    this.urls = urls;
    this.#run = proxy.run();
    // An error is told by `stop`.
    this.#run.catch(() => {});
  }

  pause(): void {
    this.#check("pause");
    this.#proxy.pause();
  }

  resume(): void {
    this.#check("resume");
    this.#proxy.resume();
  }

  async stop(): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#proxy.terminate();
    }
    await this.#run;
  }

  #check(what: string): void {
    if (this.#isStopped) throw new PoolClosedError(`Cannot ${what} the ${this.#kind}: it is stopped`);
  }
}
