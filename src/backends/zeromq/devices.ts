// Devices between plain ZeroMQ sockets, without the guarantees of the roles: what they hold is lost with them. They pass messages on
// themselves: libzmq's own steerable proxy, when it is paused and resumed at once, may never go on.
import type { Readable, Socket, Writable } from "zeromq";
import { ConfigError, PoolClosedError } from "../../protocol/errors.ts";
import { type Endpoint, isSocket, type Place, readPlaces } from "./endpoint.ts";
import { type Engine, loadEngine } from "./engine.ts";
import { warner } from "./settings.ts";
import { Gatekeeper } from "./zap.ts";

/** A device that runs. It keeps the process alive until it is stopped. */
export interface Device {
  /** Where the front binds or connects, and the back, with the ports that the system chose. */
  readonly urls: readonly [frontend: string, backend: string];
  /** Passes nothing on until `resume`; what comes meanwhile waits as far as the sockets hold it. */
  pause(): void;
  resume(): void;
  /** Closes both sockets. Resolves when nothing is passed on any more. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Takes messages that PUSH sockets send to the front, and deals them out to PULL sockets at the back, round and round. For what may be lost:
 * telemetry, or pipelines of plain sockets.
 * @throws ConfigError where a socket is of another type, or cannot bind
 */
export async function streamer(frontend: Place, backend: Place): Promise<Device> {
  return await start("streamer", [frontend, backend], (engine) => [engine.Pull, engine.Push]);
}

/**
 * Passes on what is published at the front to all who subscribe at the back.
 * @throws ConfigError where a socket is of another type, or cannot bind
 */
export async function forwarder(frontend: Place, backend: Place): Promise<Device> {
  return await start("forwarder", [frontend, backend], (engine) => [engine.XSubscriber, engine.XPublisher]);
}

type Kind = "streamer" | "forwarder";
type SocketClass = new (options: object) => Socket;

async function start(
  kind: Kind,
  ends: readonly [Place, Place],
  typesOf: (engine: Engine) => readonly [SocketClass, SocketClass],
): Promise<Device> {
  const places = ends.map((place, at) => readPlaces(`the ${at === 0 ? "front" : "back"} of ${kind}()`, place)[0]!);
  const engine = await loadEngine();
  const resources: { close(): void }[] = [];
  try {
    const sockets: Socket[] = [];
    for (const [at, type] of typesOf(engine).entries()) {
      sockets.push(await open(engine, kind, places[at]!, type, resources));
    }
    return new Running(kind, sockets[0]!, sockets[1]!, resources);
  } catch (error) {
    for (const one of resources) one.close();
    throw error;
  }
}

async function open(
  engine: Engine,
  kind: Kind,
  place: Endpoint | Socket,
  Type: SocketClass,
  resources: { close(): void }[],
): Promise<Socket> {
  if (isSocket(place)) {
    if (place instanceof Type) {
      resources.push(place);
      return place;
    }
    const { name } = (place as Socket).constructor;
    throw new ConfigError(`Cannot use a socket of type ${name}: this end of a ${kind} is a ${Type.name}`);
  }
  const { url, bind, curve, options } = place;
  const fixed: Record<string, unknown> = { linger: 0 };
  if (curve !== undefined) {
    Object.assign(fixed, { curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey });
    if (bind) {
      const gatekeeper = new Gatekeeper(engine, curve.allow ?? [], warner(undefined));
      resources.push(gatekeeper);
      await gatekeeper.open();
      Object.assign(fixed, { curveServer: true, zapDomain: "manyhands", context: gatekeeper.context });
    } else fixed["curveServerKey"] = curve.serverKey;
  }
  const socket = new Type({ ...options, ...fixed });
  resources.push(socket);
  try {
    if (bind) await socket.bind(url);
    else socket.connect(url);
  } catch (cause) {
    throw new ConfigError(`Cannot ${bind ? "bind" : "connect to"} "${url}": ${(cause as Error).message}`, { cause });
  }
  return socket;
}

class Running implements Device {
  readonly urls: readonly [string, string];
  readonly #kind: Kind;
  readonly #resources: readonly { close(): void }[];
  readonly #run: Promise<unknown>;
  #isStopped = false;
  /** Resolves when messages may pass; undefined while they may. */
  #gate: Promise<void> | undefined;
  #open: () => void = () => {};

  constructor(kind: Kind, front: Socket, back: Socket, resources: readonly { close(): void }[]) {
    this.#kind = kind;
    this.#resources = resources;
    this.urls = [front.lastEndpoint ?? "", back.lastEndpoint ?? ""];
    const there = this.#pass(front as Socket & Readable, back as Socket & Writable);
    // Who subscribes at the back has to be known at the front.
    const subscriptions =
      kind === "forwarder" ? this.#pass(back as Socket & Readable, front as Socket & Writable) : undefined;
    this.#run = Promise.all([there, subscriptions]);
    // An error is told by `stop`.
    this.#run.catch(() => {});
  }

  pause(): void {
    this.#check("pause");
    this.#gate ??= new Promise((resolve) => (this.#open = resolve));
  }

  resume(): void {
    this.#check("resume");
    this.#gate = undefined;
    this.#open();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const one of this.#resources) one.close();
    this.#open();
    await this.#run;
  }

  /** Ends without an error when the sockets are closed. */
  async #pass(from: Socket & Readable, to: Socket & Writable): Promise<void> {
    try {
      while (!this.#isStopped) {
        const message = await from.receive();
        if (this.#gate !== undefined) await this.#gate;
        await to.send(message);
      }
    } catch (error) {
      if (!this.#isStopped) throw error;
    }
  }

  #check(what: string): void {
    if (this.#isStopped) throw new PoolClosedError(`Cannot ${what} the ${this.#kind}: it is stopped`);
  }
}
