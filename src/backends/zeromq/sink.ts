// Receives results of workers, each once.

import { hostname } from "node:os";
import { define, fromErrorRecord } from "../../protocol/error-record.ts";
import {
  ConfigError,
  NotSerializableError,
  PoolClosedError,
  ProtocolError,
  ReceiveTimeoutError,
  WorkerLostError,
} from "../../protocol/errors.ts";
import type { ErrorRecord } from "../../protocol/messages.ts";
import type { JsonObject } from "../../protocol/session/json-body.ts";
import { CommandReceiver } from "./command-receiver.ts";
import { loadEngine } from "./engine.ts";
import { Hub } from "./hub.ts";
import type { ClusterResult, PingReply } from "./records.ts";
import { Unreadable } from "./roles/body.ts";
import { Inbox, type Reading } from "./roles/inbox.ts";
import { readResults, writeTaken } from "./roles/messages.ts";
import { warner } from "./settings.ts";
import { type ReceiveOptions, readReceiveOptions, readSinkOptions, type SinkOptions } from "./sink-options.ts";

interface Sender {
  readonly client: string;
  readonly worker: string;
  readonly host: string;
  readonly pid: number;
}

interface Reader {
  readonly isWrapped: boolean;
  /** Set while it waits for a result. */
  wake: (() => void) | undefined;
}

/** So many batches are read before their workers are told, where nothing else makes them be. */
const TELL_EVERY = 8;
const GOODBYE_MS = 1_000;

/** The end of a pipeline: see docs/guides/cluster-zeromq.md. */
export class Sink {
  /** What it calls itself. */
  readonly id: string;
  readonly #options: ReturnType<typeof readSinkOptions>;
  readonly #warn: (error: ProtocolError) => void;
  readonly #startedAt = new Date().toISOString();
  readonly #inbox = new Inbox<string>();
  readonly #senders = new Map<string, Sender>();
  /** Who sent what waits, where its session is over. */
  readonly #former = new Map<string, Sender>();
  #hub: Hub | undefined;
  #commands: CommandReceiver | undefined;
  #opening: Promise<readonly string[]> | undefined;
  #reader: Reader | undefined;
  #isKilled = false;
  #closing: Promise<void> | undefined;
  #isTellPlanned = false;

  /** @throws ConfigError for a wrong option, or an endpoint that would be open to the network without CURVE */
  constructor(options: SinkOptions) {
    this.#options = readSinkOptions(options);
    this.id = this.#options.id;
    this.#warn = warner(this.#options.onWarning);
    for (const id of this.#options.seen) {
      const at = id.lastIndexOf("/");
      this.#inbox.markRead(id.slice(0, at), Number(id.slice(at + 1)));
    }
  }

