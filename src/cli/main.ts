#!/usr/bin/env node
// Arguments only: what each command does is in commands/.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addLaterCommands } from "./commands/later.ts";
import { addMapCommand, splitMapArguments } from "./commands/map.ts";
import { Complaint } from "./complaint.ts";
import { describeExitCodes, EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { flushStandardError } from "./output/terminal.ts";

process.exit(await run(process.argv.slice(2)));

async function run(words: readonly string[]): Promise<number> {
  let status: number = EXIT_CODES.ok.code;
  try {
    const { before, values } = splitMapArguments(words);
    const program = makeProgram(values, (code) => {
      status = code;
    });
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(before, { from: "user" });
  } catch (error) {
    status = report(error);
  }
  await flushStandardError();
  return status;
}

function makeProgram(values: readonly string[] | undefined, onStatus: (code: number) => void): Command {
  const program = new Command("manyhands")
    .description("Runs a function over many inputs on many hands: worker threads, child processes, or this thread.")
    .version(readVersion(), "--version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", `\nExit status:\n${describeExitCodes()}\n\nResults go to standard output, everything else to standard error.`)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addMapCommand(program, values, onStatus);
  addLaterCommands(program);
  return program;
}

/** Says what went wrong in one line, and gives the exit status for it. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_CODES.ok.code;
    complain(error.message.replace(/^error: /, "").replaceAll("\n", " "));
    return EXIT_CODES.usage.code;
  }
  if (error instanceof Complaint) {
    complain(error.message);
    return exitCodeOf([error.ending]);
  }
  // A bug of this program: whoever reports it needs the stack.
  process.stderr.write(`manyhands: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_CODES.incomplete.code;
}

function complain(message: string): void {
  process.stderr.write(`manyhands: ${message}\n`);
}

function readVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
