// The pool's end over ZeroMQ: a hub that hosts say hello to. Beside their work it carries what is asked of them by others.
import { ConfigError, type ProtocolError } from "../../protocol/errors.ts";
import {
  milliseconds,
  positiveMilliseconds,
  positiveWholeNumber,
  readOptions,
  seriesNames,
  show,
} from "../../protocol/options.ts";
import type { JsonObject } from "../../protocol/session/json-body.ts";
import type { Backend } from "../backend.ts";
import { isControl, isMeant, readAnswer, readQuestion, writeControl } from "../control-body.ts";
import { type Carrier, type CarrierEars, RemoteHands } from "../remote-hands.ts";
import { type Place, type Places, readPlaces } from "./endpoint.ts";
import { loadEngine } from "./engine.ts";
import { Hub } from "./hub.ts";
import { type HubRoleOptions, newIdentity, ROLE_RULES, warner } from "./settings.ts";

/** Sessions of hosts with pools, and of those who ask something of hosts. */
export const HANDS_LINK = "hands";

export interface ZeromqOptions extends HubRoleOptions {
  /** Where hosts connect to. */
  readonly bind?: Places;
  /** Hosts that bind. One of the two has to be given. */
  readonly connect?: Places;
  /** Series of its workers beside `zeromq` and `remote`. */
  readonly series?: string | readonly string[];
  /** Tasks at once in one worker, default 1. */
  readonly concurrency?: number;
  /** How long a worker may take to load the module and set up, default 30,000 ms. */
  readonly startTimeoutMs?: number;
  /** Replaces a worker after so many tasks; default never. */
  readonly maxTasks?: number;
}

const START_TIMEOUT_MS = 30_000;
/** How often to be heard, and how long to be silent, where nothing is said. */
export const HANDS_HEARTBEAT_MS = 1_000;
export const HANDS_LEASE_MS = 5_000;
export const HANDS_MESSAGE_BYTES: number = 256 * 1024 * 1024;
const GOODBYE_MS = 1_000;

/**
 * Workers on other machines, whose hosts find this pool, or are found by it: `manyhands worker --connect zmq+tcp://host:5555 ./tasks.js`.
 * Each host lends as many workers as it has hands. Tasks wait as long as there is none.
 *
 * @throws ConfigError for a wrong option, and for a port that others can reach without CURVE
 */
export function zeromq(options: ZeromqOptions): Backend {
  const given = readOptions("zeromq()", options, {
    ...ROLE_RULES,
    bind: (value: unknown) => value,
    connect: (value: unknown) => value,
    series: seriesNames,
    concurrency: positiveWholeNumber,
    startTimeoutMs: milliseconds,
    maxTasks: positiveWholeNumber,
    heartbeatMs: positiveMilliseconds,
    leaseMs: positiveMilliseconds,
  });
  const { bind, connect } = given;
  if ((bind === undefined) === (connect === undefined)) {
    throw new ConfigError('Cannot use zeromq(): give one of "bind" and "connect"');
  }
  const places =
    bind === undefined
      ? readPlaces('option "connect" of zeromq()', connect)
      : readPlaces('option "bind" of zeromq()', binding(bind));
  const { heartbeatMs = HANDS_HEARTBEAT_MS, leaseMs = HANDS_LEASE_MS } = given;
  if (leaseMs <= heartbeatMs) {
    throw new ConfigError(
      `Cannot use option "leaseMs" of zeromq(): ${leaseMs} is no longer than a heartbeat of ${heartbeatMs}`,
    );
  }
  const carrier = new HubCarrier(places, {
    link: HANDS_LINK,
    id: given.id ?? newIdentity(),
    heartbeatMs,
    leaseMs,
    maxMessageBytes: given.maxMessageBytes ?? HANDS_MESSAGE_BYTES,
    warn: warner(given.onWarning),
  });
  return new RemoteHands({
    name: "zeromq",
    subject: shown(bind ?? connect),
    plan: {
      size: { min: 0, max: 0, idleMs: 0 },
      concurrency: given.concurrency ?? 1,
      series: ["zeromq", "remote", ...(given.series ?? [])],
      startTimeoutMs: given.startTimeoutMs ?? START_TIMEOUT_MS,
      maxTasks: given.maxTasks ?? 0,
      maxRssMb: 0,
    },
    carrier,
  });
}

