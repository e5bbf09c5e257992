// Errors of workers in any language, as the records that all backends hand on.
import { define, errorClass, toErrorRecord } from "../../protocol/error-record.ts";
import { type ErrorRecord, NOT_SERIALIZABLE, PERMANENT, THROWN, UNKNOWN_TASK } from "../../protocol/messages.ts";

const MAX_DEPTH = 16;
const KNOWN = new Set(["name", "message", "stack", "cause", "errors"]);
const MAX_ERRORS = 100;

/** What a worker wrote as an error. Never throws: whatever came becomes something that can be thrown. */
export function recordOf(written: unknown): ErrorRecord {
  return toErrorRecord(thrownBy(written, 0));
}

/** How a failure is to be treated: three names of errors say more than that a task threw. */
export function kindOf(written: unknown, isPermanent: boolean): number {
  const name: unknown = typeof written === "object" && written !== null ? Reflect.get(written, "name") : undefined;
  if (name === "NotSerializableError") return NOT_SERIALIZABLE;
  if (name === "UnknownTaskError") return UNKNOWN_TASK;
  return isPermanent || name === "PermanentError" ? PERMANENT : THROWN;
}

function thrownBy(written: unknown, depth: number): unknown {
  if (typeof written !== "object" || written === null || Array.isArray(written)) return new Error(shown(written));
  const members = written as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(members, "thrown") && !Object.hasOwn(members, "message")) return members["thrown"];
  const name = typeof members["name"] === "string" ? members["name"] : "Error";
  const text = typeof members["message"] === "string" ? members["message"] : shown(members["message"]);
  // The pool says of which task it is.
  const message =
    name === "NotSerializableError" ? text.replace(/^Cannot send the result of task "[^"]*": /, "") : text;
  const error = Array.isArray(members["errors"])
    ? new AggregateError(aggregated(members["errors"], depth), message)
    : new (errorClass(name))(message);
  define(error, "stack", typeof members["stack"] === "string" ? members["stack"] : `${name}: ${message}`);
  if (error.name !== name) define(error, "name", name);
  for (const key of Object.keys(members)) {
    if (KNOWN.has(key)) continue;
    Object.defineProperty(error, key, { value: members[key], enumerable: true, configurable: true, writable: true });
  }
  const { cause } = members as { cause?: unknown };
  if (cause !== undefined && cause !== null && depth < MAX_DEPTH) define(error, "cause", thrownBy(cause, depth + 1));
  return error;
}

function aggregated(errors: readonly unknown[], depth: number): unknown[] {
  return depth >= MAX_DEPTH ? [] : errors.slice(0, MAX_ERRORS).map((error) => thrownBy(error, depth + 1));
}

function shown(value: unknown): string {
  return value === undefined ? "no message" : typeof value === "string" ? value : JSON.stringify(value);
}
