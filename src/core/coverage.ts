// Which series somebody serves, and what becomes of the tasks of one that nobody does.
import type { CoreState } from "./core-state.ts";
import type { Tasks } from "./tasks.ts";

export class Coverage {
  readonly #core: CoreState;
  readonly #tasks: Tasks;
  /** The pool is closing, and has waited for hosts that may come for as long as it does. */
  isPastWaiting = false;

  constructor(core: CoreState, tasks: Tasks) {
    this.#core = core;
    this.#tasks = tasks;
  }

  /** Whether some backend has, or may come to have, a worker for the series. */
  #canServe(series: number): boolean {
    for (const backend of this.#core.backends) {
      const mayCome = !backend.spec.roomVaries || backend.size.max > 0 || backend.live > 0 || !this.isPastWaiting;
      if (mayCome && backend.canServe && backend.serves.has(series)) return true;
    }
    for (const worker of this.#core.workers) {
      if (worker !== undefined && (worker.phase === "up" || worker.phase === "starting") && worker.serves.has(series))
        return true;
    }
    return false;
  }

  /** Why nobody serves the series any more: the failure of a backend that did; undefined where there is no such failure. */
  failureFor(series: number): { readonly cause: unknown } | undefined {
    if (this.#canServe(series)) return undefined;
    return this.#core.backends.find((backend) => backend.failure !== undefined && backend.serves.has(series))?.failure;
  }

  /** Settles what waits for a series that nobody serves or will serve. */
  settleUnserved(): void {
    const { queues } = this.#core;
    for (const series of queues.waiting()) {
      if (this.#canServe(series)) continue;
      const failure = this.failureFor(series);
      if (failure === undefined && !this.#core.isClosing) continue;
      for (let slot = queues.peek(series); slot >= 0; slot = queues.peek(series)) {
        queues.remove(slot);
        this.#tasks.settle(slot, failure === undefined ? "closed" : "unavailable", -1, failure?.cause);
      }
    }
  }
}
