// What the core answers must be done.

export type SettleReason = "timeout" | "deadline" | "lost" | "unavailable" | "closed";

export type Command =
  /** Start a worker on the backend. */
  | { readonly type: "start"; readonly backend: number; readonly worker: number }
  /** Let the worker tear down and end; it has nothing left to answer. */
  | { readonly type: "stop"; readonly worker: number }
  | { readonly type: "kill"; readonly worker: number }
  /** The worker was killed and did not end: it counts as gone from now on. */
  | { readonly type: "abandon"; readonly worker: number }
  /** Send these tasks, in this order. */
  | { readonly type: "send"; readonly worker: number; readonly slots: number[]; readonly tickets: number[] }
  /** Take back what of these the worker has not begun; answered by `recalled`. */
  | { readonly type: "recall"; readonly worker: number; readonly tickets: readonly number[] }
  /** Tell the running task that nobody waits for it any more. */
  | { readonly type: "abort"; readonly worker: number; readonly ticket: number }
  /** The task is over without a value; the slot is free when the command is read. */
  | {
      readonly type: "settle";
      readonly slot: number;
      readonly reason: SettleReason;
      readonly worker: number;
      readonly cause: unknown;
    }
  | {
      readonly type: "retrying";
      readonly slot: number;
      readonly delayMs: number;
      readonly reason: SettleReason;
      readonly cause: unknown;
    }
  | { readonly type: "backendFailed"; readonly backend: number; readonly cause: unknown };
