// What is planned and not there yet: refused with a sentence, not misunderstood.
import type { Command } from "commander";
import { Option } from "commander";
import { wrongUsage } from "../complaint.ts";

interface Later {
  readonly flags: string;
  /** Why it cannot be used now. */
  readonly reason: string;
}

const NO_JOURNAL = "this version keeps no journal of its runs";
const NO_GUARDS = "this version has no guards";

export const LATER_FLAGS: readonly Later[] = [
  { flags: "--log <FILE>", reason: NO_JOURNAL },
  { flags: "--resume", reason: NO_JOURNAL },
  { flags: "--retry-failed", reason: `${NO_JOURNAL}; use --failed FILE, and feed that file again` },
  { flags: "--key <POINTER>", reason: NO_JOURNAL },
  { flags: "--dashboard [ADDRESS]", reason: "this version has no dashboard; use --progress" },
  { flags: "--load <N>", reason: NO_GUARDS },
  { flags: "--memfree <SIZE>", reason: NO_GUARDS },
  { flags: "--rate <RATE>", reason: NO_GUARDS },
  { flags: "--delay <D>", reason: NO_GUARDS },
  { flags: "--nice <N>", reason: NO_GUARDS },
  { flags: "--max-rss <SIZE>", reason: NO_GUARDS },
  { flags: "--max-tasks <N>", reason: NO_GUARDS },
];

export const LATER_COMMANDS: readonly string[] = [
  "status",
  "log",
  "ctl",
  "report",
  "dashboard",
  "doctor",
  "completion",
];

/** Flags of `map` that are known, and refused. */
export function addLaterFlags(command: Command): void {
  for (const { flags, reason } of LATER_FLAGS) {
    const option = new Option(flags).hideHelp();
    command.addOption(option);
    command.on(`option:${option.name()}`, () => {
      throw wrongUsage(`Cannot use ${flags.split(" ")[0]?.replace(",", "")} yet: ${reason}`);
    });
  }
}

export function addLaterCommands(program: Command): void {
  for (const name of LATER_COMMANDS) {
    program
      .command(`${name} [arguments...]`, { hidden: true })
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw wrongUsage(
          `Cannot run "manyhands ${name}" yet: this version has "manyhands map", "worker", "cluster" and "keys"`,
        );
      });
  }
}
