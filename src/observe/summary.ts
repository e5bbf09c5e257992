import type { Cause, Failures } from "./failures.ts";
import type { ProgressView } from "./progress.ts";

/** What a run was, once it is over. */
export interface Summary {
  readonly ok: number;
  readonly failed: number;
  /** Items that were read and neither succeeded nor failed, as the run was stopped. */
  readonly unfinished: number;
  readonly wallMs: number;
  /** Items that succeeded or failed, a second. */
  readonly rate: number;
  /** Time spent in tasks ÷ wall time: how much longer one worker would have taken. */
  readonly speedUp: number;
  readonly causes: readonly Cause[];
}

export function summarize(view: ProgressView, failures: Failures, unfinished: number): Summary {
  const wallMs = Math.max(1, view.elapsedMs);
  return {
    ok: view.ok,
    failed: view.failed,
    unfinished,
    wallMs,
    rate: ((view.ok + view.failed) / wallMs) * 1000,
    speedUp: view.taskMs / wallMs,
    causes: failures.causes(),
  };
}
