// How a run ends before its input does: first by finishing what runs, then by killing it. Decides nothing about when.
import type { Ending } from "../exit-codes.ts";

export type Stage = "running" | "draining" | "killing";

export interface StopListener {
  /** Stop reading and starting; what runs may finish. */
  onDrain(): void;
  /** End what runs. */
  onKill(): void;
}

export class Stop {
  readonly #endings: Set<Ending> = new Set();
  #stage: Stage = "running";
  #listener: StopListener | undefined;
  #grace: NodeJS.Timeout | undefined;

  get stage(): Stage {
    return this.#stage;
  }

  /** Everything that was a reason to stop. */
  get endings(): ReadonlySet<Ending> {
    return this.#endings;
  }

  /** From now on the listener carries it out, also what was asked for before. */
  listen(listener: StopListener): void {
    this.#listener = listener;
    if (this.#stage !== "running") listener.onDrain();
    if (this.#stage === "killing") listener.onKill();
  }

  /** @param graceMs after which what still runs is killed; undefined: never */
  drain(ending: Ending, graceMs: number | undefined): void {
    this.#endings.add(ending);
    if (graceMs !== undefined && this.#stage !== "killing") this.#killIn(graceMs, ending);
    if (this.#stage !== "running") return;
    this.#stage = "draining";
    this.#listener?.onDrain();
  }

  kill(ending: Ending): void {
    this.#endings.add(ending);
    if (this.#stage === "killing") return;
    const wasRunning = this.#stage === "running";
    this.#stage = "killing";
    if (wasRunning) this.#listener?.onDrain();
    this.#listener?.onKill();
  }

  /** The run is over: no timer is left. */
  end(): void {
    clearTimeout(this.#grace);
  }

  #killIn(graceMs: number, ending: Ending): void {
    clearTimeout(this.#grace);
    this.#grace = setTimeout(() => this.kill(ending), graceMs);
  }
}
