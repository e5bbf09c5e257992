// What is said when a run is over: the summary, why it was stopped, and how to go on.
import type { Failures } from "../../observe/failures.ts";
import type { ProgressView } from "../../observe/progress.ts";
import { summarize } from "../../observe/summary.ts";
import type { Input } from "../input/index.ts";
import { renderSummary } from "../output/summary-text.ts";
import { describeContinuation } from "./continuation.ts";
import type { Feed } from "./feed.ts";
import type { MapSettings } from "./settings.ts";

export interface Closing {
  readonly settings: MapSettings;
  readonly flags: readonly string[];
  readonly input: Input;
  readonly view: ProgressView;
  readonly failures: Failures;
  readonly unfinished: number;
  /** Why it was stopped; none where it was not. */
  readonly notes: readonly string[];
  readonly feed: Feed;
  readonly isReadToEnd: boolean;
}

export function closingLines(closing: Closing): readonly string[] {
  const { settings, flags, input, view, failures, unfinished, notes, feed, isReadToEnd } = closing;
  if (settings.isQuiet) return notes;
  const continuation = describeContinuation({
    settings,
    flags,
    again: input.again,
    failed: view.failed,
    unfinished,
    lastRead: feed.lastRead,
    isReadToEnd,
  });
  return [...renderSummary(summarize(view, failures, unfinished)), ...notes, ...continuation];
}
