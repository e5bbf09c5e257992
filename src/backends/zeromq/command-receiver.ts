// The end of a commands channel that obeys: a worker's or a sink's.
import type { Socket } from "zeromq";
import { toErrorRecord } from "../../protocol/error-record.ts";
import type { ProtocolError } from "../../protocol/errors.ts";
import { Client, type Peer } from "./client.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Engine } from "./engine.ts";
import { readCommand, writeReply } from "./roles/messages.ts";
import { DEFAULT_HEARTBEAT_MS, DEFAULT_LEASE_MS } from "./settings.ts";

/** Answers what the command gives, when it is obeyed; throws or rejects when it is not. */
export type Obey = (name: string, data: unknown) => unknown;

export interface ReceiverSettings {
  readonly role: "worker" | "sink";
  readonly id: string;
  readonly maxMessageBytes: number;
}

export class CommandReceiver {
  readonly #client: Client;
  readonly #obey: Obey;

  constructor(engine: Engine, settings: ReceiverSettings, obey: Obey, warn: (error: ProtocolError) => void) {
    const { role, id, maxMessageBytes } = settings;
    const hello = { link: "commands", role, id };
    const all = { hello, heartbeatMs: DEFAULT_HEARTBEAT_MS, leaseMs: DEFAULT_LEASE_MS, maxMessageBytes };
    this.#obey = obey;
    this.#client = new Client(engine, all, {
      opened: () => {},
      delivered: (peer, body) => void this.#answer(peer, readCommand(body)),
      lost: () => {},
      refused: warn,
      garbage: warn,
    });
  }

  async open(places: readonly (Endpoint | Socket)[]): Promise<readonly string[]> {
    return await this.#client.open(places);
  }

  /** Resolves when the answers are there, at the latest after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    await this.#client.close(graceMs);
  }

  async #answer(peer: Peer, { name, data }: { readonly name: string; readonly data: unknown }): Promise<void> {
    let reply: Uint8Array;
    try {
      reply = writeReply({ isObeyed: true, value: await this.#obey(name, data) });
    } catch (error) {
      reply = writeReply({ isObeyed: false, value: toErrorRecord(error) });
    }
    this.#client.send(peer, reply);
  }
}
