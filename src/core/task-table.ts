// What the core knows of each live task: one row a task, one typed array a column. A row's number is its slot.
// A freed slot is used again, so nothing here grows with what has been done.
import { HeapPositions } from "./indexed-heap.ts";

export const FREE = 0;
/** In a queue. */
export const QUEUED = 1;
/** Waits for a retry or a deferral to fall due. */
export const DELAYED = 2;
/** Sent ahead to a worker that has not begun it. */
export const AHEAD = 3;
export const RUNNING = 4;
/** A stream whose reader has no credit left: it holds no capacity of its worker. */
export const STALLED = 5;
/** Bound to one worker (a broadcast), not sent yet. */
export const PINNED = 6;

/** Goes alone: one in a message and nothing beside it on its worker. */
export const ALONE = 1;
/** Must not be sent a second time. */
export const ONCE = 2;
/** Belongs to one worker and to no other. */
export const BOUND = 4;
/** Has asked to run later before. */
export const DEFERRED = 8;

/** What many tasks have in common; rows share one record. */
export interface Profile {
  readonly series: number;
  /** Charged attempts beyond the first; -1 where the caller gave none. */
  readonly retries: number;
  readonly retryDelayMs: number;
  /** 0 for none. */
  readonly timeoutMs: number;
  /** 0 for none; counts from adding, queue time included. */
  readonly deadlineMs: number;
  readonly atMostOnce: boolean;
  /** Whether it is a chunk of a map: then at most one travels ahead. */
  readonly isChunk: boolean;
}

export class TaskTable {
  state: Uint8Array = new Uint8Array(64);
  flags: Uint8Array = new Uint8Array(64);
  /** What the queue sorts by: the priority, moved by the time of adding where tasks age. */
  key: Float64Array = new Float64Array(64);
  /** The order of insertion. */
  seq: Float64Array = new Float64Array(64);
  priority: Float64Array = new Float64Array(64);
  addedAt: Float64Array = new Float64Array(64);
  startedAt: Float64Array = new Float64Array(64);
  /** Neighbours in the queue's lane while queued, in the worker's order while sent. */
  prev: Int32Array = new Int32Array(64);
  next: Int32Array = new Int32Array(64);
  /** Which part of its queue holds the slot. */
  lane: Int8Array = new Int8Array(64);
  /** Sendings so far. */
  attempts: Uint32Array = new Uint32Array(64);
  charged: Uint32Array = new Uint32Array(64);
  losses: Uint32Array = new Uint32Array(64);
  worker: Int32Array = new Int32Array(64);
  ticket: Int32Array = new Int32Array(64);
  readonly profile: Profile[] = [];
  readonly heapPositions: HeapPositions = new HeapPositions();
  #used = 0;
  #free: number[] = [];

  allocate(): number {
    const recycled = this.#free.pop();
    if (recycled !== undefined) return recycled;
    if (this.#used === this.state.length) this.#grow();
    return this.#used++;
  }

  release(slot: number): void {
    this.state[slot] = FREE;
    this.profile[slot] = NO_PROFILE;
    this.#free.push(slot);
    if (this.#free.length === this.#used) {
      // All rows are free: forget the list, so that a burst of a million leaves no list of a million behind.
      this.#free = [];
      this.#used = 0;
      this.profile.length = 0;
    }
  }

  /** Whether `a` comes before `b` in the order of starting. */
  isBefore(a: number, b: number): boolean {
    const key = this.key;
    return key[a]! < key[b]! || (key[a]! === key[b]! && this.seq[a]! < this.seq[b]!);
  }

  #grow(): void {
    const length = this.state.length * 2;
    this.state = grown(this.state, new Uint8Array(length));
    this.flags = grown(this.flags, new Uint8Array(length));
    this.key = grown(this.key, new Float64Array(length));
    this.seq = grown(this.seq, new Float64Array(length));
    this.priority = grown(this.priority, new Float64Array(length));
    this.addedAt = grown(this.addedAt, new Float64Array(length));
    this.startedAt = grown(this.startedAt, new Float64Array(length));
    this.prev = grown(this.prev, new Int32Array(length));
    this.next = grown(this.next, new Int32Array(length));
    this.lane = grown(this.lane, new Int8Array(length));
    this.attempts = grown(this.attempts, new Uint32Array(length));
    this.charged = grown(this.charged, new Uint32Array(length));
    this.losses = grown(this.losses, new Uint32Array(length));
    this.worker = grown(this.worker, new Int32Array(length));
    this.ticket = grown(this.ticket, new Int32Array(length));
  }
}

const NO_PROFILE: Profile = {
  series: 0,
  retries: 0,
  retryDelayMs: 0,
  timeoutMs: 0,
  deadlineMs: 0,
  atMostOnce: false,
  isChunk: false,
};

function grown<A extends { set(from: A): void }>(old: A, bigger: A): A {
  bigger.set(old);
  return bigger;
}
