// Why a task ends without a value of its own making, as the error its caller gets.
import type { WorkerLoss } from "../backends/backend.ts";
import type { Command } from "../core/command.ts";
import { fromErrorRecord } from "../protocol/error-record.ts";
import {
  BackendUnavailableError,
  NotSerializableError,
  PoolClosedError,
  TaskTimeoutError,
  UnknownTaskError,
} from "../protocol/errors.ts";
import { type ErrorRecord, NOT_SERIALIZABLE, UNKNOWN_TASK } from "../protocol/messages.ts";
import type { Ledger } from "./ledger.ts";
import type { Unit } from "./unit.ts";
import { WorkerView } from "./worker-view.ts";

/** What the core hands back as the cause of a loss. */
export interface LostCause {
  readonly view: WorkerView;
  readonly loss: WorkerLoss;
}

export function isLostCause(cause: unknown): cause is LostCause {
  return typeof cause === "object" && cause !== null && Reflect.get(cause, "view") instanceof WorkerView;
}

/** The error that a command of the core stands for. */
export function endingError(
  ledger: Ledger,
  unit: Unit,
  command: Command & { readonly type: "settle" | "retrying" },
  attempt: number,
): unknown {
  const what = `task "${unit.name}" (id ${String(unit.id)})`;
  switch (command.reason) {
    case "timeout":
    case "deadline": {
      const timeoutMs = unit.timeMs?.(command.reason) ?? 0;
      const since = command.reason === "timeout" ? "after it began" : "after it was added";
      return new TaskTimeoutError(`Cannot finish ${what}: it was not done ${timeoutMs} ms ${since}`, {
        taskId: unit.id,
        timeoutMs,
      });
    }
    case "lost": {
      const end = command.cause as LostCause | undefined;
      return end?.view.lostError(end.loss, { id: unit.id, name: unit.name, attempt });
    }
    case "unavailable":
      return unavailable(ledger, unit.name, command.cause);
    case "closed":
      return new PoolClosedError(`Cannot run ${what}: the pool was closed`);
    default:
      return command.reason satisfies never;
  }
}

/** The error of a task whose backends were given up. */
export function unavailable(ledger: Ledger, name: string, cause: unknown): BackendUnavailableError {
  const failed = ledger.attached.find((_, index) => ledger.scheduler.backend(index).failure?.cause === cause);
  const what = failed === undefined ? "the backend" : `${failed.id} with ${failed.backend.subject}`;
  const error = isLostCause(cause) ? cause.view.startFailure(cause.loss) : cause;
  return new BackendUnavailableError(`Cannot run task "${name}": ${what} has no worker: ${messageOf(error)}`, {
    cause: error,
  });
}

/** The error of a failed attempt as its caller gets it. */
export function errorOf(name: string, record: ErrorRecord, how: number): unknown {
  const thrown = fromErrorRecord(record);
  if (how === UNKNOWN_TASK) return new UnknownTaskError(messageOf(thrown));
  if (how === NOT_SERIALIZABLE) {
    return new NotSerializableError(`Cannot send the result of task "${name}": ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
  return thrown;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
