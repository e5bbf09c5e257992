// What a host of hands takes.
import { availableParallelism } from "node:os";
import { ConfigError } from "../../../protocol/errors.ts";
import {
  func,
  positiveMilliseconds,
  positiveWholeNumber,
  type Rule,
  readOptions,
  show,
  signal,
} from "../../../protocol/options.ts";
import type { Backend } from "../../backend.ts";
import type { ConnectionOptions } from "../connection.ts";
import { readServers, type ServerAddress } from "../servers.ts";
import { type TlsOptions, tlsOptions } from "../socket.ts";
import { NAMESPACE, namespaceName, newId, partyId } from "./party.ts";

export interface GearmanHostOptions {
  /**
   * Makes the workers of one pool: a backend of local ones with the size 0, such as
   * `(concurrency) => threads("./tasks.js", { size: 0, concurrency })`. Called for each pool that asks for workers.
   */
  readonly backend: (concurrency: number) => Backend;
  /** How many workers each pool may have here; default the machine's available parallelism. */
  readonly hands?: number;
  /** What it is called in reports: letters, digits, `:`, `-`, `_`; default a random one. */
  readonly id?: string;
  /** What the names of the cluster's functions begin with; default `"manyhands"`. Pools and hosts of one find each other. */
  readonly namespace?: string;
  /** How often pools are looked for, and servers asked whether they live; default 1,000 ms. */
  readonly heartbeatMs?: number;
  /** How long a server may take to be reached and to answer for the first time, default 5,000 ms. */
  readonly connectTimeoutMs?: number;
  /** `true`, or options of `tls.connect` of Node; default plain TCP. */
  readonly tls?: TlsOptions | true;
  /** Aborted: it finishes what it has and ends, as by `quit`. */
  readonly signal?: AbortSignal;
}

export interface HostSettings {
  readonly servers: readonly ServerAddress[];
  readonly backend: (concurrency: number) => Backend;
  readonly hands: number;
  /** What it is called. */
  readonly id: string;
  /** The same and something of this process: two may be called the same. */
  readonly party: string;
  readonly namespace: string;
  readonly heartbeatMs: number;
  readonly connection: ConnectionOptions;
  readonly signal: AbortSignal | undefined;
}

export const HEARTBEAT_MS = 1_000;
export const CONNECT_TIMEOUT_MS = 5_000;

const id: Rule<string> = (value) => partyId(value);

const rules = {
  backend: func,
  hands: positiveWholeNumber,
  id,
  namespace: namespaceName,
  heartbeatMs: positiveMilliseconds,
  connectTimeoutMs: positiveMilliseconds,
  tls: tlsOptions,
  signal,
};

/** @throws ConfigError where something is wrong */
export function readHostOptions(servers: unknown, options: unknown): HostSettings {
  const read = readOptions("runGearmanWorker()", options, rules);
  const backend = read.backend;
  if (backend === undefined)
    throw new ConfigError(`Cannot run a host: option "backend" is ${show(backend)}, and makes the workers`);
  const heartbeatMs = read.heartbeatMs ?? HEARTBEAT_MS;
  const name = read.id ?? newId();
  return {
    servers: readServers(servers),
    backend: backend as (concurrency: number) => Backend,
    hands: read.hands ?? availableParallelism(),
    id: name,
    party: read.id === undefined ? name : `${name}-${newId()}`,
    namespace: read.namespace ?? NAMESPACE,
    heartbeatMs,
    connection: { heartbeatMs, connectTimeoutMs: read.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, tls: read.tls },
    signal: read.signal,
  };
}
