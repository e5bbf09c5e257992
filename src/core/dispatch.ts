// Which waiting task goes to which worker, and how many are sent ahead of those that run.
import { type CoreState, RECALL_ALARM } from "./core-state.ts";
import { ALONE, ONCE } from "./task-table.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** A worker that says nothing for so long, with tasks waiting at it, has a long one: what waits is taken back. */
export const RECALL_AFTER_MS = 5;
/** Only when it has said nothing after this either. */
export const SECOND_LOOK_MS = 1;
/** Less waiting work than this is not worth taking from one worker for another. */
const STEAL_MS = 1;

/** Sends what can be sent. Within the call the tasks leave in the order of the queue. */
export function dispatch(core: CoreState, now: number): void {
  sendPinned(core, now);
  if (!core.isPaused && core.queues.size > 0) {
    fillHands(core, now);
    if (core.queues.size > 0) fillAhead(core, now);
  }
  flush(core, now);
  // After the sending: what is taken back must have left.
  if (!core.isPaused && core.queues.size === 0) steal(core, now);
}

function sendPinned(core: CoreState, now: number): void {
  for (const worker of core.workers) {
    if (worker === undefined || worker.pinned.length === 0 || worker.isKilled || worker.isDraining) continue;
    // A worker that is to stop still does what is bound to it.
    if ((worker.phase !== "up" && worker.phase !== "stopping") || worker.busyUntil > now) continue;
    if (!worker.isEmpty || worker.isExclusive) continue;
    assign(core, worker, worker.pinned.shift()!, now);
    worker.isExclusive = true;
  }
}

/** Gives each free hand a task: one round after another, so that all workers begin before one has two. */
function fillHands(core: CoreState, now: number): void {
  const ready: WorkerRecord[] = [];
  for (const worker of core.workers) {
    if (worker !== undefined && worker.count < worker.capacity && worker.accepts(now)) ready.push(worker);
  }
  // Who can do the least chooses first, then who has the least to do; among equals the one that answered last, which is still warm.
  if (ready.length > 1)
    ready.sort((a, b) => a.serves.size - b.serves.size || a.count - b.count || b.lastAnswerAt - a.lastAnswerAt);
  while (ready.length > 0) {
    let kept = 0;
    for (const worker of ready) {
      const slot = core.queues.best(worker.serves);
      if (slot < 0) continue;
      const goesAlone = (core.table.flags[slot]! & ALONE) !== 0;
      if (goesAlone && !worker.isEmpty) continue;
      core.queues.remove(slot);
      assign(core, worker, slot, now);
      if (goesAlone) worker.isExclusive = true;
      else if (worker.count < worker.capacity && worker.accepts(now)) ready[kept++] = worker;
    }
    ready.length = kept;
  }
}

/**
 * Sends ahead as much as each worker gets through in a short while, and no more than its share of all that waits. A worker that has
 * more than half of that is left alone: what comes meanwhile is gathered, so that messages stay large.
 */
function fillAhead(core: CoreState, now: number): void {
  const able: WorkerRecord[] = [];
  let waiting = core.queues.size;
  for (const worker of core.workers) {
    if (worker === undefined || worker.count < worker.capacity || !worker.accepts(now)) continue;
    if (!worker.takesAhead || worker.isStuck || worker.isRecalling) continue;
    able.push(worker);
    waiting += worker.ahead;
  }
  if (able.length === 0) return;
  const share = Math.ceil(waiting / able.length);
  for (const worker of able) {
    const most = Math.min(targetAhead(worker), share);
    if (worker.ahead > 0 && worker.ahead * 2 > most) continue;
    while (worker.ahead < most && worker.accepts(now)) {
      const slot = core.queues.best(worker.serves);
      if (slot < 0 || (core.table.flags[slot]! & (ALONE | ONCE)) !== 0) break;
      const { isChunk } = core.table.profile[slot]!;
      if (isChunk && worker.ahead > 0) break;
      core.queues.remove(slot);
      assign(core, worker, slot, now);
      if (isChunk) break;
    }
  }
}

function targetAhead(worker: WorkerRecord): number {
  return worker.pace.ahead(worker.backend.spec.recalls);
}

/** Takes back from a worker with much waiting at it where another one has nothing to do. */
function steal(core: CoreState, now: number): void {
  let idle: WorkerRecord | undefined;
  for (const worker of core.workers)
    if (worker !== undefined && worker.count === 0 && worker.accepts(now)) idle = worker;
  if (idle === undefined) return;
  for (const worker of core.workers) {
    if (
      worker === undefined ||
      worker.ahead === 0 ||
      !worker.backend.spec.recalls ||
      worker.isRecalling ||
      worker.wasAsked
    )
      continue;
    if (worker.ahead * worker.pace.typicalMs < STEAL_MS && now - worker.lastAnswerAt < STEAL_MS) continue;
    worker.wasAsked = true;
    recall(core, worker, Math.ceil(worker.ahead / 2));
  }
}

/** Orders the newest `most` tasks that wait at the worker back. */
export function recall(core: CoreState, worker: WorkerRecord, most: number): void {
  orderBack(core, worker, worker.aheadTickets(most));
}

/** Orders what was sent ahead by these tickets back. */
export function orderBack(core: CoreState, worker: WorkerRecord, tickets: readonly number[]): void {
  if (tickets.length === 0) return;
  worker.isRecalling = true;
  core.commands.push({ type: "recall", worker: worker.key, tickets });
}

function assign(core: CoreState, worker: WorkerRecord, slot: number, now: number): void {
  if (worker.count === 0) worker.lastAnswerAt = now;
  const ticket = worker.issue(slot);
  const attempts = core.table.attempts;
  attempts[slot] = attempts[slot]! + 1;
  worker.outSlots.push(slot);
  worker.outTickets.push(ticket);
  startDue(core, worker, now);
}

/** Marks as running what the worker has begun by now. */
export function startDue(core: CoreState, worker: WorkerRecord, now: number): void {
  for (;;) {
    const slot = worker.startNext(now);
    if (slot < 0) return;
    const { timeoutMs } = core.table.profile[slot]!;
    if (timeoutMs > 0) core.taskAlarms.set(slot, now + timeoutMs);
    core.onStarted?.(slot, worker.key);
  }
}

function flush(core: CoreState, now: number): void {
  for (const worker of core.workers) {
    if (worker === undefined || worker.outSlots.length === 0) continue;
    core.commands.push({
      type: "send",
      worker: worker.key,
      slots: worker.outSlots.splice(0),
      tickets: worker.outTickets.splice(0),
    });
    if (worker.ahead > 0 && worker.backend.spec.recalls && !core.hasAlarm(worker, RECALL_ALARM)) {
      core.setAlarm(worker, RECALL_ALARM, now + RECALL_AFTER_MS);
    }
  }
}
