// What the parts of the core share: the tables, the alarms, the commands that wait to be carried out.
import type { BackendRecord } from "./backend-record.ts";
import type { Command } from "./command.ts";
import { IndexedHeap } from "./indexed-heap.ts";
import { SeriesQueues } from "./series-queues.ts";
import { TaskTable } from "./task-table.ts";
import type { WorkerRecord } from "./worker-record.ts";

export interface CoreOptions {
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  /** A queued task gains one priority for each so many milliseconds; 0 for never. */
  readonly agingMs: number;
  /** How many workers one task may kill. */
  readonly poisonLimit: number;
  /** How long an aborted task may go on before its worker is killed. */
  readonly abortGraceMs: number;
  /** How long a worker may take to tear down. */
  readonly graceMs: number;
}

/** Why a worker is looked at again at some instant. */
export const START_ALARM = 0;
export const ABORT_ALARM = 1;
export const RECALL_ALARM = 2;
export const IDLE_ALARM = 3;
export const STOP_ALARM = 4;
export const BUSY_ALARM = 5;
export const KILL_ALARM = 6;
const ALARM_KINDS = 8;

/** How long a killed worker may take to be gone. */
const KILL_MS = 10_000;

export class CoreState {
  readonly options: CoreOptions;
  readonly table: TaskTable = new TaskTable();
  readonly queues: SeriesQueues = new SeriesQueues(this.table);
  /** By index; a hole where a worker is gone. */
  readonly workers: (WorkerRecord | undefined)[] = [];
  readonly backends: BackendRecord[] = [];
  /** When a running task times out, or a delayed one falls due; by slot. */
  readonly taskAlarms: IndexedHeap = new IndexedHeap();
  /** When a task's whole time is up; by slot. */
  readonly deadlines: IndexedHeap = new IndexedHeap();
  /** When a backend may try to start a worker again; by backend. */
  readonly startAlarms: IndexedHeap = new IndexedHeap();
  commands: Command[] = [];
  isPaused = false;
  isClosing = false;
  /** Until when a closing pool waits for hosts that may come; infinity where it does not, or not any more. */
  guestsUntil: number = Number.POSITIVE_INFINITY;
  /** Told of each task that begins, at once: a command would come after the answer of a short one. */
  onStarted: ((slot: number, worker: number) => void) | undefined;
  readonly #workerAlarms: IndexedHeap = new IndexedHeap();

  constructor(options: CoreOptions) {
    this.options = options;
  }

  setAlarm(worker: WorkerRecord, kind: number, at: number): void {
    this.#workerAlarms.set(worker.index * ALARM_KINDS + kind, at);
  }

  hasAlarm(worker: WorkerRecord, kind: number): boolean {
    return this.#workerAlarms.has(worker.index * ALARM_KINDS + kind);
  }

  clearAlarm(worker: WorkerRecord, kind: number): void {
    this.#workerAlarms.remove(worker.index * ALARM_KINDS + kind);
  }

  clearAlarms(worker: WorkerRecord): void {
    for (let kind = 0; kind < ALARM_KINDS; kind++) this.clearAlarm(worker, kind);
  }

  /** Takes out one worker alarm that is due by `now`. */
  takeAlarm(now: number): { readonly worker: WorkerRecord; readonly kind: number } | undefined {
    if (this.#workerAlarms.peekKey() > now) return undefined;
    const id = this.#workerAlarms.pop();
    return { worker: this.workers[Math.floor(id / ALARM_KINDS)]!, kind: id % ALARM_KINDS };
  }

  /** Orders the worker's end. One that does not end in time is given up. */
  kill(worker: WorkerRecord, now: number): void {
    if (this.hasAlarm(worker, KILL_ALARM)) return;
    worker.isKilled = true;
    this.commands.push({ type: "kill", worker: worker.key });
    this.setAlarm(worker, KILL_ALARM, now + KILL_MS);
  }

  nextWakeup(): number {
    return Math.min(
      this.taskAlarms.peekKey(),
      this.deadlines.peekKey(),
      this.startAlarms.peekKey(),
      this.#workerAlarms.peekKey(),
      this.guestsUntil,
    );
  }
}
