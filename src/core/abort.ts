// Ends of tasks that a worker has: it is told, and killed where it does not listen.
import { ABORT_ALARM, type CoreState } from "./core-state.ts";
import { orderBack, recall } from "./dispatch.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** The worker is at the task and nobody waits for it: it may stop by itself for a while, then it is killed. */
export function abort(core: CoreState, slot: number, now: number): void {
  const { table, workers } = core;
  const worker = workers[table.worker[slot]!]!;
  core.taskAlarms.remove(slot);
  worker.orphan(slot);
  tellToStop(core, worker, table.ticket[slot]!, now);
  // It may be killed: what waits at it goes elsewhere.
  recall(core, worker, worker.ahead);
}

/** The task of that ticket is to stop. */
export function tellToStop(core: CoreState, worker: WorkerRecord, ticket: number, now: number): void {
  worker.abort(ticket);
  core.commands.push({ type: "abort", worker: worker.key, ticket });
  if (core.hasAlarm(worker, ABORT_ALARM)) return;
  core.setAlarm(worker, ABORT_ALARM, now + core.options.abortGraceMs);
}

/** Nobody waits for a task that was sent ahead: its worker gives it back, or is told once it has begun it. */
export function recallOrphan(core: CoreState, slot: number): void {
  const { table } = core;
  const worker = core.workers[table.worker[slot]!]!;
  worker.orphan(slot);
  orderBack(core, worker, [table.ticket[slot]!]);
}
