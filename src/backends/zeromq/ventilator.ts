// Sends requests to workers, and keeps each until the sink has its result.

import {
  ConfigError,
  NotSerializableError,
  PoolClosedError,
  type ProtocolError,
  WorkerLostError,
} from "../../protocol/errors.ts";
import type { LossReason } from "../../protocol/session/hub-sessions.ts";
import { loadEngine } from "./engine.ts";
import { Hub } from "./hub.ts";
import { Dispatch, type Parcel, type Sending } from "./roles/dispatch.ts";
import { readReport, writeTasks } from "./roles/messages.ts";
import { warner } from "./settings.ts";
import {
  readSendOptions,
  readVentilatorOptions,
  type SendOptions,
  type VentilatorOptions,
} from "./ventilator-options.ts";

export interface VentilatorSnapshot {
  readonly id: string;
  readonly state: "new" | "open" | "closing" | "closed";
  readonly workers: number;
  /** Read, and with no worker. */
  readonly queued: number;
  /** With a worker, or done and not taken by the sink yet. */
  readonly sent: number;
  /** Taken by the sink. */
  readonly done: number;
  /** How often a request went back into the queue: its worker was lost, or gave it back. */
  readonly requeued: number;
}

/** So large may a message of several requests be. */
const BATCH_BYTES = 1024 * 1024;
const HEADROOM = 256;

/** The source of a pipeline: see docs/guides/cluster-zeromq.md. */
export class Ventilator {
  /** What it calls itself. */
  readonly id: string;
  readonly #options: ReturnType<typeof readVentilatorOptions>;
  readonly #dispatch: Dispatch;
  readonly #warn: (error: ProtocolError) => void;
  #hub: Hub | undefined;
  #opening: Promise<readonly string[]> | undefined;
  #ending: Promise<void> | undefined;
  #state: VentilatorSnapshot["state"] = "new";
  /** Sends follow each other. */
  #last: Promise<unknown> = Promise.resolve();
  #onRoom: (() => void)[] = [];
  #onIdle: (() => void)[] = [];
  #isFlushPlanned = false;

  /** @throws ConfigError for a wrong option, or an endpoint that would be open to the network without CURVE */
  constructor(options: VentilatorOptions) {
    this.#options = readVentilatorOptions(options);
    this.id = this.#options.id;
    this.#dispatch = new Dispatch(this.#options.poisonLimit);
    this.#warn = warner(this.#options.onWarning);
  }

