// Argument lists as they are given, and the places where programs run that they come to.
import { hostname } from "node:os";
import { ConfigError } from "../../protocol/errors.ts";
import {
  environment,
  positiveWholeNumber,
  type Rule,
  readOptions,
  seriesNames,
  show,
  text,
} from "../../protocol/options.ts";
import type { PlaceSettings } from "../lineup.ts";

/** A program and how many of it. */
export interface CommandEntry {
  readonly argv: readonly string[];
  /** Workers with this argument list, default 1. */
  readonly count?: number;
  /** Labels that these workers serve beside the backend's own. */
  readonly series?: string | readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Where they run, for whoever looks; default this machine's name. */
  readonly host?: string;
}

export type Command = readonly string[] | readonly (readonly string[] | CommandEntry)[];

const arguments_: Rule<readonly string[]> = (value, refuse) =>
  isArgv(value) && value.every((word) => !word.includes("\0")) ? value : refuse("a list of texts, the program first");

export function isArgv(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === "string") && value[0] !== "";
}

export function placesOf(
  argv: unknown,
  shared: { readonly env: NodeJS.ProcessEnv; readonly cwd: string | undefined },
): PlaceSettings[] {
  const refuse = (): never => {
    throw new ConfigError(
      `Cannot use ${show(argv)} as a command: expected a list of texts, the program first, or a list of such lists`,
    );
  };
  if (!Array.isArray(argv) || argv.length === 0) return refuse();
  const entries: readonly unknown[] = isArgv(argv) ? [argv] : argv;
  return entries.flatMap((entry) => {
    if (Array.isArray(entry) ? !isArgv(entry) : typeof entry !== "object" || entry === null) return refuse();
    const given = readOptions("an entry of command()", Array.isArray(entry) ? { argv: entry as unknown } : entry, {
      argv: arguments_,
      count: positiveWholeNumber,
      series: seriesNames,
      env: environment,
      cwd: text,
      host: text,
    });
    if (given.argv === undefined) return refuse();
    const place: PlaceSettings = {
      argv: given.argv,
      env: given.env === undefined ? shared.env : { ...shared.env, ...given.env },
      ownEnv: given.env,
      cwd: given.cwd ?? shared.cwd,
      host: given.host ?? hostname(),
      series: given.series ?? [],
    };
    return new Array<PlaceSettings>(given.count ?? 1).fill(place);
  });
}
