// The flags of `manyhands map`. What they mean is in map/settings.ts, what happens in map/run.ts.
import { isatty } from "node:tty";
import { type Command, Option } from "commander";
import { clusterOptions } from "../cluster/flags.ts";
import { wrongUsage } from "../complaint.ts";
import { describeExitCodes, EXIT_CODES } from "../exit-codes.ts";
import { INPUT_FORMATS } from "../input/index.ts";
import { runMap } from "../map/run.ts";
import { BACKENDS, type MapFlags, readSettings } from "../map/settings.ts";
import { OUTPUT_FORMATS } from "../output/format.ts";
import { PROGRESS_MODES } from "../output/reporter.ts";
import { addLaterFlags } from "./later.ts";

const GROUPS: Readonly<Record<string, readonly Option[]>> = {
  "Input:": [
    new Option(
      "--in <FORMAT>",
      `how the input is written: ${INPUT_FORMATS.join(", ")} (default: ndjson for a module, lines for a command)`,
    ),
    new Option("-a, --arg-file <FILE>", "read items from FILE, - for standard input (repeatable)").argParser(collect),
    new Option("-0, --null", "items end in a NUL byte, as find -print0 writes them; --in nul"),
    new Option("-n, --max-args <N>", "N items per call: a task is given an array, a command several arguments"),
    new Option("--total <N>", "how many items there will be, for the progress and --halt"),
  ],
  "Command:": [new Option("-c, --shell <COMMAND>", "run COMMAND in a shell for each item; every value is quoted")],
  "Workers:": [
    new Option("-j, --jobs <N>", "how many workers: N, N% of the processors, or auto (default: auto)"),
    new Option("-P, --max-procs <N>", "the same as -j"),
    new Option("--backend <NAME>", `where tasks run: ${BACKENDS.join(", ")} (default: threads)`),
    new Option("--data <JSON>", "what the module's setup is given in every worker"),
    new Option("--env <NAME=VALUE>", "a variable of the workers' or the command's environment (repeatable)").argParser(
      collect,
    ),
    new Option(
      "-S, --sshlogin <HOSTS>",
      "run on [N/][user@]host by ssh, N at once there; : is this machine (repeatable, or with commas)",
    ).argParser(collect),
    new Option("--ssh <COMMAND>", "how ssh is started, with its options (default: MANYHANDS_SSH, else ssh)"),
    new Option(
      "--remote-command <COMMAND>",
      "what manyhands is called on the hosts, for a task module (default: manyhands)",
    ),
    ...clusterOptions(),
    new Option("--window <N>", "read at most N items ahead of what is written"),
  ],
  "Failure:": [
    new Option("--retries <N>", "try a failed item again, up to N times (default: 0)"),
    new Option("--retry-delay <D>", "wait before the first retry, then twice as long each time (default: 100ms)"),
    new Option("--timeout <D>", "end an item that runs longer than D, or than a percent of the median, like 200%"),
    new Option(
      "--halt <WHEN>",
      "stop early: never, or now|soon,fail|success|done=N|N%, like soon,fail=3 (default: never)",
    ),
    new Option("--max-time <D>", "stop the whole run after D"),
    new Option("--grace <D>", "how long what runs may take to finish when the run is stopped (default: 5s)"),
  ],
  "Output:": [
    new Option("-o, --output <FILE>", "write results to FILE instead of standard output"),
    new Option("-k, --keep-order", "write results in the order of the input"),
    new Option("--out <FORMAT>", `what is written for an item: ${OUTPUT_FORMATS.join(", ")} (default: value)`),
    new Option("--failed <FILE>", "write the inputs of failed items to FILE, ready to be fed again"),
    new Option("--joblog <FILE>", "write a line for each run of a command to FILE, as GNU parallel does"),
    new Option("--tag", "begin each line that a task prints, or a command writes, with its input"),
  ],
  "Show:": [
    new Option("--progress <HOW>", `${PROGRESS_MODES.join(", ")} (default: auto)`),
    new Option("-v, --verbose", "say what fails, is retried or is lost when it happens"),
    new Option("-q, --quiet", "no progress and no summary"),
    new Option("--dry-run", "show what would run, and run nothing"),
  ],
};

/** Flags that say where things come from and go to: another run with the rest has its own. */
const PLACES: ReadonlySet<string> = new Set([
  "in",
  "argFile",
  "null",
  "output",
  "failed",
  "total",
  "dryRun",
  "joblog",
  "shell",
]);

