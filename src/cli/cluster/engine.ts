// The engines that carry a cluster, as the command line uses them. Each is loaded when it is asked for.
import { hostname } from "node:os";
import type { ClusterControl } from "../../backends/cluster-control.ts";
import type { Backend } from "../../index.ts";
import { wrongUsage } from "../complaint.ts";
import type { Tls } from "./config.ts";
import type { Cluster, Keys } from "./flags.ts";

/** A host that serves. */
export interface ServingHost {
  readonly id: string;
  /** Resolves when it has ended. */
  readonly done: Promise<"quit" | "restart">;
  /** Finishes what it has, then ends. */
  quit(): void;
  /** Ends now. */
  terminate(): Promise<unknown>;
  /** The servers that it finds pools by; absent where there is nothing in between. */
  servers?(): readonly { readonly isConnected: boolean; readonly lastError: Error | undefined }[];
}

export interface HostOptions {
  readonly hands: number;
  readonly backend: (concurrency: number) => Backend;
  /** Undefined for the default. */
  readonly id: string | undefined;
}

/** The backend of a pool whose workers are the cluster's. */
export async function poolBackend(cluster: Cluster): Promise<Backend> {
  const { url } = cluster;
  if (url.engine === "gearman") {
    const { gearman } = await import("../../backends/gearman/index.ts");
    return gearman(url.servers, gearmanOptions(cluster));
  }
  const options = zeromqOptions(cluster);
  const { zeromq } = await import("../../backends/zeromq/index.ts");
  return zeromq({ bind: url.address, ...options });
}

/** Joins the cluster. */
export async function startHost(cluster: Cluster, { hands, backend, id }: HostOptions): Promise<ServingHost> {
  const { url } = cluster;
  if (url.engine === "gearman") {
    const { runGearmanWorker } = await import("../../backends/gearman/index.ts");
    return runGearmanWorker(url.servers, { hands, backend, id: id ?? ownName(), ...gearmanOptions(cluster) });
  }
  const options = zeromqOptions(cluster);
  const { runZeromqWorker } = await import("../../backends/zeromq/index.ts");
  return runZeromqWorker({ hands, backend, ...(id === undefined ? {} : { id }), connect: url.address, ...options });
}

/** Reaches the hosts of the cluster. */
export async function openControl(cluster: Cluster): Promise<ClusterControl> {
  const { url } = cluster;
  if (url.engine === "gearman") {
    const { gearmanControl } = await import("../../backends/gearman/index.ts");
    return gearmanControl(url.servers, gearmanOptions(cluster));
  }
  const options = zeromqOptions(cluster);
  const { zeromqControl } = await import("../../backends/zeromq/index.ts");
  return zeromqControl({ connect: url.address, ...options });
}

/** Of this machine and process, with no more than what may stand in the name of a function. */
function ownName(): string {
  return `${hostname()
    .replaceAll(/[^\w-]/g, "-")
    .slice(0, 36)}-${process.pid}`;
}

/** @throws Complaint where a flag is for ZeroMQ */
function gearmanOptions(cluster: Cluster): { readonly namespace?: string; readonly tls?: Tls } {
  const { keys, isInsecure, namespace, tls } = cluster;
  const flag = keys === undefined ? (isInsecure ? "--insecure" : undefined) : "--keys";
  if (flag !== undefined) throw wrongUsage(`Cannot use ${flag} with gearman://: it is for ZeroMQ`);
  return { ...(namespace === undefined ? {} : { namespace }), ...(tls === undefined ? {} : { tls }) };
}

/** @throws Complaint where a flag is for Gearman */
function zeromqOptions(cluster: Cluster): { readonly curve?: Keys; readonly insecure?: true } {
  const { keys, isInsecure, namespace, tls } = cluster;
  const flag = namespace === undefined ? (tls === undefined ? undefined : "TLS") : "--namespace";
  if (flag !== undefined) throw wrongUsage(`Cannot use ${flag} with ZeroMQ: it is for gearman://`);
  return { ...(keys === undefined ? {} : { curve: keys }), ...(isInsecure ? { insecure: true } : {}) };
}
