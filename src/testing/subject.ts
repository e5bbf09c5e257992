// What the conformance suite is told about the backend it is run on.

import type { Backend } from "../backends/backend.ts";

/** A backend under test: how to open it, and what it can do. */
export interface Subject {
  /** Stands in the names of the tests. */
  readonly name: string;
  /** Opens the backend over a task module. Called once for each pool of the suite. */
  open(module: URL, options: SubjectOptions): Backend;
  /**
   * A module that exports this subject as `subject`. Tests that need a process of their own (does it end by itself,
   * what happens when it is killed) start a small program that imports it.
   */
  readonly module: URL;
  /** What the backend can do. The suite branches on these alone. */
  readonly traits: SubjectTraits;
}

/** What a test asks of a backend. A backend that has no such option never gets it: its trait says so. */
export interface SubjectOptions {
  /** How many workers. Default: 1 */
  readonly size?: number | { readonly min: number; readonly max: number; readonly idleMs: number };
  /** Series that every worker of the backend is qualified for, beside those it always has. */
  readonly series?: readonly string[];
  /** Handed to `setup`. */
  readonly data?: unknown;
  /** Tasks at once in one worker. Default: 1 */
  readonly concurrency?: number;
  /** How long a worker may take to load its module, in milliseconds. */
  readonly startTimeoutMs?: number;
  /** Only with the trait `recycles`: a worker is replaced after so many tasks. */
  readonly maxTasks?: number;
  /** Only with the trait `limitsMemory`. */
  readonly resourceLimits?: { readonly maxOldGenerationSizeMb: number };
}

/** What a backend can do. All workers must see the temporary directory of this machine. */
export interface SubjectTraits {
  /** Tasks run outside this thread: a busy loop or an error nobody awaits stays there. */
  readonly isolates: boolean;
  /** Can end work that does not yield, such as a busy loop. */
  readonly canKill: boolean;
  /** A worker can die while this process lives on. */
  readonly losesWorkers: boolean;
  /** Each worker is a process of this machine of its own, with its pid in `workers()`. */
  readonly ownProcess: boolean;
  /** Values keep what a structured clone keeps: Map, Set, Date, BigInt, typed arrays, cycles. */
  readonly clonesStructurally: boolean;
  /** Where not: names of the suite's specimens that it keeps beside those of JSON. Default: none */
  readonly keeps?: readonly string[];
  /** SharedArrayBuffer and MessagePort cross to the worker. */
  readonly sharesMemory: boolean;
  /** `transfer` moves memory instead of copying it. */
  readonly transfers: boolean;
  /** Starts and stops workers itself: has a size, can be resized. */
  readonly startsWorkers: boolean;
  /** Workers run JavaScript: the modules that tests write, its own classes of errors, its promises. Default: true */
  readonly runsJavaScript?: boolean;
  /** The tasks of the suite that its workers have; a test that needs another one is skipped, and says so. Default: all */
  readonly tasks?: readonly string[];
  /** A worker runs several tasks at once where it is asked to. Default: true */
  readonly takesSeveral?: boolean;
  /** Fast enough for tens of thousands of tasks in a test. Default: true */
  readonly isFast?: boolean;
  /** What a task prints arrives as `output` events. */
  readonly capturesOutput: boolean;
  /** `resourceLimits.maxOldGenerationSizeMb` bounds a worker's heap. */
  readonly limitsMemory: boolean;
  /** Its sockets keep the process alive until the pool is closed, as libzmq's do. Default: false */
  readonly keepsAlive?: boolean;
  /** `maxTasks` replaces a worker. */
  readonly recycles: boolean;
}
