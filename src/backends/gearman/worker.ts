// A worker for any function, at all servers, for as long as it is wanted.
import { hostname } from "node:os";
import { ConfigError, PoolClosedError } from "../../protocol/errors.ts";
import {
  flag,
  func,
  milliseconds,
  positiveMilliseconds,
  positiveWholeNumber,
  readOptions,
  show,
} from "../../protocol/options.ts";
import type { ServerState } from "./client-links.ts";
import type { ConnectionOptions } from "./connection.ts";
import { functionName, workerId } from "./names.ts";
import { Reconnecting } from "./reconnecting.ts";
import { readServers, type ServerAddress } from "./servers.ts";
import { Slots } from "./slots.ts";
import { type TlsOptions, tlsOptions } from "./socket.ts";
import { type GearmanHandler, WorkerJob } from "./worker-job.ts";
import { WorkerLink } from "./worker-link.ts";

export interface GearmanWorkerOptions {
  /** How many jobs it does at once, over all servers; default 1. */
  readonly concurrency?: number;
  /** What it calls itself in the server's list of workers: at most 127 bytes without spaces; default the host and the process. */
  readonly id?: string;
  /**
   * Whether what a handler throws is sent as an exception, default true. With false it is sent as a warning and a plain failure: for
   * clients of libgearman that did not ask for exceptions, such as the `gearman` command. With gearmand up to 1.1.21 those wait for
   * ever after an exception, unless it runs with `--exceptions`.
   */
  readonly exceptions?: boolean;
  /** How long a server may take to be reached and to answer for the first time, in milliseconds; default 5,000. */
  readonly connectTimeoutMs?: number;
  /** A server that is silent for so long is asked whether it lives, and has as long to answer; default 5,000 ms, 0 never asks. */
  readonly heartbeatMs?: number;
  /** TLS to every server: `true`, or options of `tls.connect` of Node; default plain TCP. */
  readonly tls?: TlsOptions | true;
  /** A packet with more than so many bytes ends its connection; default 1 GiB. */
  readonly maxPacketBytes?: number;
}

export interface RegisterOptions {
  /** How long one job may take; then it is answered with an exception, and its signal is aborted. Default: as long as it likes. */
  readonly timeoutMs?: number;
}

interface Registration {
  readonly handler: GearmanHandler;
  readonly timeoutMs: number | undefined;
}

interface Line {
  readonly server: ServerAddress;
  readonly reconnecting: Reconnecting;
  link: WorkerLink | undefined;
  lastError: Error | undefined;
}

const workerRules = {
  concurrency: positiveWholeNumber,
  id: workerId,
  exceptions: flag,
  connectTimeoutMs: positiveMilliseconds,
  heartbeatMs: milliseconds,
  tls: tlsOptions,
  maxPacketBytes: positiveWholeNumber,
};

const FOR_EVER_MS = 2 ** 31 - 1;

/**
 * A worker at one or several Gearman servers. It comes back by itself to a server that it lost.
 *
 * @param servers where they are: `"host:4730"`, a list, or `"gearman://host1,host2:4730"`
 * @throws ConfigError where an address or an option is wrong
 */
