// What a slot of the scheduler stands for: a task, an item or a chunk of a map, a stream, one worker's part of a broadcast.

import type { SettleReason } from "../core/command.ts";
import { TaskCancelledError } from "../protocol/errors.ts";
import type { TaskExtras, TaskId, WorkerEvent } from "../protocol/messages.ts";
import type { WorkerView } from "./worker-view.ts";

/** How an attempt went, as far as it is known. */
export interface RunFacts {
  readonly worker: WorkerView | undefined;
  readonly attempt: number;
  readonly queuedMs: number;
  readonly runMs: number;
}

/** Why a unit ends without a value of its own making. */
export interface Ending {
  readonly reason: SettleReason;
  readonly error: unknown;
}

export interface Unit {
  readonly id: TaskId;
  readonly name: string;
  readonly input: unknown;
  /** Its place in the scheduler; -1 once it is settled. */
  slot: number;
  /** Belongs to one worker: a broadcast. */
  readonly isBound?: boolean;
  /** Several inputs of a map that travel together. */
  readonly isChunk?: boolean;
  /** What the caller called it. */
  readonly label?: string | undefined;
  /** What has to move instead of being copied. */
  readonly transferList: readonly object[] | undefined;
  /** What the worker must know beyond the usual; 0 for nothing. */
  extras(attempt: number, priority: number): TaskExtras | 0;
  /** It is about to be sent. */
  beforeSend?(): void;
  completed(value: unknown, facts: RunFacts): void;
  /** It failed for good. */
  failed(error: unknown, facts: RunFacts, ending: Ending | undefined): void;
  /** Settles it from the caller's side: takes it out of the engine and rejects with the error. */
  end(error: unknown): void;
  /** An event on the way that only some units know. */
  event?(event: WorkerEvent, worker: WorkerView): void;
  /** The scheduler took it up again after it had been sent. */
  retried?(): void;
  /** The items of a chunk from this index on were taken back. */
  itemsBack?(from: number): void;
  /** The limit that it did not keep, in milliseconds. */
  timeMs?(reason: "timeout" | "deadline"): number;
  /** Its input cannot be copied. True where the unit deals with that itself. */
  unsendable?(error: unknown): boolean;
}

/** The error of a unit that was cancelled with a reason. */
export function cancelledError(
  unit: { readonly id: TaskId; readonly name: string },
  reason: unknown,
): TaskCancelledError {
  return new TaskCancelledError(
    `Cannot finish task "${unit.name}" (id ${String(unit.id)}): it was cancelled`,
    { taskId: unit.id },
    { cause: reason },
  );
}

/** Extras of a unit that has nothing special. */
export function usualExtras(attempt: number, priority: number, isTimed: boolean): TaskExtras | 0 {
  if (attempt === 1 && priority === 0 && !isTimed) return 0;
  return {
    ...(attempt === 1 ? {} : { attempt }),
    ...(priority === 0 ? {} : { priority }),
    ...(isTimed ? { isTimed: true } : {}),
  };
}
