// Clients, workers and servers of a test, which are gone after it.
import { type AddressInfo, createServer, type Socket } from "node:net";
import {
  GearmanClient,
  type GearmanClientOptions,
  type GearmanHandler,
  GearmanWorker,
  type GearmanWorkerOptions,
} from "../../src/backends/gearman/index.ts";
import { type Argument, encode, type PacketName, SHAPES } from "../../src/backends/gearman/packet.ts";
import { PacketReader } from "../../src/backends/gearman/packet-reader.ts";
import { until } from "../../src/testing/stage.ts";
import type { Ending } from "./server.ts";

export function openClient(
  t: Ending,
  servers: string | readonly string[],
  options?: GearmanClientOptions,
): GearmanClient {
  const client = new GearmanClient(servers, options);
  t.after(() => client.terminate());
  return client;
}

/** A worker that runs, and that a server knows. */
export async function openWorker(
  t: Ending,
  servers: string | readonly string[],
  handlers: Readonly<Record<string, GearmanHandler>>,
  options?: GearmanWorkerOptions,
): Promise<GearmanWorker> {
  const worker = new GearmanWorker(servers, options);
  t.after(() => worker.terminate());
  for (const [name, handler] of Object.entries(handlers)) worker.register(name, handler);
  void worker.run();
  await worker.ready();
  return worker;
}

export const reverse: GearmanHandler = (payload) => payload.toReversed();
export const echo: GearmanHandler = (payload) => payload;

/** A handler that waits, each job by its payload, until it is told what to give. */
export class Held {
  readonly #gates = new Map<string, (result: string) => void>();
  readonly handler: GearmanHandler = (payload) =>
    new Promise<string>((resolve) => this.#gates.set(payload.toString(), resolve));

  /** Payloads that have come and wait. */
  get waiting(): string[] {
    return [...this.#gates.keys()];
  }

  async came(payload: string): Promise<void> {
    await until(() => this.#gates.has(payload), `the job "${payload}"`);
  }

  release(payload: string, result: string): void {
    this.#gates.get(payload)!(result);
    this.#gates.delete(payload);
  }
}

/** One connection of a fake server. */
export class FakeConnection {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  send(name: PacketName, ...args: readonly Argument[]): void {
    this.socket.write(encode("RES", name, ...args));
  }
}

export interface FakeServer {
  readonly address: string;
  readonly connections: readonly FakeConnection[];
  /** Names of all packets that came, in order. */
  readonly got: readonly PacketName[];
  /** The same, by the piece in which they came. */
  readonly pieces: readonly (readonly PacketName[])[];
}

/** A TCP server that answers as it is told, for what no real server does on demand. Greetings are answered as long as `greets` says so. */
export async function startFake(
  t: Ending,
  answer: (packet: PacketName, connection: FakeConnection, body: Buffer) => void,
  { greets = true }: { readonly greets?: boolean } = {},
): Promise<FakeServer> {
  const connections: FakeConnection[] = [];
  const got: PacketName[] = [];
  const pieces: PacketName[][] = [];
  const server = createServer((socket) => {
    const connection = new FakeConnection(socket);
    connections.push(connection);
    const reader = new PacketReader("REQ", (type, body) => {
      const { name } = SHAPES[type]!;
      got.push(name);
      if (greets && name === "OPTION_REQ") connection.send("OPTION_RES", body);
      else answer(name, connection, body);
    });
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      const before = got.length;
      reader.push(bytes);
      pieces.push(got.slice(before));
    });
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  t.after(async () => {
    for (const { socket } of connections) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  await until(() => server.listening, "the fake server to listen");
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections, got, pieces };
}
