// The results of a worker on their way to a sink: each is kept until the sink has it, and goes again when the sink is another one.
import { ProtocolError } from "../../../protocol/errors.ts";
import { skipping } from "./messages.ts";

export interface Batch {
  readonly batch: number;
  readonly ventilator: string;
  /** The requests, in the order of the body. */
  readonly numbers: readonly number[];
  readonly body: Uint8Array;
}

/** To be sent to that sink. `P` is a sink's session, as the shell knows it. */
export interface Outgoing<P> {
  readonly peer: P;
  readonly body: Uint8Array;
}

interface Kept<P> extends Batch {
  /** Who has been sent it; undefined while there is no sink. */
  peer: P | undefined;
  /** The first so many are with the sink. */
  taken: number;
}

const BATCHES = 2 ** 32;

export class Deliveries<P = unknown> {
  readonly #kept = new Map<number, Kept<P>>();
  /** Sinks that are there, and how many results each has been sent and not taken. */
  readonly #sinks = new Map<P, number>();
  #next = 0;
  #unacknowledged = 0;

  /** How many results no sink has taken. */
  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  nextBatch(): number {
    this.#next = (this.#next + 1) % BATCHES;
    return this.#next;
  }

  add(batch: Batch): Outgoing<P>[] {
    const kept: Kept<P> = { ...batch, peer: undefined, taken: 0 };
    this.#kept.set(batch.batch, kept);
    this.#unacknowledged += batch.numbers.length;
    return this.#send(kept);
  }

  /** A sink is there: it gets what has none. */
  opened(sink: P): Outgoing<P>[] {
    this.#sinks.set(sink, 0);
    return this.#sendAll();
  }

  /** A sink is gone, and what it was sent with it, as far as it has not said otherwise. */
  lost(sink: P): Outgoing<P>[] {
    this.#sinks.delete(sink);
    for (const kept of this.#kept.values()) if (kept.peer === sink) kept.peer = undefined;
    return this.#sendAll();
  }

  /**
   * The sink has the first so many of each batch. Answers which requests are done by that, by ventilator.
   * @throws ProtocolError for more than there are
   */
  taken(sink: P, pairs: readonly number[]): Map<string, number[]> {
    const done = new Map<string, number[]>();
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      const kept = this.#kept.get(pairs[at]!);
      const count = pairs[at + 1]!;
      // Late, or of an earlier session.
      if (kept === undefined || kept.peer !== sink || count <= kept.taken) continue;
      if (count > kept.numbers.length) {
        throw new ProtocolError(`Cannot read TAKEN: ${count} of a batch of ${kept.numbers.length}`);
      }
      const numbers = done.get(kept.ventilator);
      const fresh = kept.numbers.slice(kept.taken, count);
      if (numbers === undefined) done.set(kept.ventilator, fresh);
      else for (const number of fresh) numbers.push(number);
      this.#unacknowledged -= fresh.length;
      this.#sinks.set(sink, (this.#sinks.get(sink) ?? 0) - fresh.length);
      kept.taken = count;
      if (count === kept.numbers.length) this.#kept.delete(kept.batch);
    }
    return done;
  }

  #sendAll(): Outgoing<P>[] {
    const all: Outgoing<P>[] = [];
    for (const kept of this.#kept.values()) if (kept.peer === undefined) all.push(...this.#send(kept));
    return all;
  }

  /** To the sink that has the least to do. */
  #send(kept: Kept<P>): Outgoing<P>[] {
    let best: P | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [sink, count] of this.#sinks) {
      if (count >= least) continue;
      best = sink;
      least = count;
    }
    if (best === undefined) return [];
    kept.peer = best;
    this.#sinks.set(best, least + kept.numbers.length - kept.taken);
    return [{ peer: best, body: kept.taken === 0 ? kept.body : skipping(kept.body, kept.taken) }];
  }
}
