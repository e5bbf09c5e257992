// A pool whose first worker is up, and the one task that a run is about.

import { ssh } from "../../backends/ssh.ts";
import { type Backend, Pool, type WorkerInfo, WorkerLostError } from "../../index.ts";
import { poolBackend } from "../cluster/engine.ts";
import type { Cluster } from "../cluster/flags.ts";
import { Complaint, messageOf, wrongUsage } from "../complaint.ts";
import type { Host } from "./hosts.ts";
import type { WorkerSettings } from "./settings.ts";
import { givenName, type ModuleSubject } from "./subject.ts";

export interface StartedPool {
  readonly pool: Pool;
  /** The name of the exported task. */
  readonly task: string;
}

export interface ModulePlan {
  readonly subject: ModuleSubject;
  readonly workers: WorkerSettings;
  readonly hosts: readonly Host[];
  /** Told of the pool before its first worker is up. */
  onPool(pool: Pool): void;
}

/** Rejects with a complaint where no worker comes up, or the module has no such task. */
export async function startModule(plan: ModulePlan, signal: AbortSignal): Promise<StartedPool> {
  const { subject } = plan;
  const pool: Pool = new Pool(await makeBackends(plan));
  plan.onPool(pool);
  try {
    const worker = await firstWorker(pool, signal).catch((error: unknown) => {
      throw signal.aborted ? error : cannotStart(plan, error);
    });
    return { pool, task: chooseTask(subject, worker.tasks) };
  } catch (error) {
    await pool.terminate();
    throw error;
  }
}

async function makeBackends({ subject, workers, hosts }: ModulePlan): Promise<Backend[]> {
  if (workers.cluster !== undefined) return [await clusterBackend(workers.cluster)];
  const slotsHere = hosts.reduce((sum, { host, slots }) => sum + (host === undefined ? slots : 0), 0);
  const here = slotsHere === 0 ? [] : [await backendHere(subject.path, { ...workers, size: slotsHere })];
  const entries = hosts.flatMap(({ host, slots }) =>
    host === undefined ? [] : [{ argv: farWorker(host, subject.module, workers), count: slots, host }],
  );
  if (entries.length === 0) return here;
  const { command } = await import("../../backends/command/index.ts");
  const { data } = workers;
  return [...here, command(entries, data === undefined ? {} : { data })];
}

async function clusterBackend(cluster: Cluster): Promise<Backend> {
  try {
    return await poolBackend(cluster);
  } catch (error) {
    if (error instanceof Complaint) throw error;
    throw wrongUsage(`Cannot use ${cluster.url.text}: ${messageOf(error)}`, { cause: error });
  }
}

/** A worker on another machine, which has the module under the same name. */
function farWorker(
  host: string,
  module: string,
  { ssh: client, remoteCommand, environment }: WorkerSettings,
): readonly string[] {
  const options = { cwd: process.cwd(), env: environment, ...(client === undefined ? {} : { ssh: client }) };
  return ssh(host, [...remoteCommand, "worker", "--stdio", module], options);
}

/** Loads the one backend that is asked for. */
async function backendHere(path: string, workers: WorkerSettings): Promise<Backend> {
  const { size, data } = workers;
  const hasEnvironment = Object.keys(workers.environment).length > 0;
  const options = { size, ...(data === undefined ? {} : { data }) };
  const env = hasEnvironment ? { env: { ...process.env, ...workers.environment } } : {};
  switch (workers.backend) {
    case "threads": {
      const { threads } = await import("../../backends/threads/index.ts");
      return threads(path, { ...options, ...env });
    }
    case "processes": {
      const { processes } = await import("../../backends/processes/index.ts");
      return processes(path, { ...options, ...env });
    }
    case "inline": {
      const { inline } = await import("../../backends/inline/index.ts");
      // The tasks run in this process: its environment is theirs.
      Object.assign(process.env, workers.environment);
      return inline(path, options);
    }
  }
}

/** Rejects with what keeps workers from starting, where that goes for every backend; or with the reason of the signal. */
export function firstWorker(pool: Pool, signal: AbortSignal): Promise<WorkerInfo> {
  return new Promise((resolve, reject) => {
    const found = pool.workers().find((worker) => worker.state === "idle");
    if (found) {
      resolve(found);
      return;
    }
    const unavailable = new Set<string>();
    const backends = new Set(pool.workers().map(({ backend }) => backend));
    const removers = [
      pool.on("workerUp", ({ worker }) => settle(() => resolve(worker))),
      pool.on("backendFailed", ({ backend, error }) => {
        unavailable.add(backend);
        if (unavailable.size >= backends.size) settle(() => reject(error));
      }),
    ];
    const abort = () => settle(() => reject(signal.reason));
    signal.addEventListener("abort", abort);
    // A pool without tasks does not keep the program alive.
    const waiting = setInterval(() => {}, 60_000);
    function settle(how: () => void): void {
      clearInterval(waiting);
      for (const remove of removers) remove();
      signal.removeEventListener("abort", abort);
      how();
    }
  });
}

/** A module that does not load here is wrong usage; one that does, in a worker that does not come up, is not. */
function cannotStart({ subject: { module }, workers, hosts }: ModulePlan, error: unknown): Complaint {
  const { phase } = Object(error) as { phase?: unknown };
  const isFar = workers.cluster !== undefined || hosts.some(({ host }) => host !== undefined);
  if (isFar || phase === "setup" || error instanceof WorkerLostError) {
    return new Complaint("noWorker", `Cannot start a worker for "${module}": ${messageOf(error)}`, { cause: error });
  }
  return wrongUsage(`Cannot load module "${module}": ${messageOf(error)}`, { cause: error });
}

/** The named one; else the default export, else the only one there is. */
function chooseTask(subject: ModuleSubject, tasks: readonly string[]): string {
  const { module, exportName } = subject;
  const list = tasks.length === 0 ? "it exports no task" : `its tasks are ${tasks.join(", ")}`;
  if (exportName !== undefined) {
    if (tasks.includes(exportName)) return exportName;
    throw wrongUsage(`Cannot run "${givenName(subject)}": the module has no such task; ${list}`);
  }
  if (tasks.includes("default")) return "default";
  const [only, ...others] = tasks;
  if (only === undefined) throw wrongUsage(`Cannot run "${module}": ${list}`);
  if (others.length > 0)
    throw wrongUsage(`Cannot run "${module}": name one of its tasks, as in ${module}#${only}; ${list}`);
  return only;
}
