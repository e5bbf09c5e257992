// The flags of `manyhands map`, read and checked: whatever is wrong is said here, before anything starts.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { type Cluster, type ClusterFlags, meansCluster, readCluster } from "../cluster/flags.ts";
import { messageOf, wrongUsage } from "../complaint.ts";
import { parseChoice } from "../grammar/choice.ts";
import { parseCount } from "../grammar/count.ts";
import { parseDuration } from "../grammar/duration.ts";
import { parseEnvironment } from "../grammar/environment.ts";
import { type HaltRule, needsTotal, parseHalt } from "../grammar/halt.ts";
import { type GivenHost, HERE, parseHosts } from "../grammar/hosts.ts";
import { parseJobs } from "../grammar/jobs.ts";
import { parseTimeout, type TimeoutRule } from "../grammar/timeout.ts";
import { parseWords } from "../grammar/words.ts";
import { INPUT_FORMATS, type InputFormat, type InputPlan } from "../input/index.ts";
import { openFile, type Source, standardInput } from "../input/source.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "../output/format.ts";
import { PROGRESS_MODES, type ProgressMode } from "../output/reporter.ts";
import { identityOf } from "../output/sink.ts";
import { type GivenSubject, kindOf, type Places, readSubject, type Subject, usualFormat } from "./subject.ts";

export const BACKENDS = ["threads", "processes", "inline"] as const;
export type BackendName = (typeof BACKENDS)[number];

/** As the flags were given; absent ones are undefined. */
export interface MapFlags extends ClusterFlags {
  readonly in?: string;
  readonly argFile?: readonly string[];
  readonly null?: boolean;
  readonly maxArgs?: string;
  readonly total?: string;
  readonly jobs?: string;
  readonly maxProcs?: string;
  readonly backend?: string;
  readonly data?: string;
  readonly env?: readonly string[];
  readonly sshlogin?: readonly string[];
  readonly ssh?: string;
  readonly remoteCommand?: string;
  readonly window?: string;
  readonly retries?: string;
  readonly retryDelay?: string;
  readonly timeout?: string;
  readonly halt?: string;
  readonly maxTime?: string;
  readonly grace?: string;
  readonly output?: string;
  readonly keepOrder?: boolean;
  readonly out?: string;
  readonly failed?: string;
  readonly tag?: boolean;
  readonly progress?: string;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  readonly dryRun?: boolean;
  readonly shell?: string;
  readonly joblog?: string;
}

/** What stood beside the flags. */
export interface MapWords {
  readonly task: string | undefined;
  readonly files: readonly string[];
  /** What stood after `--`; undefined where there was none. */
  readonly command: readonly string[] | undefined;
  /** What stood after `:::`; undefined where there was none. */
  readonly values: readonly string[] | undefined;
}

export interface MapSettings {
  readonly subject: Subject;
  readonly input: InputPlan;
  readonly total: number | undefined;
  readonly workers: WorkerSettings;
  readonly window: number | undefined;
  readonly retries: number | undefined;
  readonly retryDelayMs: number | undefined;
  readonly timeout: TimeoutRule | undefined;
  readonly halt: HaltRule;
  readonly maxTimeMs: number | undefined;
  readonly graceMs: number;
  readonly outputFile: string | undefined;
  readonly outputFormat: OutputFormat;
  readonly isOrdered: boolean;
  readonly failedFile: string | undefined;
  readonly joblogFile: string | undefined;
  readonly isTagged: boolean;
  readonly progress: ProgressMode;
  readonly isVerbose: boolean;
  readonly isQuiet: boolean;
  readonly isDryRun: boolean;
}

export interface WorkerSettings {
  readonly backend: BackendName;
  readonly size: number;
  /** Whose workers run the tasks; undefined where they are this run's own. */
  readonly cluster: Cluster | undefined;
  /** Machines to run on; none where that is this one. */
  readonly hosts: readonly GivenHost[];
  /** How many workers a host has that does not say it: a number, or a share of its processors. */
  readonly hostJobs: string;
  /** The command of ssh and its options; undefined where nobody said it. */
  readonly ssh: readonly string[] | undefined;
  /** What this program is called on the hosts, and what goes before its arguments. */
  readonly remoteCommand: readonly string[];
  /** Undefined where `--data` was not given. */
  readonly data: unknown;
  readonly environment: Readonly<Record<string, string>>;
}

