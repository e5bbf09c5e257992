import type { LauncherReply } from "./messages.ts";
import { Output } from "./output.ts";

/** How a program ended. */
export interface Ended {
  /** The number of the slot that ran it. */
  readonly slot: number;
  /** Undefined where a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: Output;
  /** The last lines on stderr. */
  readonly lastWords: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly runMs: number;
}

const LAST_WORDS = 2048;

/** What the launcher said, and what the program wrote on stderr, to be passed on and closed. */
export function endedOf(reply: LauncherReply & { readonly 0: "ended" }): {
  readonly ended: Ended;
  readonly stderr: Output;
} {
  const [, slot, exitCode, signal, startedAt, runMs, out, err] = reply;
  const stderr = new Output(err);
  const lastWords = stderr.size === 0 ? "" : stderr.tail(LAST_WORDS).toString().trimEnd();
  const ended = {
    slot,
    exitCode: exitCode ?? undefined,
    signal: signal ?? undefined,
    stdout: new Output(out),
    lastWords,
    startedAt,
    runMs,
  };
  return { ended, stderr };
}
