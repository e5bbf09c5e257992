// Programs that speak no protocol: an input is filled into their argument list or is what they read, and what they wrote is the value.
import { types } from "node:util";
import { JsonValues } from "../../../protocol/json-values.ts";
import type { Argument } from "./argument.ts";
import type { Face, Outcome } from "./face.ts";
import type { Output } from "./output.ts";
import type { Program } from "./program.ts";
import { errorOf, ProgramError } from "./program-error.ts";

/** The value of a program that speaks no protocol. */
export interface ProgramResult {
  /** What it wrote on standard output: text, or bytes where `output` says so. */
  readonly stdout: string | Uint8Array;
  /** What it wrote on standard error. */
  readonly stderr: string;
  /** One of those that count as success. */
  readonly exitCode: number;
}

/** As `CommandOptions` has them. */
export interface OneShotOptions {
  readonly exitCodes?: readonly number[] | undefined;
  readonly output?: "text" | "bytes" | undefined;
  readonly maxOutputBytes?: number | undefined;
}

const MAX_OUTPUT_BYTES = 64 * 2 ** 20;
const MARK = "{}";

export function oneShot(options: OneShotOptions): Face {
  const { exitCodes = [0], output = "text", maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  const json = new JsonValues(types.isProxy);
  const asArgument = (value: unknown): string | Uint8Array => {
    if (typeof value === "string" || value instanceof Uint8Array) return value;
    const text = json.text(value);
    if (text === undefined) throw new TypeError("Cannot fill in {}: there is no input");
    return text;
  };
  return {
    tellsStderr: false,
    programOf: (input, { argv, ownEnv, cwd }) => ({
      ...(argv.some((word) => word.includes(MARK)) ? filled(argv, input, asArgument) : reading(argv, input, json)),
      ...(ownEnv === undefined ? {} : { env: ownEnv }),
      ...(cwd === undefined ? {} : { cwd }),
    }),
    outcomeOf: (program, ended, stderr): Outcome => {
      try {
        const tooMuch = [ended.stdout, stderr].find(({ size }) => size > maxOutputBytes);
        if (tooMuch !== undefined) return { error: tooLong(program, tooMuch.size, maxOutputBytes) };
        const written = { stdout: contentOf(ended.stdout, output), stderr: textOf(stderr) };
        const { exitCode } = ended;
        if (exitCode !== undefined && exitCodes.includes(exitCode)) return { value: { ...written, exitCode } };
        return { error: Object.assign(errorOf(program, ended), { ...written, ended: undefined }) };
      } finally {
        ended.stdout.close();
        stderr.close();
      }
    },
  };
}

/** The input in the place of each `{}`; where that stands alone, an argument for each element of a list. */
function filled(argv: readonly string[], input: unknown, asArgument: (value: unknown) => string | Uint8Array): Program {
  return {
    argv: argv.flatMap((word): readonly Argument[] => {
      if (word === MARK) return Array.isArray(input) ? input.map(asArgument) : [asArgument(input)];
      const texts = word.split(MARK);
      return [texts.flatMap((text, at) => (at === 0 ? [text] : [asArgument(input), text]))];
    }),
  };
}

/** Text and bytes are read as they are, anything else as JSON. */
function reading(argv: readonly string[], input: unknown, json: JsonValues): Program {
  const stdin = typeof input === "string" || input instanceof Uint8Array ? input : json.text(input);
  return { argv, ...(stdin === undefined ? {} : { stdin }) };
}

function contentOf(written: Output, how: "text" | "bytes"): string | Uint8Array {
  return how === "text" ? textOf(written) : Uint8Array.from(Buffer.concat([...written.pieces()]));
}

function textOf(written: Output): string {
  return Buffer.concat([...written.pieces()]).toString();
}

function tooLong(program: string, size: number, most: number): ProgramError {
  return new ProgramError(
    `Cannot take the output of ${program}: it is ${size} bytes, and maxOutputBytes ${most}`,
    "ERR_OUTPUT_TOO_LONG",
  );
}
