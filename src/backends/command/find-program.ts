// Where a program is, as the system looks for it.
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

export type Found =
  | { readonly kind: "program"; readonly path: string }
  | { readonly kind: "not executable"; readonly why: string }
  | { readonly kind: "nothing"; readonly why: string };

/** Where the system looks when PATH is not set. */
const USUAL_PATH = "/bin:/usr/bin";

/**
 * @param path the folders, in the form of the variable PATH
 * @param cwd where the program will run; default this process's own
 */
export function findProgram(name: string, path: string = USUAL_PATH, cwd = "."): Found {
  const places = name.includes("/") ? [name] : path.split(delimiter).map((folder) => join(folder || ".", name));
  const found = name === "" ? [] : places.filter((place) => exists(resolve(cwd, place)));
  const program = found.find((place) => isExecutable(resolve(cwd, place)));
  if (program !== undefined) return { kind: "program", path: program };
  if (found.length > 0) return { kind: "not executable", why: "it is not executable" };
  return { kind: "nothing", why: "there is no such program" };
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    return statSync(path) !== undefined;
  } catch {
    return false;
  }
}