/** What is given by itself as `bind` is to be bound. */
export function binding(places: unknown): unknown {
  if (Array.isArray(places)) return places.map(binding);
  if (typeof places === "string") return { url: places, bind: true };
  const isPlain = typeof places === "object" && places !== null && Object.getPrototypeOf(places) === Object.prototype;
  return isPlain ? { ...places, bind: true } : places;
}

function shown(places: unknown): string {
  const [first] = (Array.isArray(places) ? places : [places]) as readonly Place[];
  if (typeof first === "string") return first;
  return typeof first === "object" && "url" in first ? String(first.url) : show(first);
}

interface HubCarrierSettings {
  readonly link: string;
  readonly id: string;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly maxMessageBytes: number;
  readonly warn: (error: ProtocolError) => void;
}

class HubCarrier implements Carrier {
  readonly #places: ReturnType<typeof readPlaces>;
  readonly #settings: HubCarrierSettings;
  /** What hosts have said of themselves, by their session. */
  readonly #hosts = new Map<string, { readonly id: string; readonly host: string; readonly pid: number }>();
  /** Sessions of those who ask something of hosts. */
  readonly #askers = new Set<string>();
  #opening: Promise<Hub | undefined> = Promise.resolve(undefined);
  #hub: Hub | undefined;
  #isClosed = false;

  constructor(places: ReturnType<typeof readPlaces>, settings: HubCarrierSettings) {
    this.#places = places;
    this.#settings = settings;
  }

  open(ears: CarrierEars): void {
    this.#opening = this.#open(ears).catch((error: unknown) => {
      ears.unavailable(error);
      return undefined;
    });
  }

  send(session: string, body: Uint8Array): void {
    this.#hub?.send(session, body);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const hub = await this.#opening;
    await hub?.close(GOODBYE_MS);
  }

  async #open(ears: CarrierEars): Promise<Hub> {
    const engine = await loadEngine();
    const { warn } = this.#settings;
    const hub: Hub = new Hub(engine, this.#settings, {
      opened: (session, hello) => this.#opened(session, hello, ears),
      delivered: (session, body) => this.#delivered(session, body, ears),
      lost: (session, reason) => this.#lost(session, REASONS[reason], ears),
      garbage: warn,
    });
    await hub.open(this.#places);
    if (this.#isClosed) return hub;
    this.#hub = hub;
    return hub;
  }

  #opened(session: string, hello: JsonObject, ears: CarrierEars): void {
    if (hello["role"] === "control") {
      this.#askers.add(session);
      return;
    }
    try {
      ears.opened(session, hello);
      this.#hosts.set(session, { id: String(hello["id"]), host: String(hello["host"]), pid: Number(hello["pid"]) });
    } catch (error) {
      this.#settings.warn(error as ProtocolError);
    }
  }

  #delivered(session: string, body: Uint8Array, ears: CarrierEars): void {
    if (this.#isClosed) return;
    if (this.#askers.has(session)) this.#passOn(session, body);
    else if (!isControl(body)) ears.delivered(session, body);
    else {
      // An answer goes back to who asked.
      const { from, ...answer } = readAnswer(body);
      if (from !== undefined && this.#askers.has(from)) this.#hub?.send(from, writeControl(answer));
    }
  }

  /** A question goes to every host that is meant. */
  #passOn(from: string, body: Uint8Array): void {
    const question = readQuestion(body);
    let asked = 0;
    for (const [session, host] of this.#hosts) {
      if (!isMeant(question, host.id, host)) continue;
      this.#hub?.send(session, writeControl({ ...question, from }));
      asked++;
    }
    this.#hub?.send(from, writeControl({ number: question.number, asked }));
  }

  #lost(session: string, why: string, ears: CarrierEars): void {
    if (this.#askers.delete(session)) return;
    this.#hosts.delete(session);
    if (!this.#isClosed) ears.lost(session, why);
  }
}

const REASONS = {
  left: "it left",
  silent: "it was silent for longer than its lease",
  replaced: "it has begun anew",
  refused: "it said what no host says",
};
