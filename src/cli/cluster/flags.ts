// The flags that say which cluster is meant, and how it is reached.
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { messageOf, wrongUsage } from "../complaint.ts";
import { type ClusterUrl, parseClusterUrl } from "../grammar/cluster-url.ts";
import { readConfig, type Tls } from "./config.ts";

/** As they were given. */
export interface ClusterFlags {
  readonly connect?: string;
  readonly keys?: string;
  readonly insecure?: boolean;
  readonly namespace?: string;
  readonly config?: string;
}

/** Keys of CURVE, as `manyhands keys` writes them. */
export interface Keys {
  readonly publicKey: string;
  readonly secretKey: string;
  readonly serverKey?: string;
  readonly allow?: readonly string[];
}

export interface Cluster {
  readonly url: ClusterUrl;
  readonly keys: Keys | undefined;
  readonly isInsecure: boolean;
  /** Undefined for the default. */
  readonly namespace: string | undefined;
  /** Undefined for plain TCP. */
  readonly tls: Tls | undefined;
  /** What the config says of a host's workers; undefined where it says nothing. */
  readonly jobs: string | undefined;
  readonly backend: string | undefined;
}

export function clusterOptions(): readonly Option[] {
  return [
    new Option("--connect <URL>", "the cluster, as gearman://host[:port][,host…] or zmq+tcp://host:port"),
    new Option("--namespace <NAME>", "which cluster of those at the same Gearman servers (default: manyhands)"),
    new Option("--config <FILE>", "what these flags say, and TLS, as JSON (default: MANYHANDS_CONFIG)"),
    new Option("--keys <FILE>", "keys of CURVE for ZeroMQ, as manyhands keys writes them"),
    new Option("--insecure", "let ZeroMQ bind off loopback without keys"),
  ];
}

export function addClusterFlags(command: Command): Command {
  for (const option of clusterOptions()) command.addOption(option);
  return command;
}

/** Whether the flags say where a cluster is. What is in the environment alone does not send a run there. */
export function meansCluster({ connect, config }: ClusterFlags): boolean {
  return connect !== undefined || config !== undefined;
}

/** @throws Complaint for what is wrong or missing */
export async function readCluster(flags: ClusterFlags): Promise<Cluster> {
  const file = configFile(flags);
  const config = file === undefined ? {} : await readConfig(file);
  const connect = flags.connect ?? config.connect;
  if (connect === undefined) throw wrongUsage("Cannot reach a cluster: give its address as --connect URL");
  const keys = flags.keys ?? config.keys;
  return {
    url: parseClusterUrl(connect),
    keys: keys === undefined ? undefined : await readKeys(keys),
    isInsecure: flags.insecure ?? config.insecure ?? false,
    namespace: flags.namespace ?? config.namespace,
    tls: config.tls,
    jobs: config.jobs,
    backend: config.backend,
  };
}

/** Undefined where there is none. */
export function configFile({ config }: ClusterFlags): string | undefined {
  return config ?? (process.env["MANYHANDS_CONFIG"] || undefined);
}

async function readKeys(file: string): Promise<Keys> {
  let keys: unknown;
  try {
    keys = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw wrongUsage(`Cannot read --keys "${file}": ${messageOf(cause)}`, { cause });
  }
  const { publicKey, secretKey } = Object(keys) as Partial<Keys>;
  if (typeof publicKey !== "string" || typeof secretKey !== "string") {
    throw wrongUsage(`Cannot read --keys "${file}": it has no "publicKey" and "secretKey"`);
  }
  return keys as Keys;
}
