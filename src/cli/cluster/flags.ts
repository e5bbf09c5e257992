// The flags that say which cluster is meant, and how it is reached.
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { messageOf, wrongUsage } from "../complaint.ts";
import { type ClusterUrl, parseClusterUrl } from "../grammar/cluster-url.ts";

/** As they were given. */
export interface ClusterFlags {
  readonly connect?: string;
  readonly keys?: string;
  readonly insecure?: boolean;
  readonly namespace?: string;
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
}

export function clusterOptions(): readonly Option[] {
  return [
    new Option("--connect <URL>", "the cluster, as gearman://host[:port][,host…] or zmq+tcp://host:port"),
    new Option("--namespace <NAME>", "which cluster of those at the same Gearman servers (default: manyhands)"),
    new Option("--keys <FILE>", "keys of CURVE for ZeroMQ, as manyhands keys writes them"),
    new Option("--insecure", "let ZeroMQ bind off loopback without keys"),
  ];
}

export function addClusterFlags(command: Command): Command {
  for (const option of clusterOptions()) command.addOption(option);
  return command;
}

/** @throws Complaint for what is wrong or missing */
export async function readCluster(flags: ClusterFlags): Promise<Cluster> {
  if (flags.connect === undefined) throw wrongUsage("Cannot reach a cluster: give its address as --connect URL");
  const url = parseClusterUrl(flags.connect);
  return {
    url,
    keys: flags.keys === undefined ? undefined : await readKeys(flags.keys),
    isInsecure: flags.insecure === true,
    namespace: flags.namespace,
  };
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
