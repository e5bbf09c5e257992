// The queues of all series. Series 0 is "none": every worker serves it.
import { TaskQueue } from "./task-queue.ts";
import type { TaskTable } from "./task-table.ts";

export class SeriesQueues {
  #size = 0;
  readonly #queues: TaskQueue[] = [];
  readonly #table: TaskTable;

  constructor(table: TaskTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#size;
  }

  push(slot: number): void {
    const series = this.#table.profile[slot]!.series;
    for (let i = this.#queues.length; i <= series; i++) this.#queues.push(new TaskQueue(this.#table));
    this.#queues[series]!.push(slot);
    this.#size++;
  }

  remove(slot: number): void {
    this.#queues[this.#table.profile[slot]!.series]!.remove(slot);
    this.#size--;
  }

  sizeOf(series: number): number {
    return this.#queues[series]?.size ?? 0;
  }

  /** Numbers of the series in which something waits. */
  waiting(): number[] {
    const series: number[] = [];
    for (let i = 0; i < this.#queues.length; i++) if (this.#queues[i]!.size > 0) series.push(i);
    return series;
  }

  /** The next task of one series, -1 when none waits. */
  peek(series: number): number {
    return this.#queues[series]?.peek() ?? -1;
  }

  /** The next task among the given series, -1 when none waits. */
  best(serves: ReadonlySet<number>): number {
    const queues = this.#queues;
    let first = queues.length > 0 && queues[0]!.size > 0 ? queues[0]!.peek() : -1;
    if (queues.length <= 1) return first;
    for (const series of serves) {
      if (series === 0 || series >= queues.length) continue;
      const slot = queues[series]!.peek();
      if (slot >= 0 && (first < 0 || this.#table.isBefore(slot, first))) first = slot;
    }
    return first;
  }
}
