// How many workers each host has: what was said, else a share of its processors, for which it is asked.
import { execFile } from "node:child_process";
import { ssh } from "../../backends/ssh.ts";
import { Complaint, messageOf } from "../complaint.ts";
import { HERE } from "../grammar/hosts.ts";
import { parseJobs } from "../grammar/jobs.ts";
import type { WorkerSettings } from "./settings.ts";

export interface Host {
  /** As ssh knows it; undefined for this machine. */
  readonly host: string | undefined;
  readonly slots: number;
}

/**
 * The hosts and their slots. One that does not answer is left out, and told of.
 * @throws Complaint where none is left
 */
export async function countSlots(
  workers: WorkerSettings,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<readonly Host[]> {
  const { hosts, hostJobs, ssh: client } = workers;
  const isShare = hostJobs === "auto" || hostJobs.endsWith("%");
  const counts = hosts.map(async ({ host, slots }): Promise<Host | Error> => {
    const name = host === HERE ? undefined : host;
    if (slots !== undefined) return { host: name, slots };
    if (name === undefined) return { host: name, slots: workers.size };
    if (!isShare) return { host: name, slots: parseJobs(hostJobs, 1) };
    try {
      return { host: name, slots: parseJobs(hostJobs, await processorsOf(name, client, signal)) };
    } catch (error) {
      return new Error(`Cannot reach "${name}": ${messageOf(error)}`);
    }
  });
  const all = await Promise.all(counts);
  signal.throwIfAborted();
  const reached = all.filter((one): one is Host => !(one instanceof Error));
  const failures = all.filter((one) => one instanceof Error);
  if (reached.length === 0) throw new Complaint("noWorker", failures.map(messageOf).join("; "));
  for (const failure of failures) say(`goes on without a host: ${failure.message}`);
  return reached;
}

function processorsOf(host: string, client: readonly string[] | undefined, signal: AbortSignal): Promise<number> {
  const [program = "", ...args] = ssh(
    host,
    ["getconf", "_NPROCESSORS_ONLN"],
    client === undefined ? {} : { ssh: client },
  );
  return new Promise((resolve, reject) => {
    execFile(program, args, { signal }, (error, stdout, stderr) => {
      const count = Number(stdout.trim().split("\n").at(-1));
      if (error === null && Number.isInteger(count) && count > 0) resolve(count);
      else reject(new Error(stderr.trim().split("\n").at(-1) || messageOf(error ?? `it has ${stdout} processors`)));
    });
  });
}
