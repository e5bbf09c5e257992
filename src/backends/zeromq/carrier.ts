// The pool's end over ZeroMQ: a hub that hosts say hello to. Beside their work it carries what is asked of them by others.
import { ProtocolError } from "../../protocol/errors.ts";
import type { JsonObject } from "../../protocol/session/json-body.ts";
import { type HostReport, isMeant } from "../cluster-control.ts";
import { isControl, type Question, readAnswer, readQuestion, writeControl } from "../control-body.ts";
import type { Carrier, CarrierEars } from "../remote-hands.ts";
import type { readPlaces } from "./endpoint.ts";
import { loadEngine } from "./engine.ts";
import { HANDS_BODY_BYTES, HANDS_GOODBYE_MS } from "./hands-link.ts";
import { Hub } from "./hub.ts";

export interface HubCarrierSettings {
  readonly link: string;
  readonly role: string;
  readonly id: string;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly maxMessageBytes: number;
  readonly warn: (error: ProtocolError) => void;
}

export class HubCarrier implements Carrier {
  readonly bodyBytes: number = HANDS_BODY_BYTES;
  readonly #places: ReturnType<typeof readPlaces>;
  readonly #settings: HubCarrierSettings;
  /** By their session. */
  readonly #hosts = new Map<string, HostName>();
  /** Sessions of those who ask something of hosts, with what they want to be told until they say otherwise. */
  readonly #askers = new Map<string, Map<number, Question>>();
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
    await hub?.close(HANDS_GOODBYE_MS);
  }

  async #open(ears: CarrierEars): Promise<Hub> {
    const engine = await loadEngine();
    const hub: Hub = new Hub(engine, this.#settings, {
      opened: (session, hello) => this.#opened(session, hello, ears),
      delivered: (session, body) => this.#delivered(session, body, ears),
      lost: (session, reason) => this.#lost(session, REASONS[reason], ears),
      garbage: this.#settings.warn,
    });
    // A host may be there before all places are.
    this.#hub = hub;
    try {
      await hub.open(this.#places);
    } catch (error) {
      await hub.destroy();
      throw error;
    }
    return hub;
  }

  #opened(session: string, hello: JsonObject, ears: CarrierEars): void {
    if (this.#isClosed) return;
    if (hello["role"] === "control") {
      this.#askers.set(session, new Map());
      return;
    }
    try {
      ears.opened(session, hello);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#hub?.refuse(session, error);
      return;
    }
    // What `ears` has found good.
    const host = hello as unknown as HostName;
    this.#hosts.set(session, host);
    for (const [from, questions] of this.#askers) {
      for (const question of questions.values()) if (isMeant(host, question.ids)) this.#ask(session, from, question);
    }
  }

  #delivered(session: string, body: Uint8Array, ears: CarrierEars): void {
    if (this.#isClosed) return;
    if (this.#askers.has(session)) this.#passOn(session, readQuestion(body));
    else if (!isControl(body)) ears.delivered(session, body);
    else {
      // An answer goes back to who asked.
      const { from, ...answer } = readAnswer(body);
      if (from !== undefined && this.#askers.has(from)) this.#hub?.send(from, writeControl(answer));
    }
  }

  /** A question goes to every host that is meant. */
  #passOn(from: string, question: Question): void {
    const { ask, number, ids } = question;
    const standing = this.#askers.get(from)!;
    if (ask === "hush") standing.delete(number);
    if (ask === "logs") {
      if (standing.size >= MAX_STANDING) {
        throw new ProtocolError(`Cannot pass on a question: ${MAX_STANDING} of the same session are not over`);
      }
      standing.set(number, question);
    }
    let asked = 0;
    for (const [session, host] of this.#hosts) {
      if (!isMeant(host, ids)) continue;
      this.#ask(session, from, question);
      asked++;
    }
    this.#hub?.send(from, writeControl({ number, asked }));
  }

  #ask(session: string, from: string, question: Question): void {
    this.#hub?.send(session, writeControl({ ...question, from }));
  }

  #lost(session: string, why: string, ears: CarrierEars): void {
    const standing = this.#askers.get(session);
    this.#askers.delete(session);
    for (const { number } of standing?.values() ?? []) {
      for (const host of this.#hosts.keys()) this.#ask(host, session, { ask: "hush", number });
    }
    this.#hosts.delete(session);
    if (standing === undefined && !this.#isClosed) ears.lost(session, why);
  }
}

type HostName = Pick<HostReport, "id" | "host" | "pid">;

const MAX_STANDING = 100;

const REASONS = {
  left: "it left",
  silent: "it was silent for longer than its lease",
  replaced: "it has begun anew",
  refused: "it said what no host says",
};
