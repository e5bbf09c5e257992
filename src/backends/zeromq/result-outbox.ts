// Where a worker's answers wait for their sink: they leave together, and each is kept until the sink has it.
import type { Socket } from "zeromq";
import type { ProtocolError } from "../../protocol/errors.ts";
import { Client, type ClientSettings, type Peer } from "./client.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Engine } from "./engine.ts";
import { Deliveries, type Outgoing } from "./roles/deliveries.ts";
import { type Answer, fail, readTaken, writeResults } from "./roles/messages.ts";

export interface OutboxEars {
  /** The sink has the results of these requests. */
  taken(ventilator: string, numbers: readonly number[]): void;
  /** A message of the sink has been dealt with. */
  heard(): void;
  refused(error: ProtocolError): void;
  garbage(error: ProtocolError): void;
}

const BATCH_ANSWERS = 1_024;
const BATCH_BYTES = 1024 * 1024;
/** What a message holds beside an answer's own bytes. */
const HEADROOM = 256;

export class ResultOutbox {
  readonly #client: Client;
  readonly #ears: OutboxEars;
  readonly #maxMessageBytes: number;
  readonly #deliveries = new Deliveries<Peer>();
  /** By ventilator. */
  readonly #ready = new Map<string, Answer[]>();
  #readyCount = 0;

  constructor(engine: Engine, settings: ClientSettings, ears: OutboxEars) {
    this.#ears = ears;
    this.#maxMessageBytes = settings.maxMessageBytes;
    this.#client = new Client(engine, settings, {
      opened: (peer) => this.#send(this.#deliveries.opened(peer)),
      delivered: (peer, body) => this.#taken(peer, readTaken(body)),
      lost: (peer) => this.#send(this.#deliveries.lost(peer)),
      refused: (error) => ears.refused(error),
      garbage: (error) => ears.garbage(error),
    });
  }

  /** How many answers no sink has. */
  get size(): number {
    return this.#deliveries.unacknowledged + this.#readyCount;
  }

  async open(places: readonly (Endpoint | Socket)[]): Promise<void> {
    await this.#client.open(places);
  }

  /** Adds an answer, which leaves with the next `flush`. */
  add(ventilator: string, answer: Answer): void {
    const ready = this.#ready.get(ventilator);
    if (ready === undefined) this.#ready.set(ventilator, [answer]);
    else ready.push(answer);
    this.#readyCount += 1;
  }

  flush(): void {
    if (this.#readyCount === 0) return;
    for (const [ventilator, answers] of this.#ready) {
      for (let at = 0; at < answers.length; at += BATCH_ANSWERS) {
        this.#pack(ventilator, answers.length <= BATCH_ANSWERS ? answers : answers.slice(at, at + BATCH_ANSWERS));
      }
    }
    this.#ready.clear();
    this.#readyCount = 0;
  }

  async close(graceMs: number): Promise<void> {
    await this.#client.close(graceMs);
  }

  destroy(): void {
    void this.#client.destroy();
  }

  /** Makes a message of answers, or several where it would be too large. */
  #pack(ventilator: string, answers: readonly Answer[]): void {
    const most = this.#maxMessageBytes - HEADROOM;
    const batch = this.#deliveries.nextBatch();
    const body = writeResults(batch, ventilator, answers);
    if (answers.length > 1 && body.length > Math.min(BATCH_BYTES, most)) {
      const half = answers.length >>> 1;
      this.#pack(ventilator, answers.slice(0, half));
      this.#pack(ventilator, answers.slice(half));
      return;
    }
    const answer = answers[0]!;
    if (body.length > most && !(answer.isFailed && answer.metadata === undefined)) {
      const { number } = answer;
      const without = { ...answer, metadata: undefined };
      fail(
        without,
        `Cannot send the result of request ${number}: ${body.length} bytes, and a message holds ${most + HEADROOM}`,
      );
      this.#pack(ventilator, [without]);
      return;
    }
    const numbers = answers.map(({ number }) => number);
    this.#send(this.#deliveries.add({ batch, ventilator, numbers, body }));
  }

  #send(outgoing: readonly Outgoing<Peer>[]): void {
    for (const { peer, body } of outgoing) this.#client.send(peer, body);
  }

  #taken(peer: Peer, pairs: readonly number[]): void {
    for (const [ventilator, numbers] of this.#deliveries.taken(peer, pairs)) this.#ears.taken(ventilator, numbers);
    this.#ears.heard();
  }
}
