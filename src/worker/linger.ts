// Stays awake for a moment where requests come one by one in quick succession. A thread that sleeps has to be woken, and on a core
// that sleeps too this takes longer than many a task. One worker of a pool does so at a time: more would take each other's cores.

/** Longer than a round trip of a caller that waits for each task; short beside whatever else the core could do. */
const LINGER_MS = 0.1;

export class Linger {
  /** One word, shared by the workers of a backend: whether one of them lingers. */
  readonly #taken: Int32Array;
  #idleSince = 0;
  #until = 0;
  #isQuick = false;
  #isTurning = false;

  constructor(taken: SharedArrayBuffer) {
    this.#taken = new Int32Array(taken);
  }

  /** A request of so many tasks came. */
  came(now: number, tasks: number): void {
    this.#isQuick = tasks === 1 && now - this.#idleSince < LINGER_MS;
    this.#until = 0;
  }

  /** There is nothing left to do. */
  idle(now: number): void {
    this.#idleSince = now;
    if (!this.#isQuick) return;
    if (!this.#isTurning) {
      if (Atomics.compareExchange(this.#taken, 0, 0, 1) !== 0) return;
      this.#isTurning = true;
      setImmediate(this.#turn);
    }
    this.#until = now + LINGER_MS;
  }

  readonly #turn = (): void => {
    if (performance.now() < this.#until) {
      setImmediate(this.#turn);
      return;
    }
    this.#isTurning = false;
    Atomics.store(this.#taken, 0, 0);
  };
}
