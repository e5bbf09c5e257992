// The waiting tasks of one series, in (key, insertion) order.
//
// Nearly all tasks come in the order in which they will leave, so the queue keeps a few sorted lanes to append to, as linked
// lists through the task table, and a heap for what fits none of them. Push, pop and remove are O(1) in a lane and O(log n)
// in the heap; a removed task leaves nothing behind.
import { IndexedHeap } from "./indexed-heap.ts";
import type { TaskTable } from "./task-table.ts";

const LANES = 6;
const HEAP = LANES;

export class TaskQueue {
  #size = 0;
  #lanes = 0;
  readonly #heads = new Int32Array(LANES).fill(-1);
  readonly #tails = new Int32Array(LANES).fill(-1);
  readonly #heap: IndexedHeap;
  readonly #table: TaskTable;

  constructor(table: TaskTable) {
    this.#table = table;
    this.#heap = new IndexedHeap(table.heapPositions);
  }

  get size(): number {
    return this.#size;
  }

  push(slot: number): void {
    this.#size++;
    const table = this.#table;
    let best = -1;
    let empty = -1;
    for (let lane = 0; lane < this.#lanes; lane++) {
      const tail = this.#tails[lane]!;
      if (tail < 0) empty = lane;
      else if (table.isBefore(tail, slot) && (best < 0 || table.isBefore(this.#tails[best]!, tail))) best = lane;
    }
    if (best >= 0) {
      const tail = this.#tails[best]!;
      table.next[tail] = slot;
      table.prev[slot] = tail;
    } else {
      best = empty >= 0 ? empty : this.#lanes < LANES ? this.#lanes++ : HEAP;
      if (best === HEAP) {
        table.lane[slot] = HEAP;
        this.#heap.set(slot, table.key[slot]!, table.seq[slot]!);
        return;
      }
      this.#heads[best] = slot;
      table.prev[slot] = -1;
    }
    table.next[slot] = -1;
    table.lane[slot] = best;
    this.#tails[best] = slot;
  }

  /** The task that leaves next, -1 when there is none. */
  peek(): number {
    let first = this.#heap.peek();
    for (let lane = 0; lane < this.#lanes; lane++) {
      const head = this.#heads[lane]!;
      if (head >= 0 && (first < 0 || this.#table.isBefore(head, first))) first = head;
    }
    return first;
  }

  remove(slot: number): void {
    this.#size--;
    const table = this.#table;
    const lane = table.lane[slot]!;
    if (lane === HEAP) {
      this.#heap.remove(slot);
      return;
    }
    const prev = table.prev[slot]!;
    const next = table.next[slot]!;
    if (prev < 0) this.#heads[lane] = next;
    else table.next[prev] = next;
    if (next < 0) this.#tails[lane] = prev;
    else table.prev[next] = prev;
    while (this.#lanes > 0 && this.#heads[this.#lanes - 1]! < 0) this.#lanes--;
  }
}
