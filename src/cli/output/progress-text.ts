// A run's progress without a terminal: one plain line, or one line of JSON.
import type { ProgressView } from "../../observe/progress.ts";
import { formatCount, formatDuration, formatRate, formatShare } from "./numbers.ts";

/** `manyhands: 6,214/10,000 62% ok=6180 failed=22 running=16 rate=148/s eta=26s` */
export function renderPlain(view: ProgressView): string {
  const done = formatCount(view.ok + view.failed);
  const parts = [
    view.total === undefined ? `${done} done` : `${done}/${formatCount(view.total)}`,
    ...(view.share === undefined ? [] : [formatShare(view.share)]),
    `ok=${view.ok} failed=${view.failed} running=${view.running} rate=${formatRate(view.rate)}`,
    view.etaMs === undefined ? `elapsed=${formatDuration(view.elapsedMs)}` : `eta=${formatDuration(view.etaMs)}`,
  ];
  return `manyhands: ${parts.join(" ")}`;
}

/** The same as data. Absent numbers are null. */
export function renderJson(view: ProgressView): string {
  return JSON.stringify({
    done: view.ok + view.failed,
    ok: view.ok,
    failed: view.failed,
    retrying: view.retrying,
    running: view.running,
    read: view.read,
    total: view.total ?? null,
    share: rounded(view.share, 4),
    rate: rounded(view.rate, 2),
    etaMs: rounded(view.etaMs, 0),
    elapsedMs: rounded(view.elapsedMs, 0),
    p50Ms: rounded(view.p50Ms, 3),
    p99Ms: rounded(view.p99Ms, 3),
    workers: view.workers,
    busy: rounded(view.busyShare, 2),
  });
}

function rounded(value: number | undefined, digits: number): number | null {
  return value === undefined ? null : Number(value.toFixed(digits));
}
