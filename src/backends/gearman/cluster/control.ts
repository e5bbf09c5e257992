// Asks the hosts of a cluster something, through the job servers alone: no pool has to run.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { BackendUnavailableError, ProtocolError } from "../../../protocol/errors.ts";
import { positiveMilliseconds, readOptions, signal as signalRule, texts } from "../../../protocol/options.ts";
import {
  ASK_TIMEOUT_MS,
  type ClusterControl,
  type ControlOptions,
  type HostLine,
  type HostReport,
} from "../../cluster-control.ts";
import { type Answer, type Ask, type Question, readAnswer, writeControl } from "../../control-body.ts";
import { GearmanAdmin } from "../admin.ts";
import { GearmanClient } from "../client.ts";
import { readServers } from "../servers.ts";
import { type TlsOptions, tlsOptions } from "../socket.ts";
import { LISTEN_MS } from "./desk.ts";
import { CONNECT_TIMEOUT_MS } from "./host-options.ts";
import { isParty, NAMESPACE, namespaceName } from "./party.ts";

export interface GearmanControlOptions {
  /** What the names of the cluster's functions begin with; default `"manyhands"`. */
  readonly namespace?: string;
  /** How long a server may take to be reached and to answer for the first time, default 5,000 ms. */
  readonly connectTimeoutMs?: number;
  /** `true`, or options of `tls.connect` of Node; default plain TCP. */
  readonly tls?: TlsOptions | true;
}

/** How often a listener looks for hosts that have come. */
const LOOK_MS = 2_000;

const rules = { namespace: namespaceName, connectTimeoutMs: positiveMilliseconds, tls: tlsOptions };
const askRules = { ids: texts, timeoutMs: positiveMilliseconds };

/** One server, and the way to it. */
interface Place {
  readonly name: string;
  readonly admin: GearmanAdmin;
  readonly client: GearmanClient;
}

/**
 * Reaches all hosts of a cluster. Its methods reject with `BackendUnavailableError` where no server is there.
 *
 * @param servers where they are: `"host:4730"`, a list, or `"gearman://host1,host2:4730"`
 * @throws ConfigError where an address or an option is wrong
 */
export function gearmanControl(servers: string | readonly string[], options?: GearmanControlOptions): ClusterControl {
  const addresses = readServers(servers);
  const {
    namespace = NAMESPACE,
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
    tls,
  } = readOptions("gearmanControl()", options, rules);
  const secured = tls === undefined ? {} : { tls };
  const places = addresses.map(({ name }) => ({
    name,
    admin: new GearmanAdmin(name, { timeoutMs: connectTimeoutMs, ...secured }),
    client: new GearmanClient(name, { connectTimeoutMs, ...secured }),
  }));
  return new GearmanControl(namespace, places);
}

class GearmanControl implements ClusterControl {
  readonly #namespace: string;
  readonly #places: readonly Place[];
  #number = 0;

  constructor(namespace: string, places: readonly Place[]) {
    this.#namespace = namespace;
    this.#places = places;
  }

  ping(options?: ControlOptions): Promise<readonly HostReport[]> {
    return this.#ask("ping", options);
  }

  quit(options?: ControlOptions): Promise<readonly HostReport[]> {
    return this.#ask("quit", options);
  }

  restart(options?: ControlOptions): Promise<readonly HostReport[]> {
    return this.#ask("restart", options);
  }

