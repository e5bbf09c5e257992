// What a caller says of a map, and what it hears of it.
import type { Profile } from "../core/task-table.ts";

/** What became of one item. */
export interface Settled {
  readonly index: number;
  readonly id: number;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: unknown;
  readonly attempt: number;
  /** Undefined where it never ran. */
  readonly workerId: string | undefined;
  readonly backend: string | undefined;
  /** From reading the input to starting the item, or its chunk. */
  readonly queuedMs: number;
  /** Measured in the worker. */
  readonly runMs: number;
}

/** How far a map is. */
export interface MapProgress {
  readonly done: number;
  readonly failed: number;
  readonly read: number;
  /** Undefined where the inputs are not a list. */
  readonly total: number | undefined;
}

export interface MapSettings {
  readonly priority: number;
  /** Of items that go by themselves. */
  readonly profile: Profile;
  readonly label: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** 0 to adapt. */
  readonly chunkSize: number;
  /** 0 for the default. */
  readonly window: number;
  /** "in order": what comes before the failed item still counts; nothing after it does. */
  readonly stopsAtFailure: "never" | "at once" | "in order";
  readonly onSettled: ((settled: Settled) => void) | undefined;
  readonly onProgress: ((progress: MapProgress) => void) | undefined;
}