  /**
   * Binds and connects; `receive` does it where it was not done. Answers the URLs, with the ports that the system chose.
   * @throws BackendUnavailableError where the package `zeromq` is missing; ConfigError where it cannot bind
   */
  open(): Promise<readonly string[]> {
    if (this.#closing !== undefined) return Promise.reject(closed("open"));
    this.#opening ??= this.#open();
    return this.#opening;
  }

  receive<T = unknown>(options: ReceiveOptions & { readonly metadata: true }): AsyncIterableIterator<ClusterResult<T>>;
  receive<T = unknown>(options?: ReceiveOptions): AsyncIterableIterator<T>;
  /**
   * The results, as they come; every result once, however often it was sent. A result is with the reader when the next one is asked for,
   * or the loop is left: before that, it comes again if this process dies. The next call goes on where this one stopped. A kill
   * command ends the iteration.
   *
   * Without `metadata` a failure throws its error out of the loop; the next call goes on after it.
   * @throws ReceiveTimeoutError when a wait takes longer than `timeoutMs`; PoolClosedError when the sink is closed; the signal's reason
   */
  receive(options: ReceiveOptions = {}): AsyncIterableIterator<unknown> {
    const { count, timeoutMs = this.#options.timeoutMs, metadata = false, signal } = readReceiveOptions(options);
    if (this.#reader !== undefined)
      throw new ConfigError("Cannot receive: another receive() of this sink is under way");
    const reader: Reader = { isWrapped: metadata, wake: undefined };
    let left = count ?? Number.POSITIVE_INFINITY;
    let isOver = false;
    const end = (): IteratorReturnResult<undefined> => {
      if (!isOver) {
        isOver = true;
        this.#settle();
        if (this.#reader === reader) this.#reader = undefined;
      }
      return { done: true, value: undefined };
    };
    const give = (reading: Reading<string>): IteratorYieldResult<unknown> => {
      left -= 1;
      try {
        return { done: false, value: this.#valueOf(reading, reader.isWrapped) };
      } catch (error) {
        end();
        throw error;
      }
    };
    const next = async (): Promise<IteratorResult<unknown, undefined>> => {
      if (isOver) return { done: true, value: undefined };
      if (this.#reader !== undefined && this.#reader !== reader) {
        throw new ConfigError("Cannot receive: another receive() of this sink is under way");
      }
      this.#reader = reader;
      this.#settle();
      if (left <= 0 || this.#takeKill()) return end();
      try {
        signal?.throwIfAborted();
        const ready = this.#hub === undefined ? undefined : this.#inbox.next();
        if (ready !== undefined) return give(ready);
        const came = await this.#wait(reader, timeoutMs, signal);
        return came === undefined ? end() : give(came);
      } catch (error) {
        end();
        throw error;
      }
    };
    return {
      next,
      return: () => Promise.resolve(end()),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Says goodbye to the workers and closes. What was not read stays with them, and goes to the next sink. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => {});
    this.#tell();
    this.#reader?.wake?.();
    await Promise.all([this.#hub?.close(GOODBYE_MS), this.#commands?.close(GOODBYE_MS)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open(): Promise<readonly string[]> {
    const engine = await loadEngine();
    const { places, commands, ...settings } = this.#options;
    const hub = new Hub(
      engine,
      { ...settings, link: "results" },
      {
        opened: (session, hello) => this.#opened(session, hello),
        delivered: (session, body) => {
          this.#inbox.add(session, readResults(body));
          if (this.#reader?.wake === undefined) this.#planTell();
          else this.#reader.wake();
        },
        lost: (session) => this.#lost(session),
        garbage: this.#warn,
      },
    );
    const urls = await hub.open(places);
    if (commands !== undefined) {
      const { id, maxMessageBytes } = this.#options;
      const receiver = { role: "sink", id, maxMessageBytes } as const;
      this.#commands = new CommandReceiver(engine, receiver, (name) => this.#obey(name), this.#warn);
      try {
        await this.#commands.open(commands);
      } catch (error) {
        await hub.destroy();
        throw error;
      }
    }
    this.#hub = hub;
    return urls;
  }

  #opened(session: string, hello: JsonObject): void {
    const { id, epoch, host, pid } = hello;
    const sender = {
      client: `${String(id)} ${String(epoch)}`,
      worker: String(id),
      host: typeof host === "string" ? host : "",
      pid: typeof pid === "number" ? pid : 0,
    };
    this.#senders.set(session, sender);
    // It sends again what is not acknowledged, and waits here a second time.
    for (const [former, { client }] of this.#former) {
      if (client !== sender.client) continue;
      this.#inbox.drop(former);
      this.#former.delete(former);
    }
  }

  #lost(session: string): void {
    const sender = this.#senders.get(session);
    this.#senders.delete(session);
    if (sender !== undefined) this.#former.set(session, sender);
    if (this.#former.size <= MAX_FORMER) return;
    const [oldest] = this.#former.keys();
    this.#former.delete(oldest!);
  }

  #takeKill(): boolean {
    const wasKilled = this.#isKilled;
    this.#isKilled = false;
    return wasKilled;
  }

  /** Resolves to the next result; to undefined where a kill command came instead. */
  async #wait(
    reader: Reader,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Reading<string> | undefined> {
    await this.open();
    if (this.#closing !== undefined) throw closed("receive with");
    const ready = this.#inbox.next();
    if (ready !== undefined) return ready;
    this.#tell();
    return await new Promise<Reading<string> | undefined>((resolve, reject) => {
      const settle = (action: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        reader.wake = undefined;
        action();
      };
      const abort = (): void => settle(() => reject(signal?.reason as Error));
      const timer =
        timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY
          ? undefined
          : setTimeout(() => settle(() => reject(tooLate(timeoutMs))), timeoutMs);
      signal?.addEventListener("abort", abort, { once: true });
      reader.wake = () => {
        if (this.#closing !== undefined) settle(() => reject(closed("receive with")));
        else if (this.#takeKill()) settle(() => resolve(undefined));
        else {
          const reading = this.#inbox.next();
          if (reading !== undefined) settle(() => resolve(reading));
          else this.#planTell();
        }
      };
    });
  }

  /** What the reader had is with it. */
  #settle(): void {
    this.#inbox.done();
    if (this.#inbox.untold >= TELL_EVERY) this.#tell();
    else if (this.#inbox.untold > 0) this.#planTell();
  }

  #planTell(): void {
    if (this.#isTellPlanned) return;
    this.#isTellPlanned = true;
    setImmediate(() => {
      this.#isTellPlanned = false;
      this.#tell();
    });
  }

  #tell(): void {
    if (this.#inbox.untold === 0) return;
    for (const [session, pairs] of this.#inbox.tell()) this.#hub?.send(session, writeTaken(pairs));
  }

  #obey(name: string): unknown {
    switch (name) {
      case "kill":
        this.#isKilled = true;
        this.#reader?.wake?.();
        return undefined;
      case "ping":
        return this.#describe();
      default:
        throw new TypeError(`Cannot obey command "${name}": the sink knows no such command`);
    }
  }

  #describe(): PingReply {
    const { id } = this;
    return {
      role: "sink",
      id,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      requests: this.#inbox.read,
      busyMs: 0,
    };
  }

  #valueOf({ from, answer }: Reading<string>, isWrapped: boolean): unknown {
    const unreadable = [answer.value].find((value) => value instanceof Unreadable);
    const isFailed = answer.isFailed || unreadable !== undefined;
    if (!isFailed && !isWrapped) return answer.value;
    const { worker, host, pid } = this.#senders.get(from.session) ?? this.#former.get(from.session) ?? NOBODY;
    const error = isFailed ? errorOf(answer.value, host, pid) : undefined;
    if (!isWrapped) throw error;
    const { ventilator } = from;
    const { number, attempt, micros } = answer;
    const result = {
      status: isFailed ? "fail" : "success",
      payload: isFailed ? undefined : answer.value,
      requestMetadata: answer.metadata instanceof Unreadable ? undefined : answer.metadata,
      metadata: { id: `${ventilator}/${number}`, ventilator, number, attempt, worker, host, pid, ms: micros / 1_000 },
    };
    return isFailed ? { ...result, error } : result;
  }
}

const NOBODY: Sender = { client: "", worker: "", host: "", pid: 0 };
const MAX_FORMER = 10_000;

/** What a handler threw, with the place where it did. */
function errorOf(value: unknown, host: string, pid: number): unknown {
  let error: unknown;
  try {
    if (value instanceof Unreadable) throw value.error;
    error = ownClass(fromErrorRecord(value as ErrorRecord));
  } catch (cause) {
    error = new ProtocolError("Cannot read result: it is no value and no error", { cause });
  }
  if (error instanceof Error) {
    define(error, "host", host);
    define(error, "pid", pid);
  }
  return error;
}

/** Errors of the library, which the roles themselves have made, as what they were. */
function ownClass(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, cause } = error;
  const code = Reflect.get(error, "code") as unknown;
  const options = cause === undefined ? undefined : { cause };
  if (name === "NotSerializableError" && code === "ERR_NOT_SERIALIZABLE")
    return new NotSerializableError(message, options);
  if (name !== "WorkerLostError" || code !== "ERR_WORKER_LOST") return error;
  const taskId = Reflect.get(error, "taskId") as unknown;
  return new WorkerLostError(message, typeof taskId === "number" ? { taskId } : {}, options);
}

function tooLate(timeoutMs: number): ReceiveTimeoutError {
  return new ReceiveTimeoutError(`Cannot receive result: none came within ${timeoutMs} ms`);
}

function closed(what: string): PoolClosedError {
  return new PoolClosedError(`Cannot ${what} the sink: it is closed`);
}
