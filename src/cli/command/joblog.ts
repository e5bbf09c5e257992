// A line for each item that ran, in the nine columns of GNU parallel's --joblog.
import { constants } from "node:os";
import type { Argument } from "../../backends/command/programs/index.ts";
import { TaskTimeoutError } from "../../index.ts";
import type { Item } from "../input/item.ts";
import type { Result } from "../output/format.ts";
import { openFileSink, type Sink } from "../output/sink.ts";
import { runOf } from "./output.ts";
import type { Template } from "./template.ts";

const COLUMNS = ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command"];
/** This machine. */
const HERE = ":";

export class Joblog {
  readonly #file: string;
  readonly #template: Template;
  #sink: Sink | undefined;

  constructor(file: string, template: Template) {
    this.#file = file;
    this.#template = template;
  }

  async open(onError: (file: string, error: Error) => void): Promise<void> {
    this.#sink = await openFileSink("--joblog", this.#file, (error) => onError(this.#file, error));
    await this.#sink.write(`${COLUMNS.join("\t")}\n`);
  }

  add({ seq }: Item, argv: readonly Argument[], result: Result): void {
    const run = runOf(result);
    const { startedAt, runMs } = run ?? timesOf(result);
    const columns = [
      seq,
      run?.host ?? HERE,
      (startedAt / 1000).toFixed(3),
      (runMs / 1000).toFixed(3).padStart(10),
      0,
      run?.stdout.size ?? 0,
      ...endOf(result),
    ];
    // A newline would end the line; GNU parallel writes the same in its place.
    const command = this.#template.show(argv, run?.slot).toString("latin1").replaceAll("\n", "\0");
    void this.#sink?.write(`${columns.join("\t")}\t`);
    void this.#sink?.write(Buffer.from(`${command}\n`, "latin1"));
  }

  async close(): Promise<void> {
    await this.#sink?.end();
  }
}

/** When it ran, where no end was reported: it was ended from here. */
function timesOf({ error, runMs }: Result): { readonly startedAt: number; readonly runMs: number } {
  const tookMs = error instanceof TaskTimeoutError ? error.timeoutMs : runMs;
  return { startedAt: Date.now() - tookMs, runMs: tookMs };
}

/** Exitval and Signal. */
function endOf(result: Result): readonly [exitCode: number, signal: number] {
  const run = runOf(result);
  const { error } = result;
  if (run !== undefined) return [run.exitCode ?? 0, constants.signals[run.signal as NodeJS.Signals] ?? 0];
  if (error instanceof TaskTimeoutError) return [-1, constants.signals.SIGTERM];
  const { code } = Object(error) as { code?: unknown };
  return [code === "ENOENT" ? 127 : code === "EACCES" ? 126 : -1, 0];
}