const PLACEHOLDERS = `
In a command:
  {}                         the item: one argument, whatever is in it (added at the end where a command has none of these)
  {.} {/} {//} {/.}          without its extension, its last part, its folder, its last part without the extension
  {#} {%}                    its number from 1, the number of the slot that runs it
  {1} {name} {/a/b}          a column, a field of a row or a JSON value, a JSON pointer
`;

const EXAMPLES = `
Examples:
  find . -name '*.log' -print0 | manyhands map -0 -j 4 -- gzip -9 {}
  manyhands map -c 'convert {} -resize 50% {.}-small.png' --joblog jobs.tsv ::: *.png
  manyhands map ./resize.mjs photos.ndjson -o sizes.ndjson
  find . -name '*.ts' -print0 | manyhands map -0 ./stats.mjs#analyse --failed failed.txt
  manyhands map ./sum.mjs -k ::: 1 2 3
  manyhands map -S :,4/one,8/user@two -- ./simulate {} ::: *.conf
  manyhands map ./resize.mjs --connect gearman://jobs1,jobs2 photos.ndjson
  manyhands map ./fetch.mjs --in lines urls.txt -j 64 --retries 3 --timeout 30s --halt soon,fail=10%
`;

/** The words of a command line: those for commander, and those behind the signs that it does not know. */
export interface SplitWords {
  readonly before: readonly string[];
  /** Between `--` and `:::`; undefined where there is no `--`. */
  readonly command: readonly string[] | undefined;
  /** After `:::`; undefined where there is none. */
  readonly values: readonly string[] | undefined;
}

export function splitMapArguments(words: readonly string[]): SplitWords {
  if (words[0] !== "map") return { before: words, command: undefined, values: undefined };
  const [rest, values] = splitAt(words, ":::");
  const [before, command] = splitAt(rest, "--");
  if (rest.includes("::::")) throw wrongUsage('Cannot use "::::": give the file as -a FILE');
  if (values?.includes(":::")) throw wrongUsage('Cannot use ":::" twice: all values go after one');
  return { before, command, values };
}

function splitAt(words: readonly string[], sign: string): [before: readonly string[], after?: readonly string[]] {
  const at = words.indexOf(sign);
  return at < 0 ? [words] : [words.slice(0, at), words.slice(at + 1)];
}

export function addMapCommand(
  program: Command,
  { command: given, values }: SplitWords,
  onStatus: (code: number) => void,
): void {
  const command = program
    .command("map")
    .summary("run an exported task, or a program, over many items")
    .description(
      "Runs an exported task of a module over many items, and writes one result per item; or a program per item, and writes what it writes.",
    )
    .argument("[module[#export]]", "the task module; without #export its default export, or the only task it has")
    .argument("[files...]", "read items from these files, - for standard input (default: standard input)")
    .usage(
      [
        "[flags] <module[#export]> [files...]",
        "[flags] -- <program> [arguments with {}...]",
        "[flags] -c '<shell command with {}>'",
        "... ::: values...",
      ].join("\n       manyhands map "),
    )
    .helpOption("-h, --help", "show this help");
  for (const [heading, options] of Object.entries(GROUPS)) {
    for (const option of options) command.addOption(option.helpGroup(heading));
  }
  addLaterFlags(command);
  command.addHelpText("after", `${PLACEHOLDERS}${EXAMPLES}\nExit status:\n${describeExitCodes()}`);
  command.action(async (task: string | undefined, files: string[], flags: MapFlags) => {
    if (hasNoInput(files, values, flags)) {
      command.outputHelp({ error: true });
      process.stderr.write(
        '\nmanyhands: there is no input: give files, ":::" and values, or something on standard input\n',
      );
      onStatus(EXIT_CODES.usage.code);
      return;
    }
    onStatus(await runMap(await readSettings({ task, files, command: given, values }, flags), wordsOf(command)));
  });
}

/** Nobody should sit before a silent terminal and wonder what it waits for. */
function hasNoInput(files: readonly string[], values: readonly string[] | undefined, flags: MapFlags): boolean {
  return values === undefined && files.length === 0 && flags.argFile === undefined && isatty(0);
}

/** The flags as they were given, but for the places. */
function wordsOf(command: Command): readonly string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    if (PLACES.has(name) || command.getOptionValueSource(name) !== "cli") return [];
    const flag = option.short ?? option.long ?? "";
    const value: unknown = command.getOptionValue(name);
    if (value === true) return [flag];
    return (Array.isArray(value) ? value : [value]).flatMap((each) => [flag, String(each)]);
  });
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