const GRACE = "5s";

export async function readSettings(words: MapWords, flags: MapFlags): Promise<MapSettings> {
  const optional = <T>(text: string | undefined, parse: (text: string) => T): T | undefined =>
    text === undefined ? undefined : parse(text);
  const duration = (flag: string, text: string | undefined) => optional(text, (given) => parseDuration(flag, given));
  const given: GivenSubject = { task: words.task, command: words.command, shell: flags.shell };
  const kind = kindOf(given);
  refuseForKind(kind, flags);
  const format = readFormat(flags, kind);
  const environment = parseEnvironment(flags.env ?? []);
  const hosts = parseHosts(flags.sshlogin ?? []);
  const ssh = flags.ssh ?? (process.env["MANYHANDS_SSH"] || undefined);
  if (hosts.length === 0) refuseWithoutHosts(flags);
  refuseForCluster(kind, flags);
  const cluster = meansCluster(flags) ? await readCluster(flags) : undefined;
  const settings: MapSettings = {
    subject: await readSubject(
      given,
      format,
      environment["PATH"] ?? process.env["PATH"],
      cluster === undefined ? placesOf(hosts) : FAR,
    ),
    input: await readInputPlan(words, flags, format, kind === "command"),
    total: optional(flags.total, (text) => parseCount("--total", text, 0)),
    workers: {
      backend: parseChoice("--backend", flags.backend ?? "threads", BACKENDS),
      size: readSize(flags),
      cluster,
      hosts,
      hostJobs: jobsOf(flags) ?? "auto",
      ssh: optional(ssh, (text) => parseWords("--ssh", text)),
      remoteCommand: parseWords("--remote-command", flags.remoteCommand ?? "manyhands"),
      data: optional(flags.data, readData),
      environment,
    },
    window: optional(flags.window, (text) => parseCount("--window", text, 1)),
    retries: optional(flags.retries, (text) => parseCount("--retries", text, 0)),
    retryDelayMs: duration("--retry-delay", flags.retryDelay),
    timeout: optional(flags.timeout, parseTimeout),
    halt: parseHalt(flags.halt ?? "never"),
    maxTimeMs: duration("--max-time", flags.maxTime),
    graceMs: parseDuration("--grace", flags.grace ?? GRACE),
    outputFile: flags.output,
    outputFormat: parseChoice("--out", flags.out ?? "value", OUTPUT_FORMATS),
    isOrdered: flags.keepOrder === true,
    failedFile: flags.failed,
    joblogFile: flags.joblog,
    isTagged: flags.tag === true,
    progress: parseChoice("--progress", flags.progress ?? (flags.quiet ? "none" : "auto"), PROGRESS_MODES),
    isVerbose: flags.verbose === true,
    isQuiet: flags.quiet === true,
    isDryRun: flags.dryRun === true,
  };
  checkTogether(settings, flags);
  await checkFilesDiffer(settings);
  return settings;
}

/** Flags that only one kind of subject has. */
function refuseForKind(kind: Subject["kind"], flags: MapFlags): void {
  const refuse = (flag: string, value: unknown, why: string) => {
    if (value !== undefined) throw wrongUsage(`Cannot use ${flag} ${why}`);
  };
  if (kind === "command") {
    refuse("--backend", flags.backend, "with a command: each run of it is a process of its own");
    refuse("--data", flags.data, "with a command: no module is set up");
    refuse("--remote-command", flags.remoteCommand, "with a command: hosts need no manyhands for it");
  } else refuse("--joblog", flags.joblog, "with a task module: its columns tell of programs");
}

function refuseWithoutHosts({ ssh, remoteCommand }: MapFlags): void {
  const flag = ssh === undefined ? (remoteCommand === undefined ? undefined : "--remote-command") : "--ssh";
  if (flag !== undefined) throw wrongUsage(`Cannot use ${flag} without -S: there is no host to reach`);
}

