// What workers print, log and leave behind: to the listeners, or where it would have gone without a pool.
import { format } from "node:util";
import { fromErrorRecord } from "../protocol/error-record.ts";
import { LOG, OUTPUT, type STRAY, type TaskId, type WorkerEvent } from "../protocol/messages.ts";
import type { Emitter } from "./emitter.ts";
import type { PoolEvents } from "./events.ts";
import type { WorkerView } from "./worker-view.ts";

type Printed = WorkerEvent & { readonly 0: typeof LOG | typeof OUTPUT | typeof STRAY };

export function passOn(events: Emitter<PoolEvents>, worker: WorkerView, event: Printed): void {
  if (event[0] === OUTPUT) passOnOutput(events, worker, event[1], event[2], event[3]);
  else if (event[0] === LOG) {
    if (events.has("log")) events.emit("log", { workerId: worker.id, taskId: event[1], args: event[2] });
    else process.stderr.write(`${worker.id} task ${String(event[1])}: ${format(...event[2])}\n`);
  } else {
    tellStray(events, worker, event[1], fromErrorRecord(event[2]));
  }
}

/** An error that nobody awaits. */
export function tellStray(
  events: Emitter<PoolEvents>,
  worker: WorkerView,
  taskId: TaskId | null,
  error: unknown,
): void {
  if (events.has("stray")) events.emit("stray", { workerId: worker.id, ...(taskId === null ? {} : { taskId }), error });
  else warn(worker, taskId, error);
}

function passOnOutput(
  events: Emitter<PoolEvents>,
  worker: WorkerView,
  taskId: TaskId | null,
  stream: 1 | 2,
  text: string,
): void {
  if (stream === 2) worker.wroteError(text);
  if (events.has("output")) {
    const name = stream === 1 ? "stdout" : "stderr";
    events.emit("output", { workerId: worker.id, ...(taskId === null ? {} : { taskId }), stream: name, text });
  } else (stream === 1 ? process.stdout : process.stderr).write(text);
}

function warn(worker: WorkerView, taskId: TaskId | null, error: unknown): void {
  const whose = taskId === null ? "outside of any task" : `of task ${String(taskId)}, which had ended,`;
  const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`An error ${whose} was not handled in worker ${worker.id}: ${shown}`, "ManyhandsStrayError");
}
