// Who has a task: the worker that begins it, or the pool that takes it back. Decided in shared memory by one compare-and-swap, so
// that a task can be taken back from behind a busy loop, at once and for certain.
//
// Two words a cell. The first holds the last decided ticket: +ticket begun, -ticket taken back. The second counts the items of a
// chunk that were begun, with the CLOSED bit once the rest was taken back.

const CELL_MASK = (1 << 12) - 1;
/** Tickets of one cell grow, and begin again after so many. */
const TICKET_MASK = (1 << 30) - 1;
const CLOSED = 1 << 30;
export const CLAIM_BYTES: number = (CELL_MASK + 1) * 2 * 4;

export class Claims {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** The worker begins the task; false when it was taken back. */
  claim(ticket: number): boolean {
    const at = (ticket & CELL_MASK) * 2;
    Atomics.store(this.#words, at + 1, 0);
    return this.#decide(at, ticket, ticket);
  }

  /** The pool takes the task back; false when the worker has begun it. */
  recall(ticket: number): boolean {
    return this.#decide((ticket & CELL_MASK) * 2, ticket, -ticket);
  }

  hasBegun(ticket: number): boolean {
    return Atomics.load(this.#words, (ticket & CELL_MASK) * 2) === ticket;
  }

  /** The worker begins the item of a chunk; false when it and the rest were taken back. */
  claimItem(ticket: number, index: number): boolean {
    return Atomics.compareExchange(this.#words, (ticket & CELL_MASK) * 2 + 1, index, index + 1) === index;
  }

  /** The pool takes back what is left of a chunk that has begun. Answers the index of the first item that has not. */
  closeItems(ticket: number): number {
    // The counter is the chunk's own only once that has begun. Held up after this line until a later chunk has begun in the cell,
    // the closing would hit that one: it ends early, and its rest goes again.
    if (!this.hasBegun(ticket)) return Number.MAX_SAFE_INTEGER;
    return Atomics.or(this.#words, (ticket & CELL_MASK) * 2 + 1, CLOSED) & ~CLOSED;
  }

  /**
   * Writes the decision, unless there is one. The pool may be several tickets ahead of the worker in the same cell: a word that is
   * newer than the ticket says that the ticket was taken back long ago.
   */
  #decide(at: number, ticket: number, decision: number): boolean {
    for (;;) {
      const old = Atomics.load(this.#words, at);
      if (old === decision) return true;
      if (old !== 0 && ((Math.abs(old) - ticket) & TICKET_MASK) <= TICKET_MASK >> 1) return false;
      if (Atomics.compareExchange(this.#words, at, old, decision) === old) return true;
    }
  }
}