  async logs(
    onLine: (line: HostLine) => void,
    options: ControlOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const { ids, signal } = readOptions("logs()", options, { ...askRules, signal: signalRule });
    const from = randomBytes(8).toString("hex");
    const question: Question = { ask: "logs", number: ++this.#number, from, ids };
    const listening = new Set<string>();
    const end = new AbortController();
    const stop = (): void => end.abort();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      // The first look says whether there is a server at all.
      for (let hosts = await this.#hosts(); !end.signal.aborted; hosts = await this.#hosts().catch(() => NOBODY)) {
        for (const [fn, places] of hosts) {
          if (listening.has(fn)) continue;
          listening.add(fn);
          void this.#listen(fn, places, question, onLine, end.signal).then(() => listening.delete(fn));
        }
        await pause(LOOK_MS, end.signal);
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      stop();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#places.map(({ client }) => client.terminate()));
  }

  async #ask(ask: Ask, options: ControlOptions = {}): Promise<readonly HostReport[]> {
    const { ids, timeoutMs = ASK_TIMEOUT_MS } = readOptions(`${ask}()`, options, askRules);
    const body = writeControl({ ask, number: ++this.#number, ids });
    const hosts = [...(await this.#hosts())];
    const answers = await Promise.all(hosts.map(([fn, places]) => askHost(fn, places, body, timeoutMs)));
    return answers.filter((report) => report !== undefined);
  }

  /** All hosts, and the servers by which they are reached. @throws BackendUnavailableError where no server is there */
  async #hosts(): Promise<ReadonlyMap<string, readonly Place[]>> {
    const looks = await Promise.allSettled(this.#places.map(({ admin }) => admin.status()));
    const hosts = new Map<string, Place[]>();
    looks.forEach((look, at) => {
      if (look.status === "rejected") return;
      for (const { fn, workers } of look.value) {
        if (workers === 0 || !isParty(this.#namespace, "host", fn)) continue;
        const places = hosts.get(fn) ?? [];
        places.push(this.#places[at]!);
        hosts.set(fn, places);
      }
    });
    if (looks.some(({ status }) => status === "fulfilled")) return hosts;
    const causes = looks.map((look) => (look as PromiseRejectedResult).reason as unknown);
    const names = this.#places.map(({ name }) => `"${name}"`).join(", ");
    throw new BackendUnavailableError(`Cannot reach Gearman server ${names}: ${String(causes[0])}`, {
      cause: causes.length > 1 ? new AggregateError(causes, "No server is there") : causes[0],
    });
  }

  /** Hears one host until the end, or until it is not there any more. */
  async #listen(
    fn: string,
    places: readonly Place[],
    question: Question,
    onLine: (line: HostLine) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const body = writeControl(question);
    const { client } = places[0]!;
    const hear = (data: Buffer): void => {
      const line = answerIn(data)?.line;
      if (line !== undefined && !signal.aborted) onLine(line);
    };
    const jobs = new Set<Promise<unknown>>();
    let isGone = false;
    while (!signal.aborted && !isGone) {
      // The next one is there before this one ends, so that no line is missed.
      const job = client
        .submit(fn, body, { onData: hear, signal, timeoutMs: LISTEN_MS * 2 })
        .catch(() => {
          isGone = true;
        })
        .finally(() => jobs.delete(job));
      jobs.add(job);
      await Promise.race([pause(LISTEN_MS / 2, signal), job]);
    }
    if (signal.aborted)
      client.submit(fn, writeControl({ ...question, ask: "hush" }), { timeoutMs: 1_000 }).catch(() => {});
    await Promise.all(jobs);
  }
}

const NOBODY: ReadonlyMap<string, readonly Place[]> = new Map();

/** By one server after another, until it answers. Resolves to undefined where it does not, or is not meant. */
async function askHost(
  fn: string,
  places: readonly Place[],
  body: Uint8Array,
  timeoutMs: number,
): Promise<HostReport | undefined> {
  const until = performance.now() + timeoutMs;
  for (const [at, { client }] of places.entries()) {
    const leftMs = (until - performance.now()) / (places.length - at);
    if (leftMs <= 0) break;
    try {
      return answerIn(await client.submit(fn, body, { timeoutMs: leftMs }))?.report;
    } catch {
      // It is not reached by that server, or does not answer.
    }
  }
  return undefined;
}

function answerIn(data: Buffer): Answer | undefined {
  try {
    return data.length === 0 ? undefined : readAnswer(data);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Resolves after that time, or when the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
