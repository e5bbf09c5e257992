import type { TaskId } from "../protocol/messages.ts";
import type { WorkerInfo } from "./worker-view.ts";

export type Outcome = "completed" | "failed" | "cancelled";

/** What a pool tells as it happens, to whoever listens with `pool.on(name, listener)`. */
export interface PoolEvents {
  /** A worker is ready for tasks. */
  readonly workerUp: { readonly worker: WorkerInfo };
  /** A worker is gone; `error` says why, where it was not `expected`. */
  readonly workerDown: {
    readonly workerId: string;
    readonly backend: string;
    readonly expected: boolean;
    readonly error?: unknown;
  };
  /** A worker has begun a task. */
  readonly taskStarted: {
    readonly id: TaskId;
    readonly name: string;
    readonly attempt: number;
    readonly workerId: string;
  };
  /** An attempt failed, or was lost with its worker, and there will be another after `delayMs`. */
  readonly taskRetried: {
    readonly id: TaskId;
    readonly name: string;
    readonly attempt: number;
    readonly error: unknown;
    readonly delayMs: number;
  };
  /** A task has its outcome. `runMs` is measured in the worker; 0 where it never ran to an end. */
  readonly taskSettled: {
    readonly id: TaskId;
    readonly name: string;
    readonly outcome: Outcome;
    readonly error?: unknown;
    readonly attempt: number;
    readonly workerId?: string;
    readonly queuedMs: number;
    readonly runMs: number;
  };
  /** A task reported progress with `ctx.progress`. */
  readonly progress: {
    readonly id: TaskId;
    readonly name: string;
    readonly value: unknown;
    readonly workerId: string;
  };
  /** A task, or its module, wrote on stdout or stderr. Without a listener the text is passed on to this process's own. */
  readonly output: {
    readonly workerId: string;
    readonly taskId?: TaskId;
    readonly stream: "stdout" | "stderr";
    readonly text: string;
  };
  /** A task called `ctx.log`. Without a listener the line is written on stderr. */
  readonly log: { readonly workerId: string; readonly taskId: TaskId; readonly args: readonly unknown[] };
  /** An error that nobody awaits, of a task that had ended or of the module. Without a listener it is a process warning. */
  readonly stray: { readonly workerId: string; readonly taskId?: TaskId; readonly error: unknown };
  /** A backend was given up: its workers keep dying before they do anything. */
  readonly backendFailed: { readonly backend: string; readonly error: unknown };
  /** The pool is closed and nothing of it is left. */
  readonly closed: Readonly<Record<string, never>>;
}

/** Every event, so that a misspelt one is found. */
export const EVENT_NAMES: Readonly<Record<keyof PoolEvents, true>> = {
  workerUp: true,
  workerDown: true,
  taskStarted: true,
  taskRetried: true,
  taskSettled: true,
  progress: true,
  output: true,
  log: true,
  stray: true,
  backendFailed: true,
  closed: true,
};
