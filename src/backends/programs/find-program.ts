// Where a program is, as the system looks for it.
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export type Found =
  | { readonly kind: "program"; readonly path: string }
  | { readonly kind: "not executable" }
  | { readonly kind: "nothing" };

/** Where the system looks when PATH is not set. */
const USUAL_PATH = "/bin:/usr/bin";

/** @param path the folders, in the form of the variable PATH */
export function findProgram(name: string, path: string = USUAL_PATH): Found {
  const places = name.includes("/") ? [name] : path.split(delimiter).map((folder) => join(folder || ".", name));
  const found = name === "" ? [] : places.filter(exists);
  const program = found.find(isExecutable);
  if (program !== undefined) return { kind: "program", path: program };
  return { kind: found.length > 0 ? "not executable" : "nothing" };
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
