// What a run is about: the task of a module, or a command.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findShell, requireProgram } from "../command/required-program.ts";
import { programTemplate, shellTemplate, type Template } from "../command/template.ts";
import { messageOf, wrongUsage } from "../complaint.ts";
import type { InputFormat } from "../input/index.ts";

export type Subject = ModuleSubject | CommandSubject;

export interface ModuleSubject {
  readonly kind: "module";
  /** As it was given, without the export. */
  readonly module: string;
  /** Absolute. */
  readonly path: string;
  /** Undefined where none was named. */
  readonly exportName: string | undefined;
}

export interface CommandSubject {
  readonly kind: "command";
  readonly template: Template;
}

/** What was given of a subject: one of them. */
export interface GivenSubject {
  readonly task: string | undefined;
  /** What stood after `--`. */
  readonly command: readonly string[] | undefined;
  /** What stood after `-c`. */
  readonly shell: string | undefined;
}

/** What the input is, where nobody says it. */
export function usualFormat(kind: Subject["kind"]): InputFormat {
  return kind === "module" ? "ndjson" : "lines";
}

/** The module as it was given. */
export function givenName({ module, exportName }: ModuleSubject): string {
  return exportName === undefined ? module : `${module}#${exportName}`;
}

export function kindOf({ task, command, shell }: GivenSubject): Subject["kind"] {
  if (command !== undefined && shell !== undefined) {
    throw wrongUsage('Cannot run both -c and the command after "--": give one of them');
  }
  const isCommand = command !== undefined || shell !== undefined;
  if (isCommand && task !== undefined) {
    throw wrongUsage(`Cannot run a command on "${task}": give a file of items as -a FILE, and items after ":::"`);
  }
  if (!isCommand && task === undefined) {
    throw wrongUsage("Cannot run nothing: missing required argument 'module', or a command after \"--\" or -c");
  }
  return isCommand ? "command" : "module";
}

/** Where it runs: on this machine, on others, or both. */
export interface Places {
  readonly isHere: boolean;
  readonly isFar: boolean;
}

/** @param path where programs are looked for */
export async function readSubject(
  given: GivenSubject,
  format: InputFormat,
  path: string | undefined,
  places: Places,
): Promise<Subject> {
  if (kindOf(given) === "module") return readModule(given.task ?? "", places);
  const template = readTemplate(given, format !== "lines" && format !== "nul", places);
  if (template.program !== undefined && places.isHere) requireProgram(template.program, path);
  return { kind: "command", template };
}

function readTemplate({ command, shell }: GivenSubject, hasFields: boolean, { isFar }: Places): Template {
  // Another machine may lack the user's shell; this one is everywhere.
  const program = isFar ? "/bin/sh" : findShell(process.env["SHELL"]);
  if (command === undefined) return shellTemplate(program, shell ?? "", hasFields);
  if (command.length === 0) throw wrongUsage('Cannot run nothing: no command follows "--"');
  return programTemplate(command, hasFields);
}

async function readModule(given: string, { isHere }: Places): Promise<ModuleSubject> {
  const [, module, exportName] = /^(.*?)(?:#([^#/\\]*))?$/s.exec(given) ?? [];
  if (module === undefined || module === "")
    throw wrongUsage(`Cannot run "${given}": give a task module, as in ./tasks.mjs#name`);
  if (exportName === "") throw wrongUsage(`Cannot run "${given}": no name follows the #`);
  const path = module.startsWith("file:") ? fileURLToPath(module) : resolve(module);
  if (isHere) await requireFile(module, path);
  return { kind: "module", module, path, exportName };
}

async function requireFile(module: string, path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw wrongUsage(
      `Cannot load module "${module}": ${isMissing(error) ? "there is no such file" : messageOf(error)}`,
      {
        cause: error,
      },
    );
  });
  if (!found.isFile()) throw wrongUsage(`Cannot load module "${module}": it is not a file`);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
