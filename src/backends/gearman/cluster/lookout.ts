// Asks servers who is there, when it is worth while: an administrator's question, one at a time for each server.
import { GearmanAdmin } from "../admin.ts";
import type { ConnectionOptions } from "../connection.ts";
import type { ServerAddress } from "../servers.ts";

/** A function of the cluster at one server. */
export interface Sighting {
  readonly fn: string;
  /** Whether somebody is there who can do it. */
  readonly isManned: boolean;
  /** Jobs that it has. */
  readonly jobs: number;
}

/** Before each the whole list is read once more. */
const MAX_DROPS = 16;

export class Lookout {
  readonly #admins: readonly GearmanAdmin[];
  readonly #prefix: string;
  readonly #busy = new Set<number>();
  readonly #seen: (server: number, sightings: readonly Sighting[]) => void;

  constructor(
    servers: readonly ServerAddress[],
    namespace: string,
    { connectTimeoutMs, tls }: ConnectionOptions,
    seen: (server: number, sightings: readonly Sighting[]) => void,
  ) {
    const options = {
      ...(tls === undefined ? {} : { tls }),
      ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
    };
    this.#admins = servers.map(({ name }) => new GearmanAdmin(name, options));
    this.#prefix = `${namespace}.`;
    this.#seen = seen;
  }

  /** Looks at a server, unless it is being looked at. What is seen is told later; that it cannot be seen is told nobody. */
  look(server: number): void {
    if (this.#busy.has(server)) return;
    this.#busy.add(server);
    void this.#look(server);
  }

  /** Has the server forget functions of which nobody is left, some of them at a time. What is left is seen again. Never rejects. */
  async drop(server: number, functions: readonly string[]): Promise<void> {
    if (this.#busy.has(server)) return;
    this.#busy.add(server);
    try {
      for (const fn of functions.slice(0, MAX_DROPS)) await this.#admins[server]!.dropFunction(fn);
    } catch {
      // Another has dropped it before.
    }
    this.#busy.delete(server);
  }

  /** Never rejects. */
  async #look(server: number): Promise<void> {
    try {
      const sightings: Sighting[] = [];
      for (const { fn, total, workers } of await this.#admins[server]!.status()) {
        if (fn.startsWith(this.#prefix)) sightings.push({ fn, isManned: workers > 0, jobs: total });
      }
      this.#busy.delete(server);
      this.#seen(server, sightings);
    } catch {
      // Whether it lives is for the connections to find out.
      this.#busy.delete(server);
    }
  }
}
