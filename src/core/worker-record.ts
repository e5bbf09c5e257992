// One worker as the core sees it: what was sent to it and in which order, what of that it has begun, how fast it is.
//
// A worker starts its tasks in the order of sending, `capacity` at once. So the ones it runs are always the first ones of the
// unanswered, and the moment an answer comes, the next in line has begun: nobody has to tell the core.
import type { BackendRecord } from "./backend-record.ts";
import { Pace } from "./pace.ts";
import { AHEAD, RUNNING, STALLED, type TaskTable } from "./task-table.ts";

export type WorkerPhase = "starting" | "up" | "stopping" | "down";

/** A ticket is a cell of the worker's table (low bits) with a stamp (high bits) that changes at each use of the cell. */
export const CELL_BITS = 12;
export const MAX_CELLS: number = 1 << CELL_BITS;
const CELL_MASK = MAX_CELLS - 1;
const MAX_STAMP = (1 << 18) - 1;

const NOBODY = -1;
/** The task was settled without the worker, which is asked to give it back. */
export const ORPHAN = -2;
/** The task was settled without the worker, which is at it and was told. */
export const ABORTED = -3;

export class WorkerRecord {
  /** What the shell and the backend call it; never used twice. */
  readonly key: number;
  /** Its place in the core's tables; used again after its death. */
  readonly index: number;
  readonly backend: BackendRecord;
  phase: WorkerPhase = "starting";
  capacity = 1;
  /** Takes tasks ahead of those it runs. */
  takesAhead: boolean;
  readonly serves: Set<number>;
  readonly pace: Pace = new Pace();
  /** Unanswered tasks that are running or ahead, without the stalled ones. */
  count = 0;
  running = 0;
  stalled = 0;
  /** Unanswered tasks that nobody waits for; of these, the ones it was told to stop. */
  orphans = 0;
  aborted = 0;
  /** Tasks bound to this worker, which go before all others and alone. */
  readonly pinned: number[] = [];
  /** Holds a task that goes alone: nothing else is sent. */
  isExclusive = false;
  /** Said that it cannot take tasks before this instant. */
  busyUntil = 0;
  /** Has said nothing for a while with tasks waiting at it. Its answer may be on the way: it is looked at once more. */
  isLate = false;
  /** Sits on a long task: nothing is sent ahead until it answers. */
  isStuck = false;
  isRecalling = false;
  /** What it was asked to give back since its last answer: asking again is of no use. */
  wasAsked = false;
  /** A kill was ordered for a task that did not stop: what else runs there is innocent. */
  isDoomed = false;
  /** Its end was ordered: it gets nothing more, whatever it still says. */
  isKilled = false;
  /** The stop was ordered from the backend. */
  isDraining = false;
  done = 0;
  failed = 0;
  lastAnswerAt = 0;
  readonly outSlots: number[] = [];
  readonly outTickets: number[] = [];

  #head = NOBODY;
  #tail = NOBODY;
  #lastRunning = NOBODY;
  #slotOf = new Int32Array(16).fill(NOBODY);
  #ticketOf = new Int32Array(16);
  readonly #freeCells: number[] = [];
  #cells = 0;
  readonly #maxTasks: number;
  readonly #table: TaskTable;

  constructor(
    place: { readonly key: number; readonly index: number; readonly backend: BackendRecord },
    table: TaskTable,
  ) {
    this.key = place.key;
    this.index = place.index;
    this.backend = place.backend;
    this.takesAhead = place.backend.spec.sendsAhead;
    this.serves = new Set(place.backend.serves);
    this.#maxTasks = place.backend.spec.maxTasks;
    this.#table = table;
  }

  get ahead(): number {
    return this.count - this.running;
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.stalled === 0 && this.orphans === 0;
  }

