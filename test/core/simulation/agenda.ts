// What happens at which virtual instant. Of equal instants the one that was planned first comes first.
import { IndexedHeap } from "../../../src/core/indexed-heap.ts";

export type Happening = () => void;

export class Agenda {
  readonly #order = new IndexedHeap();
  readonly #happenings: (Happening | undefined)[] = [];
  readonly #free: number[] = [];
  #planned = 0;

  /** Infinity when nothing is planned. */
  get nextAt(): number {
    return this.#order.peekKey();
  }

  plan(at: number, happening: Happening): void {
    const id = this.#free.pop() ?? this.#happenings.length;
    this.#happenings[id] = happening;
    this.#order.set(id, at, this.#planned++);
  }

  /** Takes out what comes next. */
  take(): Happening {
    const id = this.#order.pop();
    const happening = this.#happenings[id]!;
    this.#happenings[id] = undefined;
    this.#free.push(id);
    return happening;
  }
}