  /**
   * Binds and connects; `send` does it where it was not done. Answers the URLs, with the ports that the system chose.
   * @throws BackendUnavailableError where the package `zeromq` is missing; ConfigError where it cannot bind
   */
  open(): Promise<readonly string[]> {
    if (this.#state === "closed") return Promise.reject(closed("open"));
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /**
   * Sends requests, in order, after those of earlier calls. Reads them as workers ask for them. Resolves, when the last one has been
   * read, to how many there were; whether they are done is told by `idle` and `close`.
   * @throws ConfigError where there are more or fewer values of metadata than requests: before anything is sent where both are
   *   lists, at the end otherwise; PoolClosedError when it is closed; the signal's reason; whatever the iteration throws
   */
  async send(requests: Iterable<unknown> | AsyncIterable<unknown>, options: SendOptions = {}): Promise<number> {
    const { metadata, signal } = readSendOptions(options);
    if (Array.isArray(requests) && Array.isArray(metadata) && requests.length !== metadata.length) {
      throw uneven(`${requests.length} requests with ${metadata.length}`);
    }
    if (this.#state === "closing") throw closed("send with");
    await this.open();
    const earlier = this.#last;
    const sending = earlier.then(() => this.#read(requests, metadata, signal));
    this.#last = sending.catch(() => {});
    return await sending;
  }

  /** Resolves when the sink has a result for every request; rejects when the ventilator is terminated, or with the signal's reason. */
  async idle(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    await this.#last;
    while (this.#dispatch.pending > 0) {
      await waitFor((resolve) => this.#onIdle.push(resolve), signal);
      if (this.#state === "closed") throw closed("wait for");
    }
  }

  snapshot(): VentilatorSnapshot {
    const { queued, pending, done, workers, requeued } = this.#dispatch;
    return { id: this.id, state: this.#state, workers, queued, sent: pending - queued, done, requeued };
  }

  /** Takes no more requests, waits until the sink has a result for all, says goodbye to the workers and closes. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    if (this.#state === "new" && this.#opening === undefined) {
      this.#state = "closed";
      return;
    }
    this.#state = "closing";
    await this.#opening;
    await this.#last;
    while (this.#dispatch.pending > 0) await waitFor((resolve) => this.#onIdle.push(resolve));
    await this.#end(GOODBYE_MS);
  }

  /** Closes now. What no sink has is dropped; answers how many requests that were. */
  async terminate(): Promise<number> {
    if (this.#state === "closed") return 0;
    this.#state = "closing";
    await this.#opening?.catch(() => {});
    const dropped = this.#dispatch.clear();
    await this.#end(0);
    return dropped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open(): Promise<readonly string[]> {
    const engine = await loadEngine();
    const { places, ...settings } = this.#options;
    const hub = new Hub(
      engine,
      { ...settings, link: "requests" },
      {
        opened: (session) => this.#dispatch.workerUp(session),
        delivered: (session, body) => this.#reported(session, body),
        lost: (session, reason) => this.#lost(session, reason),
        garbage: this.#warn,
      },
    );
    const urls = await hub.open(places);
    this.#hub = hub;
    if (this.#state === "new") this.#state = "open";
    return urls;
  }

  #end(graceMs: number): Promise<void> {
    this.#ending ??= this.#close(graceMs);
    return this.#ending;
  }

  async #close(graceMs: number): Promise<void> {
    const hub = this.#hub;
    this.#hub = undefined;
    await hub?.close(graceMs);
    this.#state = "closed";
    for (const wake of [...this.#onIdle.splice(0), ...this.#onRoom.splice(0)]) wake();
  }

  async #read(
    requests: Iterable<unknown> | AsyncIterable<unknown>,
    metadata: Iterable<unknown> | AsyncIterable<unknown> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    let count = 0;
    const beside = metadata === undefined ? undefined : iterate(metadata);
    const source = iterate(requests);
    let isOver = false;
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#hub === undefined || this.#state === "closed") throw closed("send with");
        const taken = source.next();
        const next = isPromise(taken) ? await taken : taken;
        const alsoTaken = beside?.next();
        const also = isPromise(alsoTaken) ? await alsoTaken : alsoTaken;
        isOver = next.done === true;
        if (also !== undefined && (also.done === true) !== isOver)
          throw uneven(`${count}${isOver ? "" : " or more"} requests with ${isOver ? "more" : count}`);
        if (isOver) break;
        this.#dispatch.add(next.value, also?.value);
        count += 1;
        if (this.#dispatch.queued >= this.#options.readAhead) await this.#room(signal);
        else this.#plan();
      }
    } finally {
      if (!isOver) await Promise.allSettled([source.return?.(), beside?.return?.()]);
      this.#flush();
    }
    return count;
  }

  /** Resolves at once where workers take what is there, otherwise when they have. */
  async #room(signal: AbortSignal | undefined): Promise<void> {
    this.#flush();
    while (this.#dispatch.queued >= this.#options.readAhead && this.#state !== "closed") {
      await waitFor((resolve) => this.#onRoom.push(resolve), signal);
    }
  }

  #reported(session: string, body: Uint8Array): void {
    const { credit, done, returned } = readReport(body);
    this.#dispatch.taken(done);
    this.#dispatch.returned(session, returned);
    this.#dispatch.grant(session, credit);
    this.#flush();
    if (this.#dispatch.pending === 0) for (const wake of this.#onIdle.splice(0)) wake();
  }

  #lost(session: string, reason: LossReason): void {
    this.#dispatch.workerDown(session, reason !== "left" && reason !== "replaced");
    this.#flush();
  }

  /** Requests that come one by one leave together. */
  #plan(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#hub === undefined) return;
    for (const sending of this.#dispatch.dispatch()) this.#send(sending);
    if (this.#dispatch.queued < this.#options.readAhead) for (const wake of this.#onRoom.splice(0)) wake();
  }

  #send({ worker, parcels }: Sending): void {
    const body = writeTasks(parcels, (at) => errorOf(this.id, parcels[at]!));
    const { maxMessageBytes } = this.#options;
    if (parcels.length > 1 && body.length > Math.min(BATCH_BYTES, maxMessageBytes - HEADROOM)) {
      const half = parcels.length >>> 1;
      this.#send({ worker, parcels: parcels.slice(0, half) });
      this.#send({ worker, parcels: parcels.slice(half) });
      return;
    }
    if (body.length > maxMessageBytes - HEADROOM && parcels[0]!.verdict === undefined) {
      const { number } = parcels[0]!;
      const why = `Cannot send request ${number}: it takes ${body.length} bytes, and a message holds ${maxMessageBytes}`;
      this.#dispatch.condemn(parcels[0]!, new NotSerializableError(why));
      this.#send({ worker, parcels });
      return;
    }
    this.#hub?.send(worker, body);
  }
}

const GOODBYE_MS = 1_000;

function errorOf(id: string, { number, verdict }: Parcel): unknown {
  if (verdict === undefined) return undefined;
  if (verdict.type === "error") return verdict.error;
  return new WorkerLostError(
    `Cannot run request ${number} of "${id}": ${verdict.losses} workers were lost that had nothing else`,
    { taskId: number },
  );
}

/** An iterator of either kind; a plain one is not made to wait. */
function iterate(source: Iterable<unknown> | AsyncIterable<unknown>): Iterator<unknown> | AsyncIterator<unknown> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value;
}

/** @throws the signal's reason */
async function waitFor(register: (resolve: () => void) => void, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error);
    signal?.addEventListener("abort", abort, { once: true });
    register(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}

function closed(what: string): PoolClosedError {
  return new PoolClosedError(`Cannot ${what} the ventilator: it is closed`);
}

function uneven(what: string): ConfigError {
  return new ConfigError(`Cannot send ${what} values of metadata: there has to be one for each`);
}
