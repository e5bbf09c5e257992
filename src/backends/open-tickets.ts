// The tickets of one worker that have no answer yet, by the cell that each is of (see `core/worker-record.ts`).
import { MAX_CELLS } from "../core/worker-record.ts";

const FEWEST_CELLS = 64;

export class OpenTickets {
  /** 0 where the cell is free: no ticket is 0. */
  #tickets = new Int32Array(FEWEST_CELLS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A ticket takes the place of an older one of its cell. What is none is not kept: it may come from anywhere. */
  add(ticket: number): void {
    if ((ticket | 0) <= 0) return;
    const cell = ticket & CELL_MASK;
    if (cell >= this.#tickets.length) this.#grow(cell);
    if (this.#tickets[cell] === 0) this.#size++;
    this.#tickets[cell] = ticket;
  }

  /** Answers whether it was there. */
  delete(ticket: number): boolean {
    const cell = ticket & CELL_MASK;
    if (this.#tickets[cell] !== ticket || ticket === 0) return false;
    this.#tickets[cell] = 0;
    this.#size--;
    return true;
  }

  *[Symbol.iterator](): Generator<number> {
    for (const ticket of this.#tickets) if (ticket !== 0) yield ticket;
  }

  #grow(cell: number): void {
    const longer = new Int32Array(Math.min(MAX_CELLS, 2 ** Math.ceil(Math.log2(cell + 1))));
    longer.set(this.#tickets);
    this.#tickets = longer;
  }
}

const CELL_MASK = MAX_CELLS - 1;
