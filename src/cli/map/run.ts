// One run of `manyhands map`, from its settings to its exit status.
import type { Pool } from "../../index.ts";
import { Failures } from "../../observe/failures.ts";
import { Progress } from "../../observe/progress.ts";
import { Complaint, messageOf } from "../complaint.ts";
import { type Ending, exitCodeOf } from "../exit-codes.ts";
import type { HaltRule } from "../grammar/halt.ts";
import { type Input, openInput } from "../input/index.ts";
import { formatDuration } from "../output/numbers.ts";
import { openReporter, type Reporter } from "../output/reporter.ts";
import { openStandardOutput } from "../output/sink.ts";
import { roomOnStandardError, standardError } from "../output/terminal.ts";
import { closingLines } from "./closing.ts";
import { CommandWork } from "./command-work.ts";
import { dryRun } from "./dry-run.ts";
import { Feed } from "./feed.ts";
import { mapOptions } from "./map-options.ts";
import { ModuleWork } from "./module-work.ts";
import { Outcomes } from "./outcomes.ts";
import { passOnEvents } from "./pool-events.ts";
import { openResults, type Results } from "./results.ts";
import type { MapSettings } from "./settings.ts";
import { listenForSignals } from "./signals.ts";
import { SlowItems } from "./slow-items.ts";
import { Stop } from "./stop.ts";
import { describe, Tally } from "./tally.ts";
import type { Work } from "./work.ts";

const TICK_MS = 100;
const DRAIN_CHECK_MS = 20;

/**
 * Runs it, and gives the exit status.
 * @param flags what another run has in common with this one, as words: for the command that continues
 */
export async function runMap(settings: MapSettings, flags: readonly string[]): Promise<number> {
  const input = await openInput(settings.input);
  const startedAt = performance.now();
  const { subject } = settings;
  const work =
    subject.kind === "module" ? new ModuleWork(subject, settings) : new CommandWork(subject.template, settings);
  const reporter = await openReporter(settings.progress, standardError(), work.names, startedAt);
  const run = new Run(settings, flags, { input, work, reporter, startedAt });
  return settings.isDryRun ? run.rehearse() : run.perform();
}

interface RunParts {
  readonly input: Input;
  readonly work: Work;
  readonly reporter: Reporter;
  readonly startedAt: number;
}

class Run {
  readonly #settings: MapSettings;
  readonly #work: Work;
  readonly #flags: readonly string[];
  readonly #input: Input;
  readonly #startedAt: number;
  readonly #stop = new Stop();
  readonly #progress: Progress;
  readonly #failures = new Failures();
  readonly #tally: Tally;
  readonly #reporter: Reporter;
  readonly #feed: Feed;
  readonly #outcomes: Outcomes;
  readonly #slow: SlowItems | undefined;
  readonly #notes: string[] = [];
  #pool: Pool | undefined;
  #results: Results | undefined;
  #isReadToEnd = false;
  #hasLostOutput = false;

