// `manyhands cluster`: the hosts of a cluster, seen and controlled from anywhere that reaches it.
import type { Command } from "commander";
import { addressOf, type ClusterControl, type HostReport, isMeant } from "../../backends/cluster-control.ts";
import { openControl } from "../cluster/engine.ts";
import { addClusterFlags, type ClusterFlags, readCluster } from "../cluster/flags.ts";
import { Complaint, messageOf } from "../complaint.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { parseDuration } from "../grammar/duration.ts";

interface Flags extends ClusterFlags {
  readonly json?: boolean;
  readonly timeout: string;
  readonly rolling?: boolean;
}

type OnStatus = (code: number) => void;

const VERBS = {
  ping: { summary: "show every host that answers", done: "answered" },
  quit: { summary: "let hosts finish what they have, and end them with status 0", done: "will quit" },
  restart: { summary: "the same with status 75, after which a supervisor starts them again", done: "will restart" },
} as const;

type Verb = keyof typeof VERBS;

export function addClusterCommand(program: Command, onStatus: OnStatus): void {
  const cluster = program
    .command("cluster")
    .description("see and control the worker hosts of a cluster")
    .helpOption("-h, --help", "show this help");
  for (const [verb, { summary }] of Object.entries(VERBS)) {
    const command = cluster.command(`${verb} [ids...]`).description(`${summary}; by ids or HOST:PID, else all`);
    addCommon(command).option("--timeout <D>", "how long to wait for answers", "5s");
    if (verb === "restart") command.option("--rolling", "one after another: the next when one more is there again");
    command.action(async (ids: string[], flags: Flags) => {
      onStatus(await withControl(flags, (control) => ask(control, verb as Verb, ids, flags)));
    });
  }
  const logs = cluster.command("logs [ids...]").description("what hosts and their tasks print, as it comes");
  addCommon(logs).action(async (ids: string[], flags: Flags) => {
    onStatus(await withControl(flags, (control) => follow(control, ids, flags)));
  });
}

function addCommon(command: Command): Command {
  return addClusterFlags(command).option("--json", "one JSON object a line").helpOption("-h, --help", "show this help");
}

async function withControl(flags: Flags, act: (control: ClusterControl) => Promise<number>): Promise<number> {
  const cluster = await readCluster(flags);
  const control = await openControl(cluster).catch((error: unknown) => {
    if (error instanceof Complaint) throw error;
    throw new Complaint("noWorker", `Cannot reach ${cluster.url.text}: ${messageOf(error)}`, { cause: error });
  });
  try {
    return await act(control);
  } catch (error) {
    if (error instanceof Complaint) throw error;
    throw new Complaint("noWorker", `Cannot reach ${cluster.url.text}: ${messageOf(error)}`, { cause: error });
  } finally {
    await control.close();
  }
}

async function ask(control: ClusterControl, verb: Verb, ids: readonly string[], flags: Flags): Promise<number> {
  const timeoutMs = parseDuration("--timeout", flags.timeout);
  const options = { timeoutMs, ...(ids.length === 0 ? {} : { ids }) };
  const reports =
    verb === "restart" && flags.rolling === true
      ? await rollingRestart(control, options, timeoutMs)
      : await control[verb](options);
  if (flags.json === true) for (const report of reports) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const { hostTable } = await import("../cluster/host-table.ts");
    process.stdout.write(hostTable(reports, Date.now()));
  }
  const missing = ids.filter((id) => !reports.some((report) => isMeant(report, [id])));
  const count = `${reports.length} host${reports.length === 1 ? "" : "s"} ${VERBS[verb].done}`;
  process.stderr.write(`${count}${missing.length === 0 ? "" : `; no answer from ${missing.join(", ")}`}\n`);
  return reports.length === 0 || missing.length > 0 ? EXIT_CODES.noWorker.code : EXIT_CODES.ok.code;
}

/** Restarts one host after another; goes on when there are as many as before. */
async function rollingRestart(
  control: ClusterControl,
  options: { readonly ids?: readonly string[] },
  timeoutMs: number,
): Promise<readonly HostReport[]> {
  const all = await control.ping({ timeoutMs });
  const chosen = all.filter((host) => isMeant(host, options.ids));
  const done: HostReport[] = [];
  for (const host of chosen) {
    const { id } = host;
    const [report] = await control.restart({ ids: [addressOf(host)], timeoutMs });
    if (report === undefined) continue;
    done.push(report);
    process.stderr.write(`${id} restarts\n`);
    const until = performance.now() + ROLLING_MS;
    for (let there = 0; there < all.length; ) {
      if (performance.now() > until) {
        throw new Complaint(
          "incomplete",
          `Cannot go on: ${id} has not been replaced after ${ROLLING_MS / 60_000} minutes`,
        );
      }
      // A ping takes as long as the slowest answer, which paces the asking.
      const reports = await control.ping({ timeoutMs: PACE_MS });
      // The one that comes in its place may have its id, and in a container its process id.
      there = reports.filter((one) => one.state === "serving" && !isSame(one, host)).length;
      if (there < all.length) await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }
  return done;
}

function isSame(one: HostReport, other: HostReport): boolean {
  return one.startedAt === other.startedAt && addressOf(one) === addressOf(other);
}

const ROLLING_MS = 300_000;
const PACE_MS = 500;

async function follow(control: ClusterControl, ids: readonly string[], flags: Flags): Promise<number> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  process.stdout.once("error", end);
  await control.logs(
    (line) => {
      if (flags.json === true) process.stdout.write(`${JSON.stringify(line)}\n`);
      else (line.stream === "stdout" ? process.stdout : process.stderr).write(`${line.id} ${line.text}\n`);
    },
    { signal: stop.signal, ...(ids.length === 0 ? {} : { ids }) },
  );
  return EXIT_CODES.ok.code;
}
