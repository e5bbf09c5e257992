/**
 * Runs tasks in programs of any language, which speak the stdio protocol on standard input and output; through ssh on other machines.
 *
 *     const pool = new Pool(command(["python3", "worker.py"], { size: 4 }));
 *     const far = new Pool(command([["ssh", "one", "worker"], ["ssh", "two", "worker"]]));
 *
 * @module
 */
import { availableParallelism, hostname } from "node:os";
import { ConfigError } from "../../protocol/errors.ts";
import {
  environment,
  func,
  milliseconds,
  oneOf,
  positiveWholeNumber,
  type Rule,
  readOptions,
  text,
} from "../../protocol/options.ts";
import { loadMsgpack } from "../../worker/msgpack-library.ts";
import type { Backend } from "../backend.ts";
import { moduleRules, planOf } from "../module-options.ts";
import { CommandBackend, type Tail } from "./command-backend.ts";
import { type Command, isArgv, placesOf } from "./places.ts";
import { oneShotPrograms } from "./programs/index.ts";

export { type SshOptions, ssh } from "../ssh.ts";
export type { Tail } from "./command-backend.ts";
export type { CommandEntry } from "./places.ts";
export type { ProgramResult } from "./programs/one-shot.ts";

export interface CommandOptions {
  /** How many workers: with one argument list a number of them, default the machine's parallelism; with several at most so many, default all. */
  readonly size?: number;
  /** Labels that its workers serve beside `command` and those of their entry. */
  readonly series?: string | readonly string[];
  /** Given to each worker in the hello. */
  readonly data?: unknown;
  /** Tasks at once in one worker, where it can; default 1. */
  readonly concurrency?: number;
  /** How long a worker may take to be ready, default 30,000 ms. */
  readonly startTimeoutMs?: number;
  /** Replaces a worker after so many tasks; default never. */
  readonly maxTasks?: number;
  /** Environment variables beside this process's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Where a worker's messages come from: its standard output, the default, or descriptor 3. */
  readonly channel?: "stdout" | "fd3";
  /** Sent to each worker in order before its first task. */
  readonly prepare?: readonly unknown[];
  /** Told what a worker printed after it was told to end. */
  readonly onTail?: (tail: Tail) => void;
  /** A file that remembers which words of the argument lists, hosts above all, did well. */
  readonly pastPerformance?: string;
  /** How often a silent worker is asked whether it lives, default 5,000 ms; 0 for never. */
  readonly heartbeatMs?: number;
  /**
   * How messages go: `"json"`, as lines, so that values are those of JSON; `"msgpack"`, as frames, which bring bytes, dates, `NaN` and
   * BigInts too, and need the package `@msgpack/msgpack`. Default: frames where that is installed and the worker can, else lines.
   */
  readonly format?: "json" | "msgpack";
  /**
   * `"stdio"`, the default; or `"none"`: a program a task, which knows nothing of this library. Where its arguments have a `{}`, the
   * input is filled in there; otherwise it is what the program reads. The value is a `ProgramResult`; any exit code but 0 is a failure,
   * with `code`, `exitCode`, `signal`, `stdout` and `stderr`. Of the other options only `size`, `series`, `env` and `cwd` go with it.
   */
  readonly protocol?: "stdio" | "none";
  /** With `protocol: "none"`: exit codes that are no failure, default `[0]`. */
  readonly exitCodes?: readonly number[];
  /** With `protocol: "none"`: what a program writes on standard output as `"text"`, the default, or as `"bytes"`. */
  readonly output?: "text" | "bytes";
  /** With `protocol: "none"`: a program that writes more on standard output or error fails; default 64 MiB. */
  readonly maxOutputBytes?: number;
}

/**
 * Workers that are programs: started from argument lists, without a shell, and spoken to by lines of JSON.
 *
 * @param argv one argument list, or a list of argument lists or entries: a worker each
 * @throws ConfigError for a wrong option
 */
export function command(argv: Command, options?: CommandOptions): Backend {
  const given = readOptions("command()", options, {
    size: moduleRules.size,
    series: moduleRules.series,
    data: moduleRules.data,
    concurrency: moduleRules.concurrency,
    startTimeoutMs: moduleRules.startTimeoutMs,
    maxTasks: moduleRules.maxTasks,
    env: environment,
    cwd: text,
    channel: oneOf("stdout", "fd3"),
    prepare: list,
    onTail: func as Rule<(tail: Tail) => void>,
    pastPerformance: text,
    heartbeatMs: milliseconds,
    format: oneOf("json", "msgpack"),
    protocol: oneOf("stdio", "none"),
    exitCodes,
    output: oneOf("text", "bytes"),
    maxOutputBytes: positiveWholeNumber,
  });
  refuseForProtocol(given.protocol ?? "stdio", given);
  if (given.format === "msgpack" && loadMsgpack() === undefined)
    throw new ConfigError('Cannot use format "msgpack" of command(): the package @msgpack/msgpack is not installed');
  const shared = { env: { ...process.env, ...given.env }, cwd: given.cwd };
  const places = placesOf(argv, shared);
  const own = ["command", ...(places.every(({ host }) => host === hostname()) ? ["local"] : [])];
  const isOne = places.length === 1 && isArgv(argv);
  const plan = planOf({ ...given, maxRssMb: undefined }, own, isOne ? availableParallelism() : places.length);
  const size = isOne ? plan.size : { ...plan.size, max: Math.min(plan.size.max, places.length) };
  const bounded = { ...plan, size: { ...size, min: Math.min(size.min, size.max) } };
  if (given.protocol === "none") return oneShotPrograms(bounded, places, shared.env, given);
  return new CommandBackend(bounded, places, {
    channel: given.channel ?? "stdout",
    data: given.data,
    prepare: given.prepare ?? [],
    onTail: given.onTail,
    pastPerformance: given.pastPerformance,
    heartbeatMs: given.heartbeatMs ?? HEARTBEAT_MS,
    format: given.format,
  });
}

const HEARTBEAT_MS = 5_000;

/** Options that mean nothing to programs of one protocol. */
const ONLY: Readonly<Record<"stdio" | "none", readonly string[]>> = {
  stdio: [
    "data",
    "concurrency",
    "startTimeoutMs",
    "maxTasks",
    "channel",
    "prepare",
    "onTail",
    "pastPerformance",
    "heartbeatMs",
    "format",
  ],
  none: ["exitCodes", "output", "maxOutputBytes"],
};

function refuseForProtocol(protocol: "stdio" | "none", given: Readonly<Record<string, unknown>>): void {
  const wrong = ONLY[protocol === "none" ? "stdio" : "none"].find((name) => given[name] !== undefined);
  if (wrong !== undefined) {
    throw new ConfigError(`Cannot use option "${wrong}" of command() with protocol "${protocol}"`);
  }
}

const exitCodes: Rule<readonly number[]> = (value, refuse) =>
  Array.isArray(value) && value.every((code) => Number.isInteger(code) && code >= 0 && code <= 255)
    ? (value as number[])
    : refuse("a list of exit codes");

const list: Rule<readonly unknown[]> = (value, refuse) =>
  Array.isArray(value) ? (value as unknown[]) : refuse("a list");
