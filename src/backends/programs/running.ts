// One run of a program, in a process group of its own. Tells how it ended, once; knows neither tasks nor tickets.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { Output, openNameless } from "./capture.ts";

export interface Start {
  /** Where the program is; or its name, to be looked for. */
  readonly file: string;
  /** The number of the slot that runs it. */
  readonly slot: number;
  /** The program as it was called, and what it is given. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it reads on its standard input; undefined for nothing. */
  readonly stdin: string | Uint8Array | undefined;
}

/** How a program ended. */
export interface Ended {
  /** The number of the slot that ran it. */
  readonly slot: number;
  /** Undefined where a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: Output;
  readonly stderr: Output;
  /** The last lines on stderr. */
  readonly lastWords: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly runMs: number;
}

export interface RunListener {
  ended(ended: Ended): void;
  /** It could not be started at all. */
  failed(error: unknown): void;
}

const LAST_WORDS = 2048;

export class Running {
  /** Of the process and its group; undefined where there is none. */
  readonly pid: number | undefined;
  /** Of its stdout and its stderr. */
  readonly #files: number[] = [];
  readonly #slot: number;
  readonly #listener: RunListener;
  readonly #startedAt = Date.now();
  readonly #startedMs = performance.now();
  #isAborted = false;
  #isOver = false;

  /** @throws what the system says where it cannot be started, and that is known at once */
  constructor(start: Start, listener: RunListener) {
    this.#slot = start.slot;
    this.#listener = listener;
    const stdin = start.stdin === undefined ? undefined : fileOf(start.stdin);
    let child: ChildProcess;
    try {
      this.#files.push(openNameless());
      this.#files.push(openNameless());
      child = launch(start, [stdin ?? "ignore", ...this.#files]);
    } catch (error) {
      this.#release();
      throw error;
    } finally {
      if (stdin !== undefined) closeSync(stdin);
    }
    this.pid = child.pid;
    child.unref();
    child.once("error", (error) => this.#failed(error));
    child.once("exit", (code, signal) => this.#exited(code, signal));
  }

  /** Asks it to end. What it leaves behind in its group is killed when it does. */
  abort(): void {
    this.#isAborted = true;
    this.#signal("SIGTERM");
  }

  /** Ends it and its group. */
  kill(): void {
    this.#isAborted = true;
    this.#signal("SIGKILL");
  }

  #exited(code: number | null, signal: string | null): void {
    if (this.#isAborted) this.#signal("SIGKILL");
    if (this.#isOver) return;
    this.#isOver = true;
    const runMs = performance.now() - this.#startedMs;
    const [stdout, stderr] = this.#files.map((fd) => new Output(fd)) as [Output, Output];
    const lastWords = stderr.size === 0 ? "" : stderr.tail(LAST_WORDS).toString().trimEnd();
    this.#listener.ended({
      slot: this.#slot,
      exitCode: code ?? undefined,
      signal: signal ?? undefined,
      stdout,
      stderr,
      lastWords,
      startedAt: this.#startedAt,
      runMs,
    });
  }

  #failed(error: unknown): void {
    if (this.#isOver || this.pid !== undefined) return;
    this.#isOver = true;
    this.#release();
    this.#listener.failed(error);
  }

  #release(): void {
    for (const fd of this.#files) closeSync(fd);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }
}

function launch({ file, words, env }: Start, stdio: readonly (number | "ignore")[]): ChildProcess {
  const [argv0 = "", ...args] = words;
  // Node reads options through their prototype.
  const options = { __proto__: null, argv0, env, stdio: [...stdio], detached: true };
  return spawn(file, args, options);
}

/** A file that reads from its beginning. */
function fileOf(content: string | Uint8Array): number {
  const fd = openNameless();
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}
