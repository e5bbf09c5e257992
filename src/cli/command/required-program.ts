// What has to be there before the first item: told once, not by each of them.
import { basename } from "node:path";
import { findProgram, isExecutable } from "../../backends/command/programs/index.ts";
import { Complaint } from "../complaint.ts";

/** @throws Complaint with the status that a shell would give */
export function requireProgram(name: string, path: string | undefined): void {
  const found = findProgram(name, path);
  if (found.kind === "program") return;
  throw new Complaint(found.kind === "nothing" ? "notFound" : "notExecutable", `Cannot run "${name}": ${found.why}`);
}

/** Shells that read quotes as POSIX says; a value that is quoted for these could be run by others. */
const POSIX_SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"]);

/** The user's shell, or `/bin/sh` where that is none or another kind. */
export function findShell(shell: string | undefined): string {
  return shell !== undefined && POSIX_SHELLS.has(basename(shell)) && isExecutable(shell) ? shell : "/bin/sh";
}
