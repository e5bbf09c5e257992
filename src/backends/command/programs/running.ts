// One run of a program, in a process group of its own. Tells how it ended, once.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { Capture } from "./capture.ts";
import { ORDERS, type RunEnd } from "./messages.ts";

export interface Start {
  readonly slot: number;
  readonly id: number;
  /** Where the program is; or its name, to be looked for. */
  readonly file: string;
  /** The program as it was called, and what it is given. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it reads on its standard input, in base64; 0 for nothing; `ORDERS` for what `signal` says. */
  readonly stdin: string | 0 | typeof ORDERS;
  /** 0 for this process's own. */
  readonly cwd: string | 0;
}

export class Running {
  readonly #start: Pick<Start, "slot" | "id">;
  readonly #pid: number | undefined;
  readonly #captures: Capture[] = [];
  readonly #onEnd: (tell: () => RunEnd) => void;
  readonly #startedAt: number;
  readonly #startedMs: number;
  /** Where a far program is told to end. */
  #orders: Writable | undefined;
  #isToEnd = false;

  /**
   * @param onEnd told when it has ended, with what tells how and collects what it wrote: to be called once
   * @throws what the system says where it cannot be started, and that is known at once
   */
  constructor(start: Start, onEnd: (tell: () => RunEnd) => void) {
    this.#start = start;
    this.#onEnd = onEnd;
    const { stdin } = start;
    const content = typeof stdin === "string" ? fileOf(stdin) : undefined;
    try {
      for (let stream = 0; stream < 2; stream++) this.#captures.push(new Capture());
      const input = stdin === ORDERS ? "pipe" : (content?.fd ?? "ignore");
      const child = launch(start, [input, ...this.#captures.map(({ fd }) => fd)]);
      // Until here this process was copied; now the program runs.
      this.#startedAt = Date.now();
      this.#startedMs = performance.now();
      this.#pid = child.pid;
      this.#orders = child.stdin ?? undefined;
      // That it is gone is told by its exit.
      this.#orders?.on("error", () => {});
      child.once("error", (error) => this.#failed(error));
      child.once("exit", (code, signal) => this.#exited(code, signal));
    } catch (error) {
      this.drop();
      throw error;
    } finally {
      content?.drop();
    }
  }

  /** To it and to all that it started. What they leave behind is killed when it has ended. */
  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#isToEnd = true;
    if (this.#pid === undefined) return;
    if (signal === "SIGTERM" && this.#orders !== undefined) {
      this.#orders.write("\n");
      return;
    }
    try {
      process.kill(-this.#pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }

  /** Nobody wants what it writes any more. */
  drop(): void {
    for (const capture of this.#captures.splice(0)) capture.drop();
  }

  #exited(code: number | null, signal: string | null): void {
    if (this.#isToEnd) this.signal("SIGKILL");
    const runMs = performance.now() - this.#startedMs;
    this.#onEnd(() => {
      const [stdout, stderr] = this.#captures.splice(0) as [Capture, Capture];
      const { slot, id } = this.#start;
      return ["ended", slot, id, code, signal, this.#startedAt, runMs, stdout.take(), stderr.take()];
    });
  }

  #failed(error: NodeJS.ErrnoException): void {
    // A signal that could not be sent is told in the same way.
    if (this.#pid !== undefined) return;
    this.drop();
    this.#onEnd(() => failure(this.#start, error));
  }
}

export function failure({ slot, id }: Pick<Start, "slot" | "id">, error: unknown): RunEnd {
  const { code, message } = error as NodeJS.ErrnoException;
  return ["failed", slot, id, code ?? "ERR_PROGRAM", message];
}

function launch({ file, words, env, cwd }: Start, stdio: StdioOptions): ChildProcess {
  const [argv0 = "", ...args] = words;
  // Node reads options through their prototype.
  return spawn(file, args, {
    __proto__: null,
    argv0,
    env,
    stdio,
    detached: true,
    cwd: cwd === 0 ? undefined : cwd,
  } as object);
}

/** A file that reads from its beginning. */
function fileOf(content: string): Capture {
  const capture = new Capture();
  const bytes = Buffer.from(content, "base64");
  for (let at = 0; at < bytes.length; ) at += writeSync(capture.fd, bytes, at, bytes.length - at, at);
  return capture;
}
