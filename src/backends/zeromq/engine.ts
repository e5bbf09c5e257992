// The one place where the package `zeromq` is loaded: when something is used that needs it, and not before.
import type * as zeromq from "zeromq";
import { BackendUnavailableError } from "../../protocol/errors.ts";

export type Engine = typeof zeromq;

/** @throws BackendUnavailableError where the package is missing or does not load */
export async function loadEngine(): Promise<Engine> {
  try {
    return await import("zeromq");
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    const why = isMissing
      ? 'it is not installed: run "npm install zeromq"'
      : 'it does not load; "npm install zeromq" may help';
    throw new BackendUnavailableError(`Cannot use the package "zeromq": ${why}`, { cause });
  }
}
