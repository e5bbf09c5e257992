import type { Ended } from "./ended.ts";

/** A program that did not exit with 0. */
export class ProgramError extends Error {
  /**
   * `EXIT_3`; the name of the signal that ended it; what the system says where it could not be started, as `ENOENT`. `ERR_PROGRAM` where
   * there is no file for what it writes, `ERR_OUTPUT` where that file is gone.
   */
  readonly code: string;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** The last lines that it wrote on stderr. */
  readonly stderr: string;
  /** Undefined where it was not started. */
  readonly ended: Ended | undefined;

  constructor(message: string, code: string, ended?: Ended) {
    super(message);
    this.name = "ProgramError";
    this.code = code;
    this.exitCode = ended?.exitCode;
    this.signal = ended?.signal;
    this.stderr = ended?.lastWords ?? "";
    this.ended = ended;
    // Where in this program it was noticed helps nobody.
    this.stack = `${this.name}: ${message}`;
  }
}

/** What a program's end is called that was no success. */
export function errorOf(program: string, ended: Ended): ProgramError {
  const { exitCode, signal, lastWords } = ended;
  const how = signal === undefined ? `exited with ${exitCode}` : `was ended by ${signal}`;
  const why = lastWords.split("\n").at(-1) ?? "";
  return new ProgramError(`${program} ${how}${why === "" ? "" : `: ${why}`}`, signal ?? `EXIT_${exitCode}`, ended);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such program",
  EACCES: "it is not executable",
  E2BIG: "its arguments are too long",
};

/** @param code what the system says, with a message for what is not known here */
export function startError(program: string, code: string, message: string): ProgramError {
  return new ProgramError(`Cannot run "${program}": ${REASONS[code] ?? message}`, code);
}
