/** One input, as it was read. */
export interface Item {
  /** Its place in the input, from 1. With `-n` the place of the group. */
  readonly seq: number;
  /** What the task is given. */
  readonly value: unknown;
  /** With `-n`: the value is a list of values. */
  readonly isGroup: boolean;
  /** Why no task can be given it: it has failed already. */
  readonly problem: BadInputError | undefined;
  /** As it stood in the input, without what separates it from the next. */
  readonly raw: string | Uint8Array;
  /** How much of the input it took, separators included. */
  readonly bytes: number;
  /** The file it came from; undefined for a value of the command line. */
  readonly file: string | undefined;
  /** The line it began on, from 1. */
  readonly line: number;
  /** The line it ended on. */
  readonly lastLine: number;
}

/** An item before it has its number: `seq` is 0. */
export interface Draft extends Omit<Item, "seq"> {
  seq: number;
}

/** @param lastLine where it is another than `line` */
export function toDraft(
  value: unknown,
  problem: BadInputError | undefined,
  raw: string | Uint8Array,
  bytes: number,
  file: string | undefined,
  line: number,
  lastLine: number = line,
): Draft {
  return { seq: 0, value, isGroup: false, problem, raw, bytes, file, line, lastLine };
}

/** A piece of the input that cannot be read as an item. The others are not affected. */
export class BadInputError extends Error {
  readonly code = "ERR_BAD_INPUT";

  constructor(file: string | undefined, line: number, what: string, options?: ErrorOptions) {
    super(`Cannot read ${file === undefined ? "a value" : `${file} line ${line}`} as ${what}`, options);
    this.name = "BadInputError";
    // Where in this program it was found helps nobody.
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** Where an item came from, for people: `in.ndjson:12`, or nothing for a value of the command line. */
export function placeOf(item: Item): string | undefined {
  return item.file === undefined ? undefined : `${item.file}:${item.line}`;
}
