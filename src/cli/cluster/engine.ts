// The engines that carry a cluster, as the command line uses them. Each is loaded when it is asked for.
import type { ClusterControl } from "../../backends/cluster-control.ts";
import type { Backend } from "../../index.ts";
import { wrongUsage } from "../complaint.ts";
import type { ClusterUrl } from "../grammar/cluster-url.ts";
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
  refuseGearman(url);
  const { zeromq } = await import("../../backends/zeromq/index.ts");
  return zeromq({ bind: url.address, ...securityOf(cluster) });
}

/** Joins the cluster. */
export async function startHost(cluster: Cluster, { hands, backend, id }: HostOptions): Promise<ServingHost> {
  const { url } = cluster;
  const common = { hands, backend, ...(id === undefined ? {} : { id }) };
  refuseGearman(url);
  const { runZeromqWorker } = await import("../../backends/zeromq/index.ts");
  return runZeromqWorker({ ...common, connect: url.address, ...securityOf(cluster) });
}

/** Reaches the hosts of the cluster. */
export async function openControl(cluster: Cluster): Promise<ClusterControl> {
  const { url } = cluster;
  refuseGearman(url);
  const { zeromqControl } = await import("../../backends/zeromq/index.ts");
  return zeromqControl({ connect: url.address, ...securityOf(cluster) });
}

/** Its protocol is there, and its pool is not. */
function refuseGearman(url: ClusterUrl): asserts url is ClusterUrl & { readonly engine: "zeromq" } {
  if (url.engine !== "gearman") return;
  throw wrongUsage(
    `Cannot connect to "${url.text}" yet: this version has pools over zmq+tcp://, and for Gearman a client and a worker in manyhands/gearman`,
  );
}

function securityOf({ keys, isInsecure }: Cluster): { readonly curve?: Keys; readonly insecure?: true } {
  return { ...(keys === undefined ? {} : { curve: keys }), ...(isInsecure ? { insecure: true } : {}) };
}
