/**
 * Runs functions, and programs, over many inputs on many hands: in this thread, on worker threads, on child processes.
 *
 *     // tasks.js
 *     export function square(n) {
 *       return n * n;
 *     }
 *
 *     // main.js
 *     import { Pool } from "manyhands";
 *     import { threads } from "manyhands/threads";
 *
 *     const pool = new Pool(threads(new URL("./tasks.js", import.meta.url)));
 *     console.log(await pool.map("square", [1, 2, 3])); // [1, 4, 9]
 *     await pool.close();
 *
 * @module
 */
export type {
  Backend,
  BackendHost,
  Plan,
  Size,
  Traits,
  WorkerFacts,
  WorkerLoss,
} from "./backends/backend.ts";
export type { BroadcastResult } from "./pool/broadcast.ts";
export type { DetachedTask } from "./pool/detach.ts";
export type { PoolEvents } from "./pool/events.ts";
export type { Outcome } from "./pool/map-results.ts";
export type { MapProgress, Settled } from "./pool/map-settings.ts";
export type { Inputs } from "./pool/map-source.ts";
export { Pool, type PoolSnapshot, type PoolState } from "./pool/pool.ts";
export type {
  BroadcastOptions,
  DetachOptions,
  ImapOptions,
  MapOptions,
  PoolOptions,
  RunAllOptions,
  RunOptions,
  StreamOptions,
  WaitOptions,
} from "./pool/pool-options.ts";
export { Task, type TaskState } from "./pool/task.ts";
export type { AnyTasks, TaskInput, TaskItem, TaskName, TaskOutput } from "./pool/task-types.ts";
export type { WorkerInfo, WorkerState } from "./pool/worker-view.ts";
export {
  BackendUnavailableError,
  ConfigError,
  type ErrorCode,
  type LossDetails,
  NoSuchTaskError,
  NotSerializableError,
  PoolClosedError,
  PoolError,
  ProtocolError,
  QueueFullError,
  ReceiveTimeoutError,
  TaskCancelledError,
  TaskTimeoutError,
  UnknownTaskError,
  WorkerLostError,
} from "./protocol/errors.ts";
export type { TaskId } from "./protocol/messages.ts";
