// Takes in what the backends tell: answers, events, the end of a worker.
import type { BackendHost, WorkerLoss } from "../backends/backend.ts";
import { fromErrorRecord } from "../protocol/error-record.ts";
import {
  CHUNK_ITEM_FAILED,
  CHUNK_ITEMS,
  DEFERRED,
  type ErrorRecord,
  FAILED,
  HELLO,
  LABEL,
  LOG,
  MEMORY,
  OUTPUT,
  PROGRESS,
  REFUSED,
  START_FAILED,
  STRAY,
  STREAM_ITEM,
  THROWN,
  type WorkerEvent,
  type WorkerReply,
} from "../protocol/messages.ts";
import { countOf, unpack } from "../protocol/packing.ts";
import { errorOf, type LostCause } from "./endings.ts";
import type { Ledger } from "./ledger.ts";
import { passOn } from "./pass-on.ts";
import type { Pulse } from "./pulse.ts";
import type { WorkerView } from "./worker-view.ts";

/** Facts of a run, filled anew for each answer: whoever gets them keeps none. */
interface Facts {
  worker: WorkerView | undefined;
  attempt: number;
  queuedMs: number;
  runMs: number;
}

export class Inbox {
  /** Called when a worker is ready, before its first task. */
  onWorkerUp: ((view: WorkerView) => void) | undefined;
  readonly #ledger: Ledger;
  readonly #pulse: Pulse;
  readonly #facts: Facts = { worker: undefined, attempt: 0, queuedMs: 0, runMs: 0 };

  constructor(ledger: Ledger, pulse: Pulse) {
    this.#ledger = ledger;
    this.#pulse = pulse;
  }

  /** What the backend with that index is given to tell by. */
  host(backend: number): BackendHost {
    const { scheduler } = this.#ledger;
    return {
      reply: (worker, reply) => this.#reply(worker, reply, true),
      seen: (worker, reply) => this.#reply(worker, reply, false),
      recalled: (worker, asked, got) => {
        this.#ledger.scheduler.recalled(performance.now(), worker, asked, got);
        this.#pulse.schedule();
      },
      itemsRecalled: (worker, ticket, from) => {
        const slot = this.#ledger.scheduler.slotOf(worker, ticket);
        if (slot >= 0) this.#ledger.units[slot]?.itemsBack?.(from);
      },
      grew: (by) => {
        scheduler.grew(performance.now(), backend, by);
        this.#pulse.schedule();
      },
      retire: (worker) => {
        scheduler.stopWorker(performance.now(), worker);
        this.#pulse.schedule();
      },
      unavailable: (cause) => {
        scheduler.unavailable(backend, cause);
        this.#pulse.schedule();
      },
      workerDown: (worker, loss) => this.down(worker, loss),
    };
  }

