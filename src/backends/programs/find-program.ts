// Whether a program is there and may be run, as the system will look for it: told before the first item, not by each of them.
import { accessSync, constants, statSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { Complaint } from "../complaint.ts";

/** Where the system looks when PATH is not set. */
const USUAL_PATH = "/bin:/usr/bin";

/** @throws Complaint with the status that a shell would give */
export function requireProgram(name: string, path: string = USUAL_PATH): void {
  const places = name.includes("/") ? [name] : path.split(delimiter).map((folder) => join(folder || ".", name));
  const found = name === "" ? [] : places.filter(exists);
  if (found.some(isExecutable)) return;
  if (found.length > 0) throw new Complaint("notExecutable", `Cannot run "${name}": it is not executable`);
  throw new Complaint("notFound", `Cannot run "${name}": there is no such program`);
}

/** Shells that read quotes as POSIX says; a value that is quoted for these could be run by others. */
const POSIX_SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"]);

/** The user's shell, or `/bin/sh` where that is none or another kind. */
export function findShell(shell: string | undefined): string {
  return shell !== undefined && POSIX_SHELLS.has(basename(shell)) && isExecutable(shell) ? shell : "/bin/sh";
}

function exists(path: string): boolean {
  try {
    return statSync(path) !== undefined;
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