  /** Whether a task may go to it at once, free hands aside. */
  accepts(now: number): boolean {
    return (
      this.phase === "up" &&
      !this.isKilled &&
      !this.isExclusive &&
      this.orphans === 0 &&
      this.pinned.length === 0 &&
      this.busyUntil <= now &&
      (this.#maxTasks === 0 || this.done + this.failed + this.count < this.#maxTasks) &&
      this.#cells - this.#freeCells.length < MAX_CELLS
    );
  }

  /** Puts the task last in the worker's order and gives it a ticket. */
  issue(slot: number): number {
    const cell = this.#freeCells.pop() ?? this.#newCell();
    const stamp = (this.#ticketOf[cell]! >> CELL_BITS) + 1;
    const ticket = ((stamp > MAX_STAMP ? 1 : stamp) << CELL_BITS) | cell;
    this.#ticketOf[cell] = ticket;
    this.#slotOf[cell] = slot;
    const table = this.#table;
    table.worker[slot] = this.index;
    table.ticket[slot] = ticket;
    table.state[slot] = AHEAD;
    table.prev[slot] = this.#tail;
    table.next[slot] = NOBODY;
    if (this.#tail >= 0) table.next[this.#tail] = slot;
    else this.#head = slot;
    this.#tail = slot;
    this.count++;
    return ticket;
  }

  /** It said something: whatever was thought of its silence is over. */
  heard(now: number): void {
    this.lastAnswerAt = now;
    this.isLate = false;
    this.isStuck = false;
    this.wasAsked = false;
  }

  /** The next task that has begun by now, marked as running; -1 when there is none. */
  startNext(now: number): number {
    if (this.running >= this.capacity) return NOBODY;
    const table = this.#table;
    const slot = this.#lastRunning >= 0 ? table.next[this.#lastRunning]! : this.#head;
    if (slot < 0) return NOBODY;
    table.state[slot] = RUNNING;
    table.startedAt[slot] = now;
    this.#lastRunning = slot;
    this.running++;
    return slot;
  }

  /** The slot of an unanswered ticket; -1 for a late or unknown one, ORPHAN or ABORTED for one whose task was settled already. */
  slotOf(ticket: number): number {
    const cell = ticket & CELL_MASK;
    return cell < this.#cells && this.#ticketOf[cell] === ticket ? this.#slotOf[cell]! : NOBODY;
  }

  /** The worker is through with the ticket. */
  answer(ticket: number): void {
    const cell = ticket & CELL_MASK;
    if (this.#slotOf[cell]! <= ORPHAN) this.orphans--;
    if (this.#slotOf[cell] === ABORTED) this.aborted--;
    this.#slotOf[cell] = NOBODY;
    this.#freeCells.push(cell);
  }

  /** Takes the task out of the worker's order and keeps its ticket, because the worker may still be at it. */
  orphan(slot: number): void {
    this.unlink(slot);
    this.#slotOf[this.#table.ticket[slot]! & CELL_MASK] = ORPHAN;
    this.orphans++;
  }

  /** The orphan could not be taken back, or is running: the worker is told to stop it. */
  abort(ticket: number): void {
    this.#slotOf[ticket & CELL_MASK] = ABORTED;
    this.aborted++;
  }

  unlink(slot: number): void {
    const table = this.#table;
    if (table.state[slot] === STALLED) {
      this.stalled--;
      return;
    }
    const prev = table.prev[slot]!;
    const next = table.next[slot]!;
    if (table.state[slot] === RUNNING) {
      this.running--;
      if (this.#lastRunning === slot) this.#lastRunning = prev;
    }
    if (prev < 0) this.#head = next;
    else table.next[prev] = next;
    if (next < 0) this.#tail = prev;
    else table.prev[next] = prev;
    this.count--;
  }

  /** The stream's reader has no credit left: its hand is free for another task. */
  stall(slot: number): void {
    this.unlink(slot);
    this.#table.state[slot] = STALLED;
    this.stalled++;
  }

  /** The stream goes on: it stands first in line again, beyond the capacity if need be. */
  resume(slot: number): void {
    const table = this.#table;
    this.stalled--;
    table.state[slot] = RUNNING;
    table.prev[slot] = NOBODY;
    table.next[slot] = this.#head;
    if (this.#head >= 0) table.prev[this.#head] = slot;
    else this.#tail = slot;
    this.#head = slot;
    if (this.#lastRunning < 0) this.#lastRunning = slot;
    this.running++;
    this.count++;
  }

  /**
   * Tickets of the newest `most` tasks that were sent ahead, newest first: a worker that goes on while they are taken back one by one
   * must not begin a late one because the one in front of it is gone.
   */
  aheadTickets(most: number): number[] {
    const tickets: number[] = [];
    for (let slot = this.#tail; slot >= 0 && tickets.length < most; slot = this.#table.prev[slot]!) {
      if (this.#table.state[slot] !== AHEAD) break;
      tickets.push(this.#table.ticket[slot]!);
    }
    return tickets;
  }

  /** Slots of every unanswered task, in the order of sending; stalled ones last. */
  unanswered(): number[] {
    const slots: number[] = [];
    for (let slot = this.#head; slot >= 0; slot = this.#table.next[slot]!) slots.push(slot);
    if (this.stalled > 0) {
      for (let cell = 0; cell < this.#cells; cell++) {
        const slot = this.#slotOf[cell]!;
        if (slot >= 0 && this.#table.state[slot] === STALLED) slots.push(slot);
      }
    }
    return slots;
  }

  #newCell(): number {
    if (this.#cells === this.#slotOf.length) {
      const slotOf = new Int32Array(this.#cells * 2).fill(NOBODY);
      const ticketOf = new Int32Array(this.#cells * 2);
      slotOf.set(this.#slotOf);
      ticketOf.set(this.#ticketOf);
      this.#slotOf = slotOf;
      this.#ticketOf = ticketOf;
    }
    return this.#cells++;
  }
}
