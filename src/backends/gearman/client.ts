// The client for other people's functions: jobs out, results back, over all servers and their failures.
import { randomBytes } from "node:crypto";
import { type Abortable, AbortGroups } from "../../protocol/abort-groups.ts";
import { ConfigError, PoolClosedError } from "../../protocol/errors.ts";
import { cancelJobs } from "./admin.ts";
import { ClientJob, type JobHome, type JobPlan } from "./client-job.ts";
import type { ClientLink, JobPriority } from "./client-link.ts";
import { errorOf } from "./client-link.ts";
import { ClientLinks, type LinkUser, type ServerState } from "./client-links.ts";
import {
  type BackgroundOptions,
  type GearmanClientOptions,
  readBackgroundOptions,
  readClientOptions,
  readSubmitOptions,
  type SubmitOptions,
} from "./client-options.ts";
import { unexpected } from "./connection.ts";
import { GearmanError } from "./gearman-error.ts";
import { type JobStatus, question, statusOf } from "./job-status.ts";
import { functionName, payload } from "./names.ts";
import { PacketType } from "./packet.ts";
import { readServers, type ServerAddress } from "./servers.ts";
import type { TlsOptions } from "./socket.ts";

/** Where a background job is. */
export interface BackgroundJob {
  readonly handle: string;
  /** The server that has it, as `host:port`. */
  readonly server: string;
  readonly unique: string;
}

const BACKGROUND: Readonly<Record<JobPriority, number>> = {
  high: PacketType.SUBMIT_JOB_HIGH_BG,
  normal: PacketType.SUBMIT_JOB_BG,
  low: PacketType.SUBMIT_JOB_LOW_BG,
};

/** Longer ones than this no timer can hold. */
const FOR_EVER_MS = 2 ** 31 - 1;

/**
 * A client of Gearman servers. It connects when it is first used, spreads its jobs over the servers that are there, and submits
 * again what a lost connection left without a result. Jobs that wait keep the process alive; an idle client does not.
 *
 * @param servers where they are: `"host:4730"`, a list, or `"gearman://host1,host2:4730"`
 * @throws ConfigError where an address or an option is wrong
 */
