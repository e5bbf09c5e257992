// How far a run is: a fold of its events, with the time given. Reads no clock and does no I/O.
import { Histogram } from "../core/histogram.ts";
import { Rate, type Speed } from "./rate.ts";

/** Instants are in milliseconds on one clock. */
export type RunEvent =
  | { readonly kind: "read"; readonly items: number }
  | { readonly kind: "inputEnded" }
  | { readonly kind: "settled"; readonly ok: boolean; readonly runMs: number; readonly bytes: number }
  | { readonly kind: "retrying"; readonly items: number }
  /** What the workers do at this moment. */
  | { readonly kind: "sampled"; readonly running: number; readonly workers: number; readonly busyShare: number };

export interface ProgressView {
  readonly read: number;
  readonly ok: number;
  readonly failed: number;
  readonly retrying: number;
  readonly running: number;
  readonly workers: number;
  /** 0…1: how much of the workers' time lately went into tasks. */
  readonly busyShare: number;
  readonly total: number | undefined;
  /** 0…1, by items where the total is known, else by bytes; undefined where neither is. */
  readonly share: number | undefined;
  /** Items a second, lately. */
  readonly rate: number;
  /** Undefined where no end can be seen. */
  readonly etaMs: number | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly elapsedMs: number;
  /** Time spent in tasks, by all workers together. */
  readonly taskMs: number;
}

export interface ProgressPlan {
  readonly startedAt: number;
  readonly total: number | undefined;
  readonly totalBytes: number | undefined;
}

/** How much a sample of the workers counts against what was seen before. */
const SAMPLE_WEIGHT = 0.2;

export class Progress {
  readonly #startedAt: number;
  readonly #totalBytes: number | undefined;
  readonly #runTimes: Histogram = new Histogram();
  readonly #rate: Rate;
  #total: number | undefined;
  #read = 0;
  #ok = 0;
  #failed = 0;
  #bytes = 0;
  #retrying = 0;
  #running = 0;
  #workers = 0;
  #busyShare: number | undefined;

  constructor(plan: ProgressPlan) {
    this.#startedAt = plan.startedAt;
    this.#rate = new Rate(plan.startedAt);
    this.#total = plan.total;
    this.#totalBytes = plan.totalBytes;
  }

  get ok(): number {
    return this.#ok;
  }

  get failed(): number {
    return this.#failed;
  }

  get total(): number | undefined {
    return this.#total;
  }

  apply(event: RunEvent): void {
    switch (event.kind) {
      case "read":
        this.#read += event.items;
        break;
      case "inputEnded":
        // What was promised may have been wrong; now it is known.
        this.#total = this.#read;
        break;
      case "settled":
        this.#settle(event.ok, event.runMs, event.bytes);
        break;
      case "retrying":
        this.#retrying = event.items;
        break;
      case "sampled":
        this.#running = event.running;
        this.#workers = event.workers;
        this.#busyShare =
          this.#busyShare === undefined
            ? event.busyShare
            : this.#busyShare + SAMPLE_WEIGHT * (event.busyShare - this.#busyShare);
        break;
      default:
        event satisfies never;
    }
  }

  /** The run as it stands at `now`. */
  view(now: number): ProgressView {
    const done = this.#ok + this.#failed;
    const elapsedMs = Math.max(0, now - this.#startedAt);
    const share = this.#share(done);
    const speed = this.#rate.at(now, done, share);
    return {
      read: this.#read,
      ok: this.#ok,
      failed: this.#failed,
      retrying: this.#retrying,
      running: this.#running,
      workers: this.#workers,
      busyShare: this.#busyShare ?? 0,
      total: this.#total,
      share,
      rate: speed.items,
      etaMs: this.#eta(done, share, speed),
      p50Ms: this.#runTimes.quantile(0.5),
      p99Ms: this.#runTimes.quantile(0.99),
      elapsedMs,
      taskMs: this.#runTimes.sum,
    };
  }

  #settle(ok: boolean, runMs: number, bytes: number): void {
    if (ok) this.#ok++;
    else this.#failed++;
    this.#bytes += bytes;
    if (runMs > 0) this.#runTimes.record(runMs);
  }

  #share(done: number): number | undefined {
    if (this.#total !== undefined) return this.#total === 0 ? 1 : Math.min(1, done / this.#total);
    if (this.#totalBytes === undefined) return undefined;
    return this.#totalBytes === 0 ? 1 : Math.min(1, this.#bytes / this.#totalBytes);
  }

  #eta(done: number, share: number | undefined, speed: Speed): number | undefined {
    if (share === undefined || done === 0) return undefined;
    if (this.#total !== undefined) {
      return speed.items > 0 ? (Math.max(0, this.#total - done) / speed.items) * 1000 : undefined;
    }
    return speed.share > 0 ? ((1 - share) / speed.share) * 1000 : undefined;
  }
}
