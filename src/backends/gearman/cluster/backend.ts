// `gearman(…)`: a pool's workers are the hands of hosts that are found at job servers.

import { ConfigError } from "../../../protocol/errors.ts";
import {
  milliseconds,
  positiveMilliseconds,
  positiveWholeNumber,
  readOptions,
  seriesNames,
} from "../../../protocol/options.ts";
import type { Backend } from "../../backend.ts";
import { planOfHands, RemoteHands } from "../../remote-hands.ts";
import { type RawFunctions, rawBackend, rawFunctions } from "../raw.ts";
import { readServers } from "../servers.ts";
import { type TlsOptions, tlsOptions } from "../socket.ts";
import { CONNECT_TIMEOUT_MS, HEARTBEAT_MS } from "./host-options.ts";
import { NAMESPACE, namespaceName } from "./party.ts";
import { PoolCarrier } from "./pool-carrier.ts";

export interface GearmanOptions {
  /**
   * Tasks that are functions of other people's workers, `{ wc: "wc" }`, with plain payloads. Then the pool has these and no hosts, and of
   * the other options `series`, `heartbeatMs`, `connectTimeoutMs`, `tls` and `concurrency`: jobs under way at once, default 100.
   */
  readonly raw?: RawFunctions;
  /** What the names of the cluster's functions begin with; default `"manyhands"`. Pools and hosts of one find each other. */
  readonly namespace?: string;
  /** Labels that its workers serve beside `gearman` and `remote`. */
  readonly series?: string | readonly string[];
  /** Tasks at once in one worker, default 1. */
  readonly concurrency?: number;
  /** How long a worker may take to load the module and set up, default 30,000 ms. */
  readonly startTimeoutMs?: number;
  /** Replaces a worker after so many tasks; default never. */
  readonly maxTasks?: number;
  /** How often hosts and servers that are silent are asked whether they live; default 1,000 ms. */
  readonly heartbeatMs?: number;
  /** A host that is silent for so long is lost, and its tasks go elsewhere; default five heartbeats. */
  readonly leaseMs?: number;
  /** How long no server may be there until tasks reject with `BackendUnavailableError`, default 5,000 ms. */
  readonly connectTimeoutMs?: number;
  /** `true`, or options of `tls.connect` of Node; default plain TCP. */
  readonly tls?: TlsOptions | true;
}

const rules = {
  raw: rawFunctions,
  namespace: namespaceName,
  series: seriesNames,
  concurrency: positiveWholeNumber,
  startTimeoutMs: milliseconds,
  maxTasks: positiveWholeNumber,
  heartbeatMs: positiveMilliseconds,
  leaseMs: positiveMilliseconds,
  connectTimeoutMs: positiveMilliseconds,
  tls: tlsOptions,
};

const LEASE_HEARTBEATS = 5;

/**
 * Workers on any number of machines, by way of Gearman job servers: those that `runGearmanWorker` or `manyhands worker --connect` lend. How
 * many there are follows the hosts; without any, tasks wait.
 *
 * @param servers where they are: `"host:4730"`, a list, or `"gearman://host1,host2:4730"`
 * @throws ConfigError for a wrong address or option
 */
export function gearman(servers: string | readonly string[], options?: GearmanOptions): Backend {
  const addresses = readServers(servers);
  const given = readOptions("gearman()", options, rules);
  if (given.raw !== undefined) {
    for (const name of ["namespace", "startTimeoutMs", "maxTasks", "leaseMs"] as const)
      if (given[name] !== undefined)
        throw new ConfigError(`Cannot use option "${name}" of gearman() beside "raw": it is for hosts`);
    const { raw, series = [], concurrency, connectTimeoutMs, tls } = given;
    const connection = { heartbeatMs: given.heartbeatMs, connectTimeoutMs, tls };
    return rawBackend({ servers: addresses, functions: raw, series, concurrency, ...connection });
  }
  const heartbeatMs = given.heartbeatMs ?? HEARTBEAT_MS;
  const leaseMs = given.leaseMs ?? heartbeatMs * LEASE_HEARTBEATS;
  if (leaseMs < 2 * heartbeatMs)
    throw new ConfigError(
      `Cannot use option "leaseMs" of gearman(): ${leaseMs} is less than two heartbeats of ${heartbeatMs} ms`,
    );
  const connectTimeoutMs = given.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  return new RemoteHands({
    name: "gearman",
    subject: `Gearman server ${addresses.map(({ name }) => `"${name}"`).join(", ")}`,
    plan: planOfHands("gearman", given),
    carrier: new PoolCarrier({
      servers: addresses,
      namespace: given.namespace ?? NAMESPACE,
      connection: { heartbeatMs, connectTimeoutMs, tls: given.tls },
      heartbeatMs,
      leaseMs,
      connectTimeoutMs,
    }),
  });
}
