// What goes between this process and its launcher: JSON, a line a message.

export type RunMessage = readonly [
  kind: "run",
  slot: number,
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

export type LauncherRequest =
  | RunMessage
  /** To the group of what the slot runs. */
  | readonly [kind: "signal", slot: number, signal: "SIGTERM" | "SIGKILL"];

/** What a program wrote on a stream: 0 for nothing, base64 for a little, or a file for whoever gets this to remove. */
export type Written = 0 | string | { readonly file: string; readonly size: number };

export type LauncherReply =
  | readonly [
      kind: "ended",
      slot: number,
      exitCode: number | null,
      signal: string | null,
      /** In milliseconds since 1970. */
      startedAt: number,
      runMs: number,
      stdout: Written,
      stderr: Written,
    ]
  | readonly [kind: "failed", slot: number, code: string, message: string];

/** The environment of the launcher, in which it finds that of the programs, as JSON. */
export const PROGRAMS_ENV = "MANYHANDS_PROGRAMS_ENV";
