// Arguments, and what is said when they are wrong. What each command does is in commands/.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addClusterCommand } from "./commands/cluster.ts";
import { addKeysCommand } from "./commands/keys.ts";
import { addLaterCommands } from "./commands/later.ts";
import { addMapCommand, type SplitWords, splitMapArguments } from "./commands/map.ts";
import { addWorkerCommand } from "./commands/worker.ts";
import { Complaint } from "./complaint.ts";
import { describeExitCodes, EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { flushStandardError } from "./output/terminal.ts";

/**
 * Runs the command that the words ask for, and gives the exit status.
 * @param say takes what goes to standard error when the words are wrong; default: standard error
 */
export async function runProgram(
  words: readonly string[],
  say: (text: string) => void = (text) => void process.stderr.write(text),
): Promise<number> {
  let status = EXIT_CODES.ok.code;
  try {
    const split = splitMapArguments(words);
    const program = makeProgram(split, (code) => {
      status = code;
    });
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(split.before, { from: "user" });
  } catch (error) {
    status = report(error, say);
  }
  await flushStandardError();
  return status;
}

function makeProgram(split: SplitWords, onStatus: (code: number) => void): Command {
  const program = new Command("manyhands")
    .description(
      "Runs a function, or a program, over many inputs on many hands: worker threads, child processes, other machines.",
    )
    .version(readVersion(), "--version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText(
      "after",
      `\nExit status:\n${describeExitCodes()}\n\nResults go to standard output, everything else to standard error.`,
    )
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addMapCommand(program, split, onStatus);
  addWorkerCommand(program, onStatus);
  addClusterCommand(program, onStatus);
  addKeysCommand(program);
  addLaterCommands(program);
  return program;
}

/** Says what went wrong in one line, and gives the exit status for it. */
function report(error: unknown, say: (text: string) => void): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_CODES.ok.code;
    say(`manyhands: ${error.message.replace(/^error: /, "").replaceAll("\n", " ")}\n`);
    return EXIT_CODES.usage.code;
  }
  if (error instanceof Complaint) {
    say(`manyhands: ${error.message}\n`);
    return exitCodeOf([error.ending]);
  }
  // A bug of this program: whoever reports it needs the stack.
  say(`manyhands: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_CODES.incomplete.code;
}

function readVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