  #reply(key: number, reply: WorkerReply, wasSent: boolean): void {
    const view = this.#ledger.workers.get(key);
    if (view === undefined) return;
    const now = performance.now();
    const tickets = reply[0];
    const micros = reply[1];
    const values = unpack(reply[2]);
    const events = reply[3];
    if (events !== 0) for (const event of events) this.#event(view, event, now);
    const scheduler = this.#ledger.scheduler;
    const facts = this.#facts;
    const isHeard = this.#ledger.events.has("taskSettled");
    for (let at = 0; at < tickets.length; at++) {
      const ticket = tickets[at]!;
      const runMs = micros[at]! / 1_000;
      // Late answers, of attempts that timed out or were cancelled, are told by their ticket and ignored here.
      const slot = scheduler.completed(now, key, ticket, runMs, wasSent);
      if (slot < 0) continue;
      const unit = this.#ledger.units[slot]!;
      this.#ledger.units[slot] = undefined;
      const startedAt = scheduler.startedAt(slot);
      facts.worker = view;
      facts.attempt = scheduler.attemptOf(slot);
      facts.queuedMs = startedAt - scheduler.addedAt(slot);
      facts.runMs = runMs;
      view.done++;
      view.runMs += runMs;
      view.roundTripMs += Math.max(runMs, now - startedAt);
      if (view.label?.ticket === ticket) view.label = undefined;
      if (unit.isChunk === true) view.done--;
      else this.#ledger.done++;
      unit.slot = -1;
      this.#ledger.tellStarted();
      unit.completed(values[at], facts);
      if (isHeard) this.#ledger.tellSettled(unit, "completed", undefined, facts);
    }
    this.#ledger.tellStarted();
    this.#pulse.schedule();
  }

  #event(view: WorkerView, event: WorkerEvent, now: number): void {
    switch (event[0]) {
      case HELLO:
        this.#up(view, event, now);
        break;
      case START_FAILED:
        view.startError = { error: fromErrorRecord(event[1]) };
        break;
      case FAILED:
        this.#failedAttempt(view, event[1], event[2] / 1_000, event[3], event[4], now);
        break;
      case DEFERRED:
      case REFUSED:
        this.#putOff(view, event, now);
        break;
      case PROGRESS:
      case STREAM_ITEM:
      case CHUNK_ITEMS:
      case CHUNK_ITEM_FAILED:
        this.#onTheWay(view, event, now);
        break;
      case LABEL:
        if (this.#ledger.scheduler.slotOf(view.key, event[1]) >= 0) view.label = { ticket: event[1], text: event[2] };
        break;
      case MEMORY:
        view.memoryBytes = event[1];
        this.#recycleIfLarge(view, now);
        break;
      case LOG:
      case OUTPUT:
      case STRAY:
        passOn(this.#ledger.events, view, event);
        break;
      default:
        event satisfies never;
    }
  }

  #up(view: WorkerView, hello: WorkerEvent & { readonly 0: typeof HELLO }, now: number): void {
    const [, , tasks, memoryBytes, abilities] = hello;
    view.isUp = true;
    view.tasks = tasks;
    if (memoryBytes > 0) view.memoryBytes = memoryBytes;
    const capacity = abilities?.capacity ?? view.backend.plan.concurrency;
    const series = (view.facts.series ?? []).map((name) => this.#ledger.seriesNumber(name));
    this.#ledger.scheduler.workerUp(now, view.key, capacity, series, abilities?.takesAhead);
    this.onWorkerUp?.(view);
    if (this.#ledger.events.has("workerUp")) this.#ledger.events.emit("workerUp", { worker: this.#ledger.info(view) });
  }

  #failedAttempt(view: WorkerView, ticket: number, runMs: number, record: ErrorRecord, how: number, now: number): void {
    const slot = this.#ledger.scheduler.slotOf(view.key, ticket);
    const facts = slot < 0 ? undefined : this.#ledger.factsOf(slot, view, runMs);
    const verdict = this.#ledger.scheduler.failed(
      now,
      view.key,
      ticket,
      runMs,
      how === THROWN ? "thrown" : "permanent",
    );
    if (facts === undefined || verdict.slot < 0) return;
    view.failed++;
    view.runMs += runMs;
    view.roundTripMs += Math.max(runMs, now - this.#ledger.scheduler.startedAt(verdict.slot));
    if (view.label?.ticket === ticket) view.label = undefined;
    const unit = this.#ledger.units[verdict.slot]!;
    const error = errorOf(unit.name, record, how);
    if (verdict.retryInMs < 0) {
      this.#ledger.fail(verdict.slot, error, facts, undefined);
      return;
    }
    unit.retried?.();
    const { id, name } = unit;
    this.#ledger.events.emit("taskRetried", { id, name, attempt: facts.attempt, error, delayMs: verdict.retryInMs });
  }

  /** The task asked to run later, or elsewhere. */
  #putOff(view: WorkerView, event: WorkerEvent & { readonly 0: typeof DEFERRED | typeof REFUSED }, now: number): void {
    const ticket = event[1];
    const slot = this.#ledger.scheduler.slotOf(view.key, ticket);
    if (slot < 0) {
      this.#ledger.scheduler.refused(now, view.key, ticket, 0);
      return;
    }
    const unit = this.#ledger.units[slot]!;
    if (view.label?.ticket === ticket) view.label = undefined;
    if (unit.isBound === true) {
      const facts = this.#ledger.factsOf(slot, view, 0);
      this.#ledger.scheduler.failed(now, view.key, ticket, 0, "permanent");
      this.#ledger.fail(slot, new Error(`Cannot put off a broadcast of "${unit.name}"`), facts, undefined);
    } else if (event[0] === DEFERRED) {
      this.#ledger.scheduler.deferred(now, view.key, ticket, event[2] ?? undefined, event[3]);
    } else this.#ledger.scheduler.refused(now, view.key, ticket, event[2]);
  }

  #onTheWay(
    view: WorkerView,
    event: WorkerEvent & {
      readonly 0: typeof PROGRESS | typeof STREAM_ITEM | typeof CHUNK_ITEMS | typeof CHUNK_ITEM_FAILED;
    },
    now: number,
  ): void {
    const slot = this.#ledger.scheduler.slotOf(view.key, event[1]);
    if (slot < 0) return;
    const unit = this.#ledger.units[slot]!;
    if (event[0] === CHUNK_ITEMS) {
      const ms = total(event[4]) / 1_000;
      const count = countOf(event[3]);
      this.#ledger.scheduler.progressed(now, view.key, slot, count, ms);
      view.done += count;
      this.#ledger.done += count;
      view.runMs += ms;
      view.roundTripMs += ms;
    } else if (event[0] === CHUNK_ITEM_FAILED) {
      this.#ledger.scheduler.progressed(now, view.key, slot, 0, 0);
      view.failed++;
      view.runMs += event[3] / 1_000;
    } else if (event[0] === PROGRESS && this.#ledger.events.has("progress")) {
      this.#ledger.events.emit("progress", { id: event[2], name: unit.name, value: event[3], workerId: view.id });
    }
    unit.event?.(event, view);
  }

  #recycleIfLarge(view: WorkerView, now: number): void {
    const { maxRssMb } = view.backend.plan;
    if (maxRssMb > 0 && (view.memoryBytes ?? 0) > maxRssMb * 2 ** 20) this.#ledger.scheduler.recycle(now, view.key);
  }

  /** The worker is gone. */
  down(key: number, loss: WorkerLoss): void {
    const view = this.#ledger.workers.get(key);
    if (view === undefined) return;
    const worker = this.#ledger.scheduler.worker(key);
    const expected = worker === undefined || worker.phase === "stopping" || worker.isDoomed;
    const cause: LostCause = { view, loss };
    this.#ledger.scheduler.workerDown(performance.now(), key, {
      cause,
      ...(loss.hasBegun === undefined ? {} : { hasBegun: loss.hasBegun }),
      ...(loss.isForGood === true ? { isForGood: true } : {}),
    });
    // Tasks that end with the worker still name it.
    this.#pulse.flush();
    this.#ledger.workers.delete(key);
    if (this.#ledger.events.has("workerDown")) {
      const error = expected ? {} : { error: view.downError(loss) };
      this.#ledger.events.emit("workerDown", { workerId: view.id, backend: view.backendId, expected, ...error });
    }
    this.#pulse.schedule();
  }
}

function total(micros: number | readonly number[]): number {
  if (typeof micros === "number") return micros;
  let sum = 0;
  for (const one of micros) sum += one;
  return sum;
}
