// The client's side of one connection: jobs out, what becomes of them back in. Ends with the connection, and so do its handles:
// a server that was started again counts them from 1.
import { ProtocolError } from "../../protocol/errors.ts";
import { type Asker, Connection, type ConnectionListener, type ConnectionOptions, unexpected } from "./connection.ts";
import { GearmanError } from "./gearman-error.ts";
import { type Argument, argumentsOf, firstEnd, PacketType } from "./packet.ts";
import type { ServerAddress } from "./servers.ts";

export type JobPriority = "high" | "normal" | "low";

/**
 * What a client hears of one job. After `created` come any number of `data`, `warning` and `status`, and then exactly one of
 * `complete`, `exception`, `failed`; instead of all that `refused` may come, and at any time `lost`, after which nothing comes.
 * Bytes are views that hold within the call.
 */
export interface JobListener {
  created(handle: string): void;
  data(bytes: Buffer): void;
  warning(bytes: Buffer): void;
  status(numerator: number, denominator: number): void;
  complete(bytes: Buffer): void;
  /** The worker says why it failed. */
  exception(bytes: Buffer): void;
  failed(): void;
  /** The server does not take the job. */
  refused(error: GearmanError): void;
  /** The connection is gone, and with it what the server would have said. */
  lost(cause: Error): void;
}

/** A job to submit. */
export interface Submission {
  readonly fn: string;
  /** At most 63 bytes. Jobs of one function with the same unique are run once; an empty one is like no other. */
  readonly unique: string;
  readonly data: Argument;
  readonly priority: JobPriority;
  readonly listener: JobListener;
}

export interface ClientLinkListener {
  /** Jobs may be submitted. */
  ready(): void;
  /** Exactly once, after all jobs have been told. */
  lost(cause: Error): void;
}

const SUBMITS: Readonly<Record<JobPriority, number>> = {
  high: PacketType.SUBMIT_JOB_HIGH,
  normal: PacketType.SUBMIT_JOB,
  low: PacketType.SUBMIT_JOB_LOW,
};

/** Several submits that the server made one job of. It tells each of them everything, one after another. */
class Coalesced {
  readonly listeners: JobListener[];
  /** Whose turn it is to be told what does not end a job. */
  #next = 0;

  constructor(...listeners: JobListener[]) {
    this.listeners = listeners;
  }

  add(listener: JobListener): void {
    this.listeners.push(listener);
    this.#next = 0;
  }

  turn(): JobListener {
    const listener = this.listeners[this.#next % this.listeners.length]!;
    this.#next = (this.#next + 1) % this.listeners.length;
    return listener;
  }
}

export class ClientLink implements ConnectionListener {
  readonly server: ServerAddress;
  readonly #connection: Connection;
  readonly #listener: ClientLinkListener;
  readonly #jobs = new Map<string, JobListener | Coalesced>();

  constructor(server: ServerAddress, listener: ClientLinkListener, options?: ConnectionOptions) {
    this.server = server;
    this.#listener = listener;
    this.#connection = new Connection(server, this, options);
  }

  get isReady(): boolean {
    return this.#connection.isConnected;
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes;
  }

  /** Submits a job whose result is waited for. What it holds must not be changed before it is sent. */
  submit({ fn, unique, data, priority, listener }: Submission): void {
    this.#connection.ask(this.#created(listener), SUBMITS[priority], fn, unique, data);
  }

  /** Submits a job to be reduced. `GearmanWorker` tells its handler who reduces. */
  reduce(fn: string, unique: string, reducer: string, data: Argument, listener: JobListener): void {
    this.#connection.ask(this.#created(listener), PacketType.SUBMIT_REDUCE_JOB, fn, unique, reducer, "", data);
  }

  /** Asks something that is answered by one packet. An ERROR is an answer too. */
  ask(asker: Asker, type: number, ...args: readonly Argument[]): void {
    this.#connection.ask(asker, type, ...args);
  }

  /** Sends what is left to send, then closes. Jobs that are unsettled are lost. */
  end(): void {
    this.#connection.end();
  }

  destroy(cause?: Error): void {
    this.#connection.destroy(cause);
  }