export class GearmanWorker implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  readonly #id: string;
  readonly #hasExceptions: boolean;
  readonly #slots: Slots;
  readonly #lines: readonly Line[];
  readonly #registrations = new Map<string, Registration>();
  readonly #functions = new Set<string>();
  #isClosed = false;
  #keepAlive: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #onEnd: (() => void) | undefined;
  #onReady: (() => void)[] = [];

  constructor(servers: string | readonly string[], options?: GearmanWorkerOptions) {
    const addresses = readServers(servers);
    const {
      concurrency = 1,
      id,
      exceptions = true,
      ...connection
    } = readOptions("GearmanWorker()", options, workerRules);
    this.#options = connection;
    this.#hasExceptions = exceptions;
    this.#id = id ?? `${hostname()}:${process.pid}`.replaceAll(/\s/g, "").slice(-127);
    this.#slots = new Slots(concurrency);
    this.#lines = addresses.map((server) => {
      const line: Line = {
        server,
        reconnecting: new Reconnecting(() => this.#connect(line)),
        link: undefined,
        lastError: undefined,
      };
      return line;
    });
  }

  /**
   * Says what it can do. May be called while it runs; a function that is registered again gets the new handler.
   * @throws ConfigError where the name or the handler is none
   */
  register(fn: string, handler: GearmanHandler, options?: RegisterOptions): this {
    const name = functionName(fn);
    func(handler, () => {
      throw new ConfigError(`Cannot register "${name}": expected a function, got ${show(handler)}`);
    });
    const { timeoutMs } = readOptions("register()", options, { timeoutMs: positiveMilliseconds });
    const isNew = !this.#registrations.has(name);
    this.#registrations.set(name, { handler, timeoutMs });
    this.#functions.add(name);
    // Who says it twice counts twice with the server.
    if (isNew) for (const { link } of this.#lines) link?.register(name);
    return this;
  }

  /**
   * Does jobs until `close` or `terminate`, and resolves when it has ended. Lost servers and servers that are not there yet are tried
   * again and again: it never rejects but for `PoolClosedError` after the end. It keeps the process alive.
   */
  run(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    if (this.#isClosed) return Promise.reject(new PoolClosedError("Cannot run: the worker is closed"));
    this.#keepAlive = setInterval(() => {}, FOR_EVER_MS);
    this.#running = new Promise((resolve) => {
      this.#onEnd = resolve;
    });
    for (const line of this.#lines) this.#connect(line);
    return this.#running;
  }

  /** Resolves when a server knows what it can do: at once where one does, and at its end where none ever did. Starts it. */
  ready(): Promise<void> {
    void this.run().catch(() => {
      // Closed: the next line says so.
    });
    if (this.#isClosed || this.#lines.some(({ link }) => link?.isReady === true)) return Promise.resolve();
    return new Promise((resolve) => void this.#onReady.push(resolve));
  }

  /** The servers, and which of them are there. */
  servers(): ServerState[] {
    return this.#lines.map(({ server, link, lastError }) => {
      const isConnected = link?.isReady === true;
      return { server: server.name, isConnected, lastError: isConnected ? undefined : lastError };
    });
  }

  /** Takes no more jobs; resolves when those it has are done and delivered. Safe to call twice. */
  close(): Promise<void> {
    return this.#stop((link) => link.drain());
  }

  /** Stops now. The servers give its jobs to others; their signals are aborted. */
  terminate(): Promise<void> {
    return this.#stop((link) => link.destroy());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #stop(end: (link: WorkerLink) => void): Promise<void> {
    this.#isClosed = true;
    for (const { link, reconnecting } of this.#lines) {
      reconnecting.stop();
      if (link !== undefined) end(link);
    }
    this.#toldEnd();
    return this.#running ?? Promise.resolve();
  }

  #connect(line: Line): void {
    const { server, reconnecting } = line;
    const ended = (): void => {
      line.link = undefined;
      if (this.#isClosed) this.#toldEnd();
      else reconnecting.lost();
    };
    line.link = new WorkerLink(
      server,
      {
        ready: () => {
          reconnecting.established();
          for (const resolve of this.#onReady.splice(0)) resolve();
        },
        job: (job) => {
          // Of what it has never said that it can do, no server gives it any.
          const registration = this.#registrations.get(job.fn);
          if (registration === undefined) job.fail();
          else new WorkerJob(job, server.name).run(registration.handler, registration.timeoutMs, this.#hasExceptions);
        },
        drained: ended,
        lost: (cause) => {
          line.lastError = cause;
          ended();
        },
      },
      { ...this.#options, id: this.#id, functions: this.#functions, slots: this.#slots },
    );
  }

  #toldEnd(): void {
    if (this.#lines.some(({ link }) => link !== undefined)) return;
    clearInterval(this.#keepAlive);
    for (const resolve of this.#onReady.splice(0)) resolve();
    this.#onEnd?.();
  }
}
