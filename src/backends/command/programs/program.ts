// What a task of this backend is given.
import type { Argument } from "./argument.ts";

export interface Program {
  /** The program and its arguments. */
  readonly argv: readonly Argument[];
  /** What it reads on standard input; default nothing. */
  readonly stdin?: string | Uint8Array;
  /** Variables beside those of all programs; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where it runs; default this process's own folder. */
  readonly cwd?: string;
}

/** @throws TypeError for anything else */
export function readProgram(input: unknown): Program {
  const { argv } = Object(input) as { argv?: unknown };
  if (!Array.isArray(argv) || argv.length === 0) {
    throw new TypeError("Cannot run a program: expected { argv } with the program and its arguments");
  }
  return input as Program;
}