  constructor(settings: MapSettings, flags: readonly string[], { input, work, reporter, startedAt }: RunParts) {
    this.#startedAt = startedAt;
    this.#settings = settings;
    this.#work = work;
    this.#flags = flags;
    this.#input = input;
    const total = settings.total ?? input.total;
    this.#progress = new Progress({ startedAt: this.#startedAt, total, totalBytes: input.totalBytes });
    this.#tally = new Tally(this.#progress, this.#failures, settings.halt, (rule) => this.#halt(rule));
    this.#reporter = reporter;
    this.#slow = settings.timeout?.kind === "median" ? new SlowItems(settings.timeout.percent) : undefined;
    this.#feed = new Feed(
      input,
      {
        onRead: () => this.#progress.apply({ kind: "read", items: 1 }),
        onBad: (item, before) => {
          const written = this.#outcomes.unreadable(item);
          if (settings.isDryRun) this.#say(messageOf(item.problem));
          return this.#results?.addUnreadable(item, written, before);
        },
        onEnd: () => {
          this.#isReadToEnd = true;
          this.#progress.apply({ kind: "inputEnded" });
        },
        onError: (error) => this.#fail("usage", `Cannot read the input: ${messageOf(error)}`, "drain"),
      },
      (item) => work.inputOf(item),
      settings.window,
    );
    this.#outcomes = new Outcomes({
      feed: this.#feed,
      tally: this.#tally,
      format: (item, result) => work.format(item, result),
      onSettled: (item, result) => work.settled(item, result),
      isCut: (error) => this.#isCut(error),
      explain: (error) => this.#slow?.explain(error) ?? error,
      onFailure: (item, error) => {
        if (settings.isVerbose) this.#say(`failed: ${describe(item)}: ${messageOf(error)}`);
      },
    });
  }

  /** Shows what would run. */
  async rehearse(): Promise<number> {
    this.#stop.listen({ onDrain: () => this.#feed.stop(), onKill: () => {} });
    const output = openStandardOutput((error) => this.#onOutputError("standard output", error));
    await dryRun(this.#work, this.#feed, output);
    for (const note of this.#notes) this.#say(note);
    return this.#exitCode(this.#failures.count > 0);
  }

  async perform(): Promise<number> {
    const { graceMs } = this.#settings;
    const starting = new AbortController();
    this.#stop.listen({ onDrain: () => starting.abort(), onKill: () => {} });
    const unlisten = listenForSignals(this.#stop, graceMs, (signal) => this.#onSignal(signal));
    const limit = this.#limitTime();
    try {
      const started = await this.#work.start(starting.signal, (text) => this.#say(text));
      this.#pool = started.pool;
      try {
        const onError = (name: string, error: Error) => this.#onOutputError(name, error);
        this.#results = await openResults(this.#settings, this.#input.again, onError);
        await this.#work.open(started.pool, onError);
        await this.#pump(started.pool, started.task);
      } finally {
        await (this.#stop.stage === "running" ? started.pool.close() : started.pool.terminate());
      }
    } catch (error) {
      if (error instanceof Complaint || !starting.signal.aborted) throw error;
    } finally {
      unlisten();
      clearTimeout(limit);
      this.#stop.end();
      this.#reporter.end(performance.now(), () => this.#progress.view(performance.now()));
    }
    this.#summarize();
    return this.#exitCode(this.#failures.count > 0);
  }

  /** Takes every item through the pool. Resolves when each has its end, and is written. */
  async #pump(pool: Pool, task: string): Promise<void> {
    const results = this.#results as Results;
    const ticking = setInterval(() => this.#tick(pool), TICK_MS);
    const unlisten = passOnEvents(pool, this.#settings.isVerbose, {
      print: (text) => this.#reporter.print(text),
      say: (text) => this.#say(text),
      retrying: (items) => this.#progress.apply({ kind: "retrying", items }),
      tagOf: (index) => this.#tagOf(index),
    });
    this.#slow?.watch(pool);
    this.#stop.listen({ onDrain: () => this.#drain(pool), onKill: () => this.#kill(pool) });
    const options = mapOptions(this.#settings, (record) => this.#outcomes.settled(record));
    try {
      for await (const { index } of pool.imap(task, this.#feed, options)) {
        const way = this.#feed.take(index);
        const room = (way?.written && results.add(way.item, way.written)) ?? roomOnStandardError();
        if (room) await room;
      }
      this.#writeUnfinished(results);
      await Promise.all([results.end(), this.#work.close()]);
      this.#sample(pool);
    } finally {
      clearInterval(ticking);
      this.#slow?.end();
      unlisten();
    }
  }

  /** What begins the lines that an item's task prints: the item, as one word of text. */
  #tagOf(index: number): string {
    const way = this.#settings.isTagged ? this.#feed.get(index) : undefined;
    return way === undefined ? "" : this.#work.tagOf(way.item);
  }

  #writeUnfinished(results: Results): void {
    for (const { item } of this.#feed.rest()) {
      this.#tally.notFinished();
      results.addUnfinished(item);
    }
  }

  #tick(pool: Pool): void {
    this.#sample(pool);
    const now = performance.now();
    this.#reporter.tick(now, () => this.#progress.view(now));
  }

  /** Notes what the workers do at this moment. */
  #sample(pool: Pool): void {
    const workers = pool.workers();
    const busy = workers.filter(({ running }) => running > 0).length;
    const busyShare = busy / Math.max(1, workers.length);
    const { running } = pool.snapshot();
    this.#progress.apply({ kind: "sampled", running, workers: workers.length, busyShare });
  }

  // Ending early

  /** Stops reading and starting; once nothing runs, what is left is given up. */
  #drain(pool: Pool): void {
    this.#feed.stop();
    pool.pause();
    const waiting = setInterval(() => {
      if (pool.snapshot().running > 0 && this.#stop.stage === "draining") return;
      clearInterval(waiting);
      this.#kill(pool);
    }, DRAIN_CHECK_MS);
  }

  #kill(pool: Pool): void {
    void pool.terminate().catch((error: unknown) => this.#say(`Cannot end the workers: ${messageOf(error)}`));
  }

  #isCut(error: unknown): boolean {
    const { code } = Object(error) as { code?: unknown };
    if (code === "ERR_BACKEND_UNAVAILABLE") {
      this.#fail("noWorker", messageOf(error), "kill");
      return true;
    }
    return this.#stop.stage !== "running" && code === "ERR_POOL_CLOSED";
  }

  #halt(rule: HaltRule): void {
    if (rule.when === "never") return;
    this.#notes.push(`stopped by --halt ${rule.when},${rule.why}=${rule.limit}${rule.isPercent ? "%" : ""}`);
    if (rule.when === "now") this.#stop.kill("incomplete");
    else this.#stop.drain("incomplete", undefined);
  }

  #limitTime(): NodeJS.Timeout | undefined {
    const { maxTimeMs, graceMs } = this.#settings;
    if (maxTimeMs === undefined) return undefined;
    return setTimeout(() => {
      this.#notes.push(`stopped by --max-time ${formatDuration(maxTimeMs)}`);
      this.#stop.drain("incomplete", graceMs);
    }, maxTimeMs);
  }

  #onSignal(signal: string): void {
    this.#notes.push(`stopped by ${signal}`);
    const running = this.#pool?.snapshot().running ?? 0;
    const grace = formatDuration(this.#settings.graceMs);
    this.#say(
      `${signal}: stopping, ${running} running may take up to ${grace}; a second signal ends them, a third leaves at once`,
    );
  }

  #onOutputError(name: string, error: Error): void {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") {
      this.#stop.kill("brokenPipe");
      return;
    }
    this.#hasLostOutput = true;
    this.#fail("incomplete", `Cannot write "${name}": ${messageOf(error)}`, "kill");
  }

  /** Something that concerns the whole run: said once, then the run is stopped. */
  #fail(ending: Ending, message: string, how: "drain" | "kill"): void {
    if (!this.#stop.endings.has(ending)) this.#notes.push(message);
    if (how === "kill") this.#stop.kill(ending);
    else this.#stop.drain(ending, undefined);
  }

  // The end

  #summarize(): void {
    const { endings } = this.#stop;
    // Nobody reads the results any more; who closed the pipe wants to hear nothing.
    if (endings.size === 1 && endings.has("brokenPipe")) return;
    const lines = closingLines({
      settings: this.#settings,
      flags: this.#flags,
      input: this.#input,
      view: this.#progress.view(performance.now()),
      failures: this.#failures,
      unfinished: this.#tally.unfinished,
      notes: this.#notes,
      feed: this.#feed,
      isReadToEnd: this.#isReadToEnd,
    });
    for (const line of lines) this.#reporter.print(`${line}\n`);
  }

  #exitCode(hasFailures: boolean): number {
    const endings = new Set(this.#stop.endings);
    // Asked to stop when all was done: then it was not stopped.
    const isComplete = this.#isReadToEnd && this.#tally.unfinished === 0 && !this.#hasLostOutput;
    if (isComplete) endings.delete("incomplete");
    if (hasFailures) endings.add("itemFailed");
    return exitCodeOf(endings);
  }

  #say(text: string): void {
    this.#reporter.print(`manyhands: ${text}\n`);
  }
}
