// The options that all backends with a task module have in common, and where the module is.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ConfigError } from "../protocol/errors.ts";
import {
  anything,
  milliseconds,
  positiveNumber,
  positiveWholeNumber,
  type Read,
  type Rule,
  type Rules,
  readOptions,
  seriesNames,
  show,
  wholeNumber,
} from "../protocol/options.ts";
import type { Plan, Size } from "./backend.ts";

/** What every backend takes. */
export interface ModuleOptions {
  /** How many workers: a number, default the machine's available parallelism, or bounds between which to follow demand. */
  readonly size?: number | { readonly min?: number; readonly max?: number; readonly idleMs?: number };
  /** Labels that its workers serve beside the backend's own. */
  readonly series?: string | readonly string[];
  /** Handed to the module's `setup` in each worker. */
  readonly data?: unknown;
  /** Tasks at once in one worker, default 1. */
  readonly concurrency?: number;
  /** How long a worker may take to load the module and set up, default 30,000 ms. */
  readonly startTimeoutMs?: number;
  /** Replaces a worker after so many tasks; default never. */
  readonly maxTasks?: number;
  /** Replaces a worker that uses more than so many MiB (the heap of a thread, the resident set of a process); default never. */
  readonly maxRssMb?: number;
}

const IDLE_MS = 10_000;
const START_TIMEOUT_MS = 30_000;

const size: Rule<Size> = (value, refuse) => {
  if (typeof value === "number") {
    if (!Number.isInteger(value) || value < 0) return refuse("a whole number, 0 or more");
    return { min: value, max: value, idleMs: IDLE_MS };
  }
  if (typeof value !== "object" || value === null) return refuse("a whole number or { min, max, idleMs }");
  const bounds = readOptions("size", value, { min: wholeNumber, max: wholeNumber, idleMs: milliseconds });
  const max = bounds.max ?? Math.max(bounds.min ?? 0, availableParallelism());
  const min = bounds.min ?? 0;
  if (min > max) throw new ConfigError(`Cannot use option "size": min ${min} is above max ${max}`);
  return { min, max, idleMs: bounds.idleMs ?? IDLE_MS };
};

/** How the common options are read. */
export interface ModuleRules extends Rules {
  readonly size: Rule<Size>;
  readonly series: Rule<readonly string[]>;
  readonly data: Rule<unknown>;
  readonly concurrency: Rule<number>;
  readonly startTimeoutMs: Rule<number>;
  readonly maxTasks: Rule<number>;
  readonly maxRssMb: Rule<number>;
}

export const moduleRules: ModuleRules = {
  size,
  series: seriesNames,
  data: anything,
  concurrency: positiveWholeNumber,
  startTimeoutMs: milliseconds,
  maxTasks: positiveWholeNumber,
  maxRssMb: positiveNumber,
};

type Given = Pick<Read<ModuleRules>, "size" | "series" | "concurrency" | "startTimeoutMs" | "maxTasks" | "maxRssMb">;

/** @param own the series that every worker of the backend serves */
export function planOf(given: Given, own: readonly string[], defaultSize: number): Plan {
  return {
    size: given.size ?? { min: defaultSize, max: defaultSize, idleMs: IDLE_MS },
    concurrency: given.concurrency ?? 1,
    series: [...own, ...(given.series ?? [])],
    startTimeoutMs: given.startTimeoutMs ?? START_TIMEOUT_MS,
    maxTasks: given.maxTasks ?? 0,
    maxRssMb: given.maxRssMb ?? 0,
  };
}

/** The address of a task module. A path is taken from the working directory. */
export function moduleUrl(what: string, module: unknown): string {
  if (module instanceof URL) return module.href;
  if (typeof module !== "string" || module === "") {
    throw new ConfigError(`Cannot use the module of ${what}: expected a path or a URL, got ${show(module)}`);
  }
  // One letter before the colon is a drive.
  return /^[a-z][a-z0-9+.-]+:/i.test(module) ? module : pathToFileURL(resolve(module)).href;
}

/** How a message names the module: a file by its path. */
export function shownModule(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url.length > 80 ? `${url.slice(0, 80)}…` : url;
}

/** This file's neighbour, in the form in which this file runs: sources as sources, built files as built files. */
export function neighbour(name: string, importer: string): URL {
  return new URL(`./${name}${importer.endsWith(".ts") ? ".ts" : ".js"}`, importer);
}