export class GearmanClient implements AsyncDisposable {
  readonly #links: ClientLinks;
  readonly #servers: readonly ServerAddress[];
  readonly #tls: TlsOptions | undefined;
  readonly #retries: number;
  readonly #home: JobHome;
  readonly #jobs = new Set<ClientJob>();
  readonly #aborts = new AbortGroups();
  /** Handles of jobs that nobody waits for, by server: what was given up in one turn goes there at once. */
  readonly #abandoned = new Map<string, string[]>();
  /** So long that no two clients ever share it: jobs of one unique get one result. */
  readonly #name: string = randomBytes(12).toString("base64url");
  #count = 0;
  /** Jobs and questions that are under way. */
  #pending = 0;
  #keepAlive: NodeJS.Timeout | undefined;
  #isClosed = false;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(servers: string | readonly string[], options?: GearmanClientOptions) {
    this.#servers = readServers(servers);
    const read = readClientOptions(options);
    this.#tls = read.tls;
    this.#retries = read.retries ?? 2;
    this.#links = new ClientLinks(this.#servers, read);
    this.#home = {
      use: (job) => this.#links.use(job),
      abandoned: (job, server, handle) => this.#abandon(job, server, handle),
      settled: (job) => {
        this.#links.forget(job);
        this.#jobs.delete(job);
        this.#ended();
      },
    };
  }

  /**
   * Runs a job and gives its result. Rejects with `GearmanError` when the worker or the server refuses it, with
   * `BackendUnavailableError` when there is no server for `connectTimeoutMs` or its connection is lost more often than `retries`,
   * with `ConfigError` at wrong arguments. Bytes must not be changed before it settles.
   */
  submit(fn: string, data: string | Uint8Array, options?: SubmitOptions): Promise<Buffer> {
    return this.#submit(fn, undefined, data, options);
  }

  /**
   * Runs a job whose worker is told a reducer: the name of the function that puts partial results together. Of normal priority.
   * As `submit` in everything else.
   */
  reduce(
    fn: string,
    reducer: string,
    data: string | Uint8Array,
    options?: Omit<SubmitOptions, "priority">,
  ): Promise<Buffer> {
    return this.#submit(fn, reducer, data, options);
  }

  /**
   * Leaves a job with a server, which runs it without anybody waiting; resolves when it is accepted. When the connection is lost
   * before that, it is submitted again, up to `retries` times, and may then run twice. The payload must not be empty: durable queues
   * do not survive that. See docs/reference/gearman.md for what is promised.
   */
  async background(fn: string, data: string | Uint8Array, options?: BackgroundOptions): Promise<BackgroundJob> {
    const name = functionName(fn);
    const bytes = payload(data);
    const read = readBackgroundOptions(options);
    if (bytes.length === 0)
      throw new ConfigError(`Cannot submit a background job of "${name}": its payload is empty, which servers lose`);
    if (read.at !== undefined && (read.priority ?? "normal") !== "normal")
      throw new ConfigError(`Cannot use option "priority" of background(): a job with "at" has normal priority`);
    const key = read.unique === undefined || read.unique === "" ? this.#newId() : read.unique;
    const args = read.at === undefined ? [name, key, bytes] : [name, key, String(read.at), bytes];
    const type = read.at === undefined ? BACKGROUND[read.priority ?? "normal"] : PacketType.SUBMIT_JOB_EPOCH;
    for (let attempt = 1; ; attempt++) {
      const link = await this.#link(`submit job of "${name}"`, key);
      try {
        const handle = await this.#ask(link, PacketType.JOB_CREATED, type, args, (body) => body.toString("latin1"));
        return { handle, server: link.server.name, unique: key };
      } catch (error) {
        if (attempt > this.#retries || !isLoss(error)) throw error;
      }
    }
  }

  /**
   * What the servers know of a job, by its handle or its unique. A handle without a server is looked for at all of them.
   * Foreground jobs can be asked for too, background jobs that are finished are not known any more.
   */
  async status(
    job: string | { readonly handle: string; readonly server?: string } | { readonly unique: string },
  ): Promise<JobStatus> {
    const { type, answer, key, server } = question(job);
    await this.#link("ask for a status", "");
    const links = this.#links.ready().filter((link) => server === undefined || link.server.name === server);
    if (links.length === 0 && server !== undefined) {
      if (!this.#servers.some(({ name }) => name === server))
        throw new ConfigError(`Cannot ask for a status at "${server}": it is none of the servers`);
    }
    const answers = await Promise.allSettled(
      links.map((link) => this.#ask(link, answer, type, [key], (body) => statusOf(answer, body))),
    );
    const statuses = answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const status = statuses.find(({ isKnown }) => isKnown) ?? statuses[0];
    if (status !== undefined) return status;
    const failure = answers.find((one) => one.status === "rejected");
    throw failure?.reason ?? (await this.#unreachable(server!));
  }

  /** Sends bytes to a server and back. */
  async echo(data: string | Uint8Array = ""): Promise<Buffer> {
    const bytes = payload(data);
    const link = await this.#link("echo", "");
    return this.#ask(link, PacketType.ECHO_RES, PacketType.ECHO_REQ, [bytes], (body) => Buffer.from(body));
  }

  /** The servers, and which of them are there. */
  servers(): ServerState[] {
    return this.#links.states();
  }

  /** Takes nothing more; resolves when all that was accepted is settled and the connections are closed. Safe to call twice. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#pending === 0) resolve();
    }).then(() => this.#links.close(new PoolClosedError("Cannot wait for a server: the client is closed"), false));
    return this.#closing;
  }

  /** Stops now: jobs without a result reject with `PoolClosedError`. What the servers have already may run all the same. */
  async terminate(): Promise<void> {
    const closing = this.close();
    for (const job of this.#jobs) {
      job.reject(
        new PoolClosedError(`Cannot finish job "${job.plan.id}" of "${job.plan.fn}": the client was terminated`),
      );
    }
    await this.#links.close(new PoolClosedError("Cannot wait for a server: the client was terminated"), true);
    await closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(fn: string, reducer: string | undefined, data: unknown, options: unknown): Promise<Buffer> {
    let job: ClientJob;
    let signal: AbortSignal | undefined;
    try {
      const read = readSubmitOptions(reducer === undefined ? "submit()" : "reduce()", options);
      signal = read.signal;
      const plan: JobPlan = {
        fn: functionName(fn),
        data: payload(data),
        priority: read.priority ?? "normal",
        givenUnique: read.unique,
        id: this.#newId(),
        reducer: reducer === undefined ? undefined : functionName(reducer, "reducer"),
        retries: this.#retries,
        timeoutMs: read.timeoutMs === undefined || read.timeoutMs > FOR_EVER_MS ? undefined : read.timeoutMs,
        onData: read.onData,
        onWarning: read.onWarning,
        onStatus: read.onStatus,
      };
      if (this.#isClosed) throw new PoolClosedError(`Cannot submit job of "${plan.fn}": the client is closed`);
      signal?.throwIfAborted();
      job = new ClientJob(plan, this.#home);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#began();
    this.#jobs.add(job);
    if (signal !== undefined) this.#endWith(signal, job);
    this.#links.use(job);
    return job.promise;
  }

  #endWith(signal: AbortSignal, job: ClientJob): void {
    const member: Abortable = { aborted: (reason) => job.reject(reason) };
    this.#aborts.add(signal, member);
    const remove = (): void => this.#aborts.remove(signal, member);
    job.promise.then(remove, remove);
  }

  /** A connection; while it is waited for, the process stays. */
  #link(what: string, key: string): Promise<ClientLink> {
    if (this.#isClosed) return Promise.reject(new PoolClosedError(`Cannot ${what}: the client is closed`));
    this.#began();
    return new Promise<ClientLink>((resolve, reject) => {
      const user: LinkUser = {
        unique: key,
        linked: (link) => {
          // Whoever asked goes on in a microtask. Until then nothing must end.
          queueMicrotask(() => this.#ended());
          resolve(link);
        },
        unavailable: (error) => {
          this.#ended();
          reject(error);
        },
      };
      this.#links.use(user);
    });
  }

  #ask<T>(
    link: ClientLink,
    answer: number,
    type: number,
    args: readonly (string | Uint8Array)[],
    read: (body: Buffer) => T,
  ): Promise<T> {
    this.#began();
    return new Promise<T>((resolve, reject) => {
      const answered = (got: number, body: Buffer): void => {
        if (got !== PacketType.ERROR && got !== answer) throw unexpected(got, "a question");
        // Reading may throw, and then it is not answered but lost.
        const error = got === PacketType.ERROR ? errorOf(body, link.server) : undefined;
        const value = error === undefined ? read(body) : undefined;
        this.#ended();
        if (error === undefined) resolve(value as T);
        else reject(error);
      };
      const lost = (cause: Error): void => {
        this.#ended();
        reject(cause);
      };
      link.ask({ answered, lost }, type, ...args);
    });
  }

  async #unreachable(server: string): Promise<Error> {
    const lastError = this.#links.states().find((state) => state.server === server)?.lastError;
    return lastError ?? new Error(`Cannot ask server "${server}": it is not connected`);
  }

  /** Best effort: what is still in the queue of its server is taken out there. Jobs that others may wait for are left alone. */
  #abandon(job: ClientJob, server: string, handle: string): void {
    if (job.plan.givenUnique !== undefined && job.plan.givenUnique !== "") return;
    const handles = this.#abandoned.get(server);
    if (handles !== undefined) {
      handles.push(handle);
      return;
    }
    this.#abandoned.set(server, [handle]);
    queueMicrotask(() => {
      const all = this.#abandoned.get(server)!;
      this.#abandoned.delete(server);
      const address = this.#servers.find(({ name }) => name === server)!;
      cancelJobs(address, all, this.#tls);
    });
  }

  #newId(): string {
    return `${this.#name}:${++this.#count}`;
  }

  #began(): void {
    if (this.#pending++ > 0) return;
    if (this.#keepAlive === undefined) this.#keepAlive = setInterval(() => {}, FOR_EVER_MS);
    else this.#keepAlive.ref();
  }

  #ended(): void {
    if (--this.#pending > 0) return;
    this.#keepAlive?.unref();
    if (this.#onIdle === undefined) return;
    clearInterval(this.#keepAlive);
    this.#onIdle();
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof GearmanError && error.code === "CONNECTION_LOST";
}
