// A TCP proxy in the test's own process that does to connections what networks do: passes, delays, swallows, cuts, half-closes, drips.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { type Random, random } from "../../src/testing/random.ts";
import { until } from "../../src/testing/stage.ts";

/** One connection through the proxy, from its client to the server. */
interface Passage {
  readonly client: Socket;
  readonly server: Socket;
  /** Something was swallowed. TCP loses nothing in the middle: nothing passes any more. */
  isDead: boolean;
}

/** What is done to the bytes of every connection, those that stand and those to come. */
export type Treatment =
  | { readonly kind: "pass" }
  /** Every piece is held up for a random time of at most `maxMs`; pieces stay in order. */
  | { readonly kind: "delay"; readonly maxMs: number }
  /** Nothing arrives on either side, and nothing says so: the cable is pulled out. */
  | { readonly kind: "swallow" }
  /** Pieces of 1 to `maxBytes` bytes, each in a turn of its own. */
  | { readonly kind: "drip"; readonly maxBytes: number };

export class ChaosProxy {
  readonly #server: Server;
  readonly #random: Random;
  readonly #passages = new Set<Passage>();
  #treatment: Treatment = { kind: "pass" };
  #refuses = false;

  constructor(target: { readonly port: number; readonly host?: string }, seed: number) {
    this.#random = random(seed);
    this.#server = createServer((client) => this.#accept(client, target));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await until(() => this.#server.listening, "the proxy to listen");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#passages.size;
  }

  /** Treats bytes so from now on. A connection of which anything was swallowed stays dead, and nobody says so. */
  treat(treatment: Treatment): void {
    this.#treatment = treatment;
  }

  /** Whether new connections are cut at once. */
  refuse(isRefusing: boolean): void {
    this.#refuses = isRefusing;
  }

  /** Cuts all connections with a reset, on both sides. */
  cut(): void {
    for (const { client, server } of this.#passages) {
      reset(client);
      reset(server);
    }
  }

  /** Cuts what is dead, as the kernels of both sides do by and by where keepalive is on. */
  bury(): void {
    for (const { client, server, isDead } of this.#passages) {
      if (!isDead) continue;
      reset(client);
      reset(server);
    }
  }

  /** Says to all clients that nothing more will come, and still takes what they send. */
  halfClose(): void {
    for (const { client } of this.#passages) client.end();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.#server.close(closed));
  }

  #accept(client: Socket, target: { readonly port: number; readonly host?: string }): void {
    if (this.#refuses) {
      reset(client);
      return;
    }
    const server = connect({ port: target.port, host: target.host ?? "127.0.0.1", allowHalfOpen: true });
    const passage = { client, server, isDead: false };
    this.#passages.add(passage);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true);
      this.#pipe(passage, from, to);
      from.on("error", () => {});
      from.on("close", () => {
        if (this.#swallows(passage)) passage.isDead = true;
        else to.destroy();
        if (to.destroyed) this.#passages.delete(passage);
      });
    }
  }

  #swallows(passage: Passage): boolean {
    return passage.isDead || this.#treatment.kind === "swallow";
  }

  /** One piece at a time, in order, each treated as it is the rule when its turn comes. */
  #pipe(passage: Passage, from: Socket, to: Socket): void {
    let last: Promise<void> = Promise.resolve();
    from.on("data", (bytes: Buffer) => {
      from.pause();
      last = last.then(async () => {
        await this.#pass(passage, bytes, to);
        from.resume();
      });
    });
    from.on("end", () => {
      last = last.then(() => {
        if (this.#swallows(passage)) passage.isDead = true;
        else to.end();
      });
    });
  }

  async #pass(passage: Passage, bytes: Buffer, to: Socket): Promise<void> {
    if (passage.isDead) return;
    switch (this.#treatment.kind) {
      case "pass":
        await write(to, bytes);
        break;
      case "delay": {
        const ms = this.#random.next() * this.#treatment.maxMs;
        await new Promise((resolve) => setTimeout(resolve, ms));
        await write(to, bytes);
        break;
      }
      case "swallow":
        passage.isDead = true;
        break;
      case "drip":
        for (let at = 0; at < bytes.length; ) {
          const treatment: Treatment = this.#treatment;
          const length = treatment.kind === "drip" ? 1 + this.#random.below(treatment.maxBytes) : bytes.length;
          await write(to, bytes.subarray(at, at + length));
          at += length;
          await new Promise((resolve) => setImmediate(resolve));
        }
        break;
    }
  }
}

/** A proxy in front of a server of this machine, closed after the test. */
export async function startProxy(
  t: Pick<TestContext, "after">,
  target: { readonly port: number; readonly host?: string },
  seed: number,
): Promise<ChaosProxy> {
  const proxy = new ChaosProxy(target, seed);
  await proxy.listen();
  t.after(() => proxy.close());
  return proxy;
}

function reset(socket: Socket): void {
  // A reset between `end` and its completion is refused by libuv, and Node then never ends: it waits for the handle to be closed.
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

/** Resolves when the other side has taken it, or never will. */
function write(to: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (to.destroyed || to.writableEnded) resolve();
    else to.write(bytes, () => resolve());
  });
}
