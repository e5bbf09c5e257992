// `manyhands worker`: a task module as a worker of a pool that starts programs, or as a host of a cluster.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Command, Option } from "commander";
import { type ClusterFlags, clusterOptions, configFile, readCluster } from "../cluster/flags.ts";
import { serveCluster } from "../cluster/serve.ts";
import { messageOf, wrongUsage } from "../complaint.ts";
import { parseChoice } from "../grammar/choice.ts";
import { parseEnvironment } from "../grammar/environment.ts";
import { parseJobs } from "../grammar/jobs.ts";

interface Flags extends ClusterFlags {
  readonly stdio?: true;
  readonly jobs?: string;
  readonly backend?: string;
  readonly data?: string;
  readonly env?: readonly string[];
  readonly id?: string;
}

const BACKENDS = ["threads", "processes"] as const;
export type HostBackend = (typeof BACKENDS)[number];

export function addWorkerCommand(program: Command, onStatus: (code: number) => void): void {
  const command = program
    .command("worker <module>")
    .description("serve the tasks of a module: to the pools of a cluster, or to the pool that started this program")
    .option("--stdio", "speak the stdio protocol on standard input and output");
  for (const option of [
    ...clusterOptions(),
    new Option(
      "-j, --jobs <N>",
      "how many hands it lends to each pool: N, N% of the processors, or auto (default: auto)",
    ),
    new Option("--backend <NAME>", `where tasks run: ${BACKENDS.join(", ")} (default: threads)`),
    new Option("--data <JSON>", "what the module's setup is given in every worker"),
    new Option("--env <NAME=VALUE>", "a variable of the workers' environment (repeatable)").argParser(
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    ),
    new Option("--id <ID>", "what it is called in the cluster (default: its machine and process id)"),
  ]) {
    command.addOption(option.helpGroup("In a cluster:"));
  }
  command
    .addHelpText(
      "after",
      `
With --stdio a pool starts it: command(["manyhands", "worker", "--stdio", "./tasks.js"]), here or through ssh. It ends
with that pool. What the tasks print goes to the pool.

With --connect it joins a cluster, and serves every pool there until it is told to end. SIGTERM, SIGINT and
manyhands cluster quit let it finish what it has; a second signal ends it at once.

Exit status of a host: 0 after quit, 75 after restart, 143 or 130 after a signal.`,
    )
    .helpOption("-h, --help", "show this help")
    .action(async (module: string, flags: Flags) => {
      const path = resolve(module);
      if (flags.stdio === true) {
        refuseBeside(flags);
        requireModule(module, path);
        await serveStdio(path);
      }
      if (flags.connect === undefined && configFile(flags) === undefined) {
        throw wrongUsage(
          "Cannot run a worker without a pool: add --connect URL to join a cluster, or --stdio and let a pool start it",
        );
      }
      const cluster = await readCluster(flags);
      requireModule(module, path);
      const status = await serveCluster(cluster, {
        module,
        path,
        hands: parseJobs(flags.jobs ?? cluster.jobs ?? "auto", availableParallelism()),
        backend: parseChoice("--backend", flags.backend ?? cluster.backend ?? "threads", BACKENDS),
        data: flags.data === undefined ? undefined : readData(flags.data),
        environment: parseEnvironment(flags.env ?? []),
        id: flags.id,
      });
      onStatus(status);
    });
}

async function serveStdio(path: string): Promise<never> {
  const { serve } = await import("../../worker/serve.ts");
  serve(pathToFileURL(path));
  // The pool says when it ends.
  return new Promise<never>(() => {});
}

function requireModule(module: string, path: string): void {
  if (!existsSync(path)) throw wrongUsage(`Cannot serve "${module}": there is no such file`);
}

/** With --stdio the pool says what all these say. */
function refuseBeside(flags: Flags): void {
  for (const name of [
    "connect",
    "jobs",
    "backend",
    "data",
    "env",
    "id",
    "keys",
    "insecure",
    "namespace",
    "config",
  ] as const) {
    if (flags[name] !== undefined)
      throw wrongUsage(`Cannot use --${name} with --stdio: the pool that starts it decides`);
  }
}

function readData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw wrongUsage(`Cannot read --data as JSON: ${messageOf(cause)}`, { cause });
  }
}