  ref(): void {
    this.#connection.ref();
  }

  unref(): void {
    this.#connection.unref();
  }

  /** @internal */
  connected(): void {
    this.#listener.ready();
  }

  /** @internal */
  packet(type: number, body: Buffer): void {
    switch (type) {
      case PacketType.WORK_COMPLETE: {
        const end = firstEnd(type, body);
        this.#ended(handleOf(body, end))?.complete(body.subarray(end + 1));
        break;
      }
      case PacketType.WORK_FAIL:
        this.#ended(handleOf(body, body.length))?.failed();
        break;
      case PacketType.WORK_EXCEPTION: {
        const end = firstEnd(type, body);
        this.#ended(handleOf(body, end))?.exception(body.subarray(end + 1));
        break;
      }
      case PacketType.WORK_DATA: {
        const end = firstEnd(type, body);
        this.#told(handleOf(body, end))?.data(body.subarray(end + 1));
        break;
      }
      case PacketType.WORK_WARNING: {
        const end = firstEnd(type, body);
        this.#told(handleOf(body, end))?.warning(body.subarray(end + 1));
        break;
      }
      case PacketType.WORK_STATUS: {
        const [handle, numerator, denominator] = argumentsOf(type, body) as [Buffer, Buffer, Buffer];
        this.#told(handleOf(handle, handle.length))?.status(numberOf(numerator), numberOf(denominator));
        break;
      }
      default:
      // NOOP and whatever is meant for workers.
    }
  }

  /** @internal */
  lost(cause: Error): void {
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) {
      if (job instanceof Coalesced) for (const one of job.listeners) one.lost(cause);
      else job.lost(cause);
    }
    this.#listener.lost(cause);
  }

  #created(listener: JobListener): Asker {
    return {
      answered: (type, body) => {
        if (type === PacketType.ERROR) {
          listener.refused(errorOf(body, this.server));
          return;
        }
        if (type !== PacketType.JOB_CREATED) throw unexpected(type, "SUBMIT_JOB");
        const handle = handleOf(body, body.length);
        const known = this.#jobs.get(handle);
        if (known === undefined) this.#jobs.set(handle, listener);
        else if (known instanceof Coalesced) known.add(listener);
        else this.#jobs.set(handle, new Coalesced(known, listener));
        listener.created(handle);
      },
      lost: (cause) => listener.lost(cause),
    };
  }

  /** Whom to tell the end of a job; undefined where nobody waits for it. Servers tell the end of a cancelled job twice. */
  #ended(handle: string): JobListener | undefined {
    const job = this.#jobs.get(handle);
    if (!(job instanceof Coalesced)) {
      this.#jobs.delete(handle);
      return job;
    }
    const listener = job.listeners.shift();
    if (job.listeners.length === 0) this.#jobs.delete(handle);
    return listener;
  }

  #told(handle: string): JobListener | undefined {
    const job = this.#jobs.get(handle);
    return job instanceof Coalesced ? job.turn() : job;
  }
}

/** The error that an ERROR packet is. */
export function errorOf(body: Buffer, server: ServerAddress, handle?: string): GearmanError {
  const [code, text] = argumentsOf(PacketType.ERROR, body) as [Buffer, Buffer];
  const said = text.toString("utf8").trim();
  return new GearmanError(said === "" ? code.toString("utf8") : said, {
    code: code.toString("utf8"),
    server: server.name,
    ...(handle === undefined ? {} : { handle }),
  });
}

/** Bytes as text one to one. Of a WORK_FAIL that was an exception the server sends a NUL behind the handle. */
function handleOf(body: Buffer, end: number): string {
  let to = end;
  while (to > 0 && body[to - 1] === 0) to--;
  return body.toString("latin1", 0, to);
}

/** A number in decimal digits. The Perl server says nothing for 0. */
export function numberOf(text: Buffer): number {
  const number = text.length === 0 ? 0 : Number(text.toString("latin1"));
  if (!Number.isFinite(number)) throw new ProtocolError(`Cannot read number "${text.toString("latin1", 0, 40)}"`);
  return number;
}
