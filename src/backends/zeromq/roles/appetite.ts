// How many requests a worker wants to hold: those that it runs, and ahead of them as many as it gets through in a few milliseconds, so that it
// never waits for a round trip, and a slow one never keeps what another could have begun.
import { Pace } from "../../../core/pace.ts";

/** The work, in milliseconds, that may wait at a worker. */
const AHEAD_MS = 10;
/** Fewer than this many that fit go one by one. */
const FEWEST = 4;
const MAX_AHEAD = 4_096;
/** A request that takes longer, while others wait behind it, makes the worker give those back. */
export const STUCK_MS = 50;

export class Appetite {
  readonly #slots: number;
  readonly #pace = new Pace();
  /** Set while the requests that run are known to be long ones, whatever those before were. */
  isStuck = false;

  constructor(slots: number) {
    this.#slots = slots;
  }

  /** A request took so long. */
  add(ms: number): void {
    this.#pace.add(ms);
    this.isStuck = false;
  }

  /** How many it wants to hold. */
  get size(): number {
    const { meanMs } = this.#pace;
    if (meanMs < 0 || this.isStuck || meanMs * FEWEST > AHEAD_MS * this.#slots) return this.#slots;
    return this.#slots + Math.min(MAX_AHEAD, Math.floor((AHEAD_MS * this.#slots) / (meanMs + 0.001)));
  }

  /** How many to ask for when it holds so many, or was promised them: 0, or enough to be worth a message. */
  ask(held: number): number {
    const { size } = this;
    const free = size - held;
    if (free <= 0) return 0;
    return free * 4 >= size || held < this.#slots ? free : 0;
  }
}
