import { OWN_255 } from "../../ssh.ts";
import type { LauncherReply, Written } from "./messages.ts";
import { Output } from "./output.ts";
import { ProgramError } from "./program-error.ts";

/** How a program ended. */
export interface Ended {
  /** Where it ran, as it was named; undefined for this machine. */
  readonly host: string | undefined;
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

/**
 * What the launcher said, and what the program wrote on stderr, to be passed on and closed.
 * @throws ProgramError where a file is gone with what it wrote
 */
export function endedOf(
  reply: LauncherReply & { readonly 0: "ended" },
  host: string | undefined,
): {
  readonly ended: Ended;
  readonly stderr: Output;
  /** It was ssh that failed: what became of the program is not known. */
  readonly isCutOff: boolean;
} {
  const [, slot, , exitCode, signal, startedAt, runMs, out, err] = reply;
  const [stdout, stderr] = outputsOf(out, err);
  const isCutOff = host !== undefined && exitCode === 255 && !stderr.dropEnd(OWN_255);
  const lastWords = stderr.size === 0 ? "" : stderr.tail(LAST_WORDS).toString().trimEnd();
  const ended = {
    host,
    slot,
    exitCode: exitCode ?? undefined,
    signal: signal ?? undefined,
    stdout,
    lastWords,
    startedAt,
    runMs,
  };
  return { ended, stderr, isCutOff };
}

function outputsOf(out: Written, err: Written): readonly [stdout: Output, stderr: Output] {
  let stdout: Output | undefined;
  try {
    stdout = new Output(out);
    return [stdout, new Output(err)];
  } catch (error) {
    stdout?.close();
    throw new ProgramError(`Cannot give what the program wrote: ${(error as Error).message}`, "ERR_OUTPUT");
  }
}
