// What is due by the clock: times that are up, delays that are over, workers that were given long enough.
import { abort, recallOrphan } from "./abort.ts";
import { ABORT_ALARM, BUSY_ALARM, type CoreState, IDLE_ALARM, KILL_ALARM, RECALL_ALARM } from "./core-state.ts";
import { RECALL_AFTER_MS, recall, SECOND_LOOK_MS } from "./dispatch.ts";
import type { Fleet } from "./fleet.ts";
import { AHEAD, DELAYED, PINNED, QUEUED, RUNNING, STALLED } from "./task-table.ts";
import type { Tasks } from "./tasks.ts";
import type { WorkerRecord } from "./worker-record.ts";

export class Due {
  readonly #core: CoreState;
  readonly #fleet: Fleet;
  readonly #tasks: Tasks;

  constructor(core: CoreState, fleet: Fleet, tasks: Tasks) {
    this.#core = core;
    this.#fleet = fleet;
    this.#tasks = tasks;
  }

  /** Does what is due. */
  ring(now: number): void {
    const { taskAlarms, deadlines, startAlarms, table } = this.#core;
    while (startAlarms.peekKey() <= now) startAlarms.pop();
    while (deadlines.peekKey() <= now) this.#expire(deadlines.pop(), "deadline", now);
    while (taskAlarms.peekKey() <= now) {
      const slot = taskAlarms.pop();
      if (table.state[slot] === DELAYED) this.#tasks.enqueue(slot);
      else this.#expire(slot, "timeout", now);
    }
    for (let due = this.#core.takeAlarm(now); due !== undefined; due = this.#core.takeAlarm(now)) {
      this.#ringWorker(due.worker, due.kind, now);
    }
  }

  #ringWorker(worker: WorkerRecord, kind: number, now: number): void {
    switch (kind) {
      case RECALL_ALARM:
        this.#takeFromSilent(worker, now);
        return;
      case IDLE_ALARM:
        this.#fleet.retireIfIdle(worker, now);
        return;
      case BUSY_ALARM:
        return;
      case ABORT_ALARM:
        worker.isDoomed = true;
        this.#core.kill(worker, now);
        return;
      case KILL_ALARM:
        this.#core.commands.push({ type: "abandon", worker: worker.key });
        return;
      default:
        // START_ALARM and STOP_ALARM: it took too long.
        this.#core.kill(worker, now);
    }
  }

  /** Tasks wait at a worker that says nothing: it has a long one, and others may do them. */
  #takeFromSilent(worker: WorkerRecord, now: number): void {
    if (worker.ahead === 0) return;
    const silentSince = worker.lastAnswerAt + RECALL_AFTER_MS;
    if (now < silentSince) this.#core.setAlarm(worker, RECALL_ALARM, silentSince);
    else if (!worker.isLate) {
      // Perhaps this process was late itself, and the answer has come and is not read.
      worker.isLate = true;
      this.#core.setAlarm(worker, RECALL_ALARM, now + SECOND_LOOK_MS);
    } else {
      worker.isStuck = true;
      recall(this.#core, worker, worker.ahead);
    }
  }

  /** The time of a task is up: of one attempt, or of the whole. */
  #expire(slot: number, reason: "timeout" | "deadline", now: number): void {
    const { table, queues } = this.#core;
    const state = table.state[slot]!;
    const worker = this.#core.workers[table.worker[slot]!];
    const key = state === RUNNING || state === STALLED ? (worker?.key ?? -1) : -1;
    if (state === RUNNING || state === STALLED) {
      worker!.failed++;
      abort(this.#core, slot, now);
      const retryInMs = reason === "deadline" ? -1 : this.#tasks.charge(slot, now);
      if (retryInMs >= 0) {
        this.#core.commands.push({ type: "retrying", slot, delayMs: retryInMs, reason, cause: undefined });
        return;
      }
      this.#tasks.settle(slot, reason, key, undefined);
      return;
    }
    if (state === AHEAD) {
      recallOrphan(this.#core, slot);
    } else if (state === QUEUED) queues.remove(slot);
    else if (state === PINNED) worker!.pinned.splice(worker!.pinned.indexOf(slot), 1);
    this.#tasks.settle(slot, reason, key, undefined);
  }
}
