// What goes between this process and its launcher: JSON, a line a message.

export type RunMessage = readonly [
  kind: "run",
  slot: number,
  /** Names this run among those of its slot. */
  id: number,
  /** Where the program is, or its name. */
  file: string,
  /** As it was called, and what it is given. */
  words: readonly string[],
  /** Variables beside the usual ones; null takes one away. */
  env: Readonly<Record<string, string | null>> | 0,
  /** What it reads, in base64; `ORDERS` for a far program's orders. */
  stdin: string | 0 | typeof ORDERS,
  /** Where it runs; 0 for where the launcher does. */
  cwd: string | 0,
];

/** The program is ssh, and its standard input a pipe: a line asks the far program to end, and the end of the pipe kills it. */
export const ORDERS = 1;

/** A slot runs one program after the other, in the order in which they came. */
export type LauncherRequest =
  | RunMessage
  /** To the group of what runs by that name; what waits by that name is not started, and fails with `ABORTED`. */
  | readonly [kind: "signal", slot: number, id: number, signal: "SIGTERM" | "SIGKILL"]
  /** Those of them that wait are not started. */
  | readonly [kind: "recall", slot: number, ids: readonly number[]]
  /** Kills what runs, and forgets what waits. */
  | readonly [kind: "clear", slot: number];

export const ABORTED = "ABORTED";

/** What a program wrote on a stream: 0 for nothing, base64 for a little, or a file for whoever gets this to remove. */
export type Written = 0 | string | { readonly file: string; readonly size: number };

export type LauncherReply =
  | readonly [
      kind: "ended",
      slot: number,
      id: number,
      exitCode: number | null,
      signal: string | null,
      /** In milliseconds since 1970. */
      startedAt: number,
      runMs: number,
      stdout: Written,
      stderr: Written,
    ]
  | readonly [kind: "failed", slot: number, id: number, code: string, message: string]
  | readonly [kind: "recalled", slot: number, asked: readonly number[], got: readonly number[]]
  /** The slot is empty, after a `clear`. */
  | readonly [kind: "cleared", slot: number];

/** How a run ended, or why it never began. */
export type RunEnd = LauncherReply & { readonly 0: "ended" | "failed" };

/** The environment of the launcher, in which it finds that of the programs, as JSON. */
export const PROGRAMS_ENV = "MANYHANDS_PROGRAMS_ENV";
