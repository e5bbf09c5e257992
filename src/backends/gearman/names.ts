// What functions, uniques and payloads may be, so that no server is asked what it answers with silence.
import { ConfigError } from "../../protocol/errors.ts";
import { show } from "../../protocol/options.ts";
import { MAX_UNIQUE_BYTES } from "./packet.ts";

/** libgearman takes no longer ones. */
const MAX_FUNCTION_BYTES = 512;
const MAX_ID_BYTES = 127;

/** @throws ConfigError at what is no name of a function */
export function functionName(value: unknown, what = "function"): string {
  const name = withoutNul(what, value);
  if (name === "") throw new ConfigError(`Cannot use ${what} "": it is empty`);
  return atMost(what, name, MAX_FUNCTION_BYTES);
}

/** @throws ConfigError at what is no unique */
export function uniqueName(value: unknown): string {
  return atMost("unique", withoutNul("unique", value), MAX_UNIQUE_BYTES);
}

/** @throws ConfigError at what is no id of a worker: it stands between spaces in the server's list */
export function workerId(value: unknown): string {
  const id = withoutNul("id", value);
  if (id === "" || /\s/.test(id)) throw new ConfigError(`Cannot use id ${show(id)}: it is empty or has spaces`);
  return atMost("id", id, MAX_ID_BYTES);
}

/** @throws ConfigError at what is neither bytes nor text */
export function payload(value: unknown, what = "data"): string | Uint8Array {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  throw new ConfigError(`Cannot use ${what} of a job: expected text or bytes, got ${show(value)}`);
}

function withoutNul(what: string, value: unknown): string {
  if (typeof value !== "string") throw new ConfigError(`Cannot use ${what} ${show(value)}: expected a text`);
  if (value.includes("\0")) throw new ConfigError(`Cannot use ${what} ${JSON.stringify(value)}: it has a NUL`);
  return value;
}

function atMost(what: string, value: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(value);
  if (bytes > maxBytes)
    throw new ConfigError(`Cannot use ${what} ${show(value)}: it has ${bytes} bytes and may have ${maxBytes}`);
  return value;
}
