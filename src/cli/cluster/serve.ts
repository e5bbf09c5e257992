// A host of a cluster, from its start to its exit status.
import type { Backend } from "../../index.ts";
import type { HostBackend } from "../commands/worker.ts";
import { Complaint, messageOf } from "../complaint.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { type ServingHost, startHost } from "./engine.ts";
import type { Cluster } from "./flags.ts";

export interface HostPlan {
  /** As it was given. */
  readonly module: string;
  /** Absolute. */
  readonly path: string;
  readonly hands: number;
  readonly backend: HostBackend;
  /** Undefined where none was given. */
  readonly data: unknown;
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined for the default. */
  readonly id: string | undefined;
}

/** After this status a supervisor starts the program again. */
export const RESTART_STATUS = 75;

/** After so long without any server it is said that there is none. */
const SILENCE_MS = 5_000;

/** Serves until it is told to end, and gives the exit status. */
export async function serveCluster(cluster: Cluster, plan: HostPlan): Promise<number> {
  const backend = await backendMaker(plan);
  const host = await startHost(cluster, { hands: plan.hands, backend, id: plan.id }).catch((error: unknown) => {
    if (error instanceof Complaint) throw error;
    throw new Complaint("usage", `Cannot join ${cluster.url.text}: ${messageOf(error)}`, { cause: error });
  });
  const silence = setTimeout(() => sayWhereNobodyIs(host, cluster.url.text), SILENCE_MS).unref();
  let status: number | undefined;
  const onSignal = (signal: "SIGINT" | "SIGTERM"): void => {
    const code = EXIT_CODES[signal === "SIGINT" ? "sigint" : "sigterm"].code;
    if (status !== undefined) {
      void host.terminate().then(() => process.exit(code));
      return;
    }
    status = code;
    process.stderr.write(`${signal}: finishing what runs; again to end at once\n`);
    host.quit();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // Whoever reads it may send a signal at once.
  process.stderr.write(`${host.id} serves ${plan.module} with ${plan.hands} hands to ${cluster.url.text}\n`);
  const end = await host.done;
  clearTimeout(silence);
  process.off("SIGINT", onSignal);
  process.off("SIGTERM", onSignal);
  return status ?? (end === "restart" ? RESTART_STATUS : EXIT_CODES.ok.code);
}

/** It goes on trying, and somebody who looks should know. */
function sayWhereNobodyIs(host: ServingHost, url: string): void {
  const servers = host.servers?.() ?? [];
  if (servers.length === 0 || servers.some(({ isConnected }) => isConnected)) return;
  const why = servers.find(({ lastError }) => lastError !== undefined)?.lastError;
  process.stderr.write(
    `manyhands: no server of ${url} is there${why === undefined ? "" : ` (${messageOf(why)})`}; goes on trying\n`,
  );
}

/** Makes the backend of each pool's workers: none at first, one each time the pool asks. */
async function backendMaker(plan: HostPlan): Promise<(concurrency: number) => Backend> {
  const { path, data, environment } = plan;
  const given = {
    size: 0,
    ...(data === undefined ? {} : { data }),
    ...(Object.keys(environment).length === 0 ? {} : { env: { ...process.env, ...environment } }),
  };
  if (plan.backend === "processes") {
    const { processes } = await import("../../backends/processes/index.ts");
    return (concurrency) => processes(path, { ...given, concurrency });
  }
  const { threads } = await import("../../backends/threads/index.ts");
  return (concurrency) => threads(path, { ...given, concurrency });
}
