// What has to be there before the first item: told once, not by each of them.
import { basename } from "node:path";
import { findProgram, isExecutable } from "../../backends/programs/index.ts";
import { Complaint } from "../complaint.ts";

/** @throws Complaint with the status that a shell would give */
export function requireProgram(name: string, path: string | undefined): void {
  switch (findProgram(name, path).kind) {
    case "program":
      return;
    case "not executable":
      throw new Complaint("notExecutable", `Cannot run "${name}": it is not executable`);
    case "nothing":
      throw new Complaint("notFound", `Cannot run "${name}": there is no such program`);
  }
}

/** Shells that read quotes as POSIX says; a value that is quoted for these could be run by others. */
const POSIX_SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"]);

/** The user's shell, or `/bin/sh` where that is none or another kind. */
export function findShell(shell: string | undefined): string {
  return shell !== undefined && POSIX_SHELLS.has(basename(shell)) && isExecutable(shell) ? shell : "/bin/sh";
}
