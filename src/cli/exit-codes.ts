// What the program's exit status says. A promise to scripts: numbers are never reused.

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

export type Ending =
  | "usage"
  | "notFound"
  | "notExecutable"
  | "noWorker"
  | "sigint"
  | "sigterm"
  | "sighup"
  | "brokenPipe"
  | "incomplete"
  | "itemFailed"
  | "ok";

/** Every way in which a run ends. Of several, the first in this order is reported. */
export const EXIT_CODES: Readonly<Record<Ending, ExitCode>> = {
  usage: {
    code: 2,
    meaning: "usage: an unknown flag, module or export, an input that cannot be read, an output that cannot be opened",
  },
  notFound: { code: 127, meaning: "the program of a command was not found" },
  notExecutable: { code: 126, meaning: "the program of a command is not executable" },
  noWorker: { code: 4, meaning: "no worker could be started, or all of them were lost" },
  sigint: { code: 130, meaning: "SIGINT (Ctrl-C), also after everything that ran was finished" },
  sigterm: { code: 143, meaning: "SIGTERM, also after everything that ran was finished" },
  sighup: { code: 129, meaning: "SIGHUP (the terminal went away), as SIGTERM" },
  brokenPipe: { code: 141, meaning: "the reader of standard output went away" },
  incomplete: {
    code: 3,
    meaning: "incomplete: stopped early by --halt or --max-time, or the output could not be written",
  },
  itemFailed: { code: 1, meaning: "ended normally, and some item failed after its retries" },
  ok: { code: 0, meaning: "every item succeeded; also when there was nothing to do" },
};

/** The status that stands for several endings at once: what concerns the whole run comes before what concerns items. */
export function exitCodeOf(endings: Iterable<Ending>): number {
  const reached = new Set(endings);
  for (const [ending, { code }] of Object.entries(EXIT_CODES)) if (reached.has(ending as Ending)) return code;
  return EXIT_CODES.ok.code;
}

/** The table as help shows it, in order of the numbers. */
export function describeExitCodes(): string {
  return Object.values(EXIT_CODES)
    .toSorted((a, b) => a.code - b.code)
    .map(({ code, meaning }) => `${String(code).padStart(5)}  ${meaning}`)
    .join("\n");
}
