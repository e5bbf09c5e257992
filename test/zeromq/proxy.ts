// A link that can be cut, or go silent without a word, between a client and the address behind it.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

export class Proxy {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #isHeld = false;
  url = "";

  private constructor(target: string) {
    const { hostname: host, port } = new URL(target);
    this.#server = createServer((near) => {
      const far = connect({ host, port: Number(port) });
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        if (this.#isHeld) one.pause();
        one.on("data", (bytes) => {
          if (!other.write(bytes)) one.pause();
        });
        one.on("drain", () => {
          if (!this.#isHeld) other.resume();
        });
        one.on("error", () => {});
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  static async open(t: TestContext, target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    proxy.url = `tcp://127.0.0.1:${(proxy.#server.address() as { port: number }).port}`;
    t.after(() => {
      proxy.#server.close();
      proxy.cut();
    });
    return proxy;
  }

  /** Breaks every connection; new ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing passes, and nobody is told. */
  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.resume();
  }
}