/** What a cluster's hosts decide, and what means nothing without one. */
function refuseForCluster(kind: Subject["kind"], flags: MapFlags): void {
  if (!meansCluster(flags)) {
    const flag = (["keys", "insecure", "namespace"] as const).find((name) => flags[name] !== undefined);
    if (flag !== undefined) throw wrongUsage(`Cannot use --${flag} without --connect: there is no cluster`);
    return;
  }
  if (kind === "command")
    throw wrongUsage("Cannot use --connect with a command: the hosts of a cluster run tasks of a module");
  const theirs = {
    "-S": flags.sshlogin,
    "-j": jobsOf(flags),
    "--backend": flags.backend,
    "--data": flags.data,
    "--env": flags.env,
  };
  for (const [flag, value] of Object.entries(theirs)) {
    if (value !== undefined) throw wrongUsage(`Cannot use ${flag} with --connect: each host says what its workers are`);
  }
}

const FAR: Places = { isHere: false, isFar: true };

function placesOf(hosts: readonly GivenHost[]): Places {
  if (hosts.length === 0) return { isHere: true, isFar: false };
  return { isHere: hosts.some(({ host }) => host === HERE), isFar: hosts.some(({ host }) => host !== HERE) };
}

function readFormat(flags: MapFlags, kind: Subject["kind"]): InputFormat {
  if (flags.null && flags.in !== undefined && flags.in !== "nul") {
    throw wrongUsage(`Cannot use -0 with --in ${flags.in}: -0 is --in nul`);
  }
  return flags.null ? "nul" : parseChoice("--in", flags.in ?? usualFormat(kind), INPUT_FORMATS);
}

async function readInputPlan(
  { files, values }: MapWords,
  flags: MapFlags,
  format: InputFormat,
  takesBytes: boolean,
): Promise<InputPlan> {
  const names = [...files, ...(flags.argFile ?? [])];
  if (values && names.length > 0) throw wrongUsage(`Cannot read both ":::" and "${names[0]}": give one of them`);
  if (names.filter((name) => name === "-").length > 1)
    throw wrongUsage('Cannot read "-" twice: standard input ends once');
  const sources: Source[] = [];
  if (!values) for (const name of names) sources.push(await openFile(name));
  if (!values && names.length === 0) sources.push(await standardInput());
  const groupSize = flags.maxArgs === undefined ? undefined : parseCount("-n", flags.maxArgs, 1);
  return { format, takesBytes, sources, values, groupSize };
}

function readSize(flags: MapFlags): number {
  const text = jobsOf(flags);
  if (flags.backend === "inline" && text === undefined) return 1;
  return parseJobs(text ?? "auto", availableParallelism());
}

function jobsOf({ jobs, maxProcs }: MapFlags): string | undefined {
  if (jobs !== undefined && maxProcs !== undefined && jobs !== maxProcs) {
    throw wrongUsage(`Cannot use both -j ${jobs} and -P ${maxProcs}: they mean the same`);
  }
  return jobs ?? maxProcs;
}

function readData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrongUsage(`Cannot read --data as JSON: ${messageOf(error)}`, { cause: error });
  }
}

function checkTogether(settings: MapSettings, flags: MapFlags): void {
  if (flags.quiet && flags.verbose) throw wrongUsage("Cannot use -q with -v: one hides what the other shows");
  const isCounted =
    settings.total !== undefined || settings.input.values !== undefined || settings.input.format === "json";
  if (needsTotal(settings.halt) && !isCounted) {
    throw wrongUsage(`Cannot use --halt ${flags.halt}: how many items there are is not known; give --total N`);
  }
}

/** Nothing that is written may be something that is read, or it is lost before it is used. */
async function checkFilesDiffer(settings: MapSettings): Promise<void> {
  const inputs = new Map(
    settings.input.sources.flatMap(({ identity, name }) => (identity ? [[identity, name] as const] : [])),
  );
  const written = new Map<string, string>();
  for (const [flag, path] of [
    ["-o", settings.outputFile],
    ["--failed", settings.failedFile],
    ["--joblog", settings.joblogFile],
  ] as const) {
    if (path === undefined) continue;
    const identity = (await identityOf(path)) ?? resolve(path);
    const input = inputs.get(identity);
    if (input !== undefined) throw wrongUsage(`Cannot write ${flag} "${path}": it is the input "${input}"`);
    if (settings.subject.kind === "module" && identity === (await identityOf(settings.subject.path)))
      throw wrongUsage(`Cannot write ${flag} "${path}": it is the task module`);
    if (written.has(identity))
      throw wrongUsage(`Cannot write ${flag} "${path}": ${written.get(identity)} goes there too`);
    written.set(identity, flag);
  }
}
