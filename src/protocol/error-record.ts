// A thrown value as plain data and back. Whatever was thrown gives a record: null, a string, an error whose getters throw, a
// cycle of causes. A record names its class, and only classes of the list below are made from it.

import type { ErrorRecord } from "./messages.ts";
import { PermanentError } from "./throwables.ts";

const ERROR = 0;
const VALUE = 1;
const REFERENCE = 2;
/** A value that cannot be copied; what is left of it is a text. */
const TEXT = 3;

const MAX_DEPTH = 16;
const MAX_ERRORS = 100;

const CLASSES: ReadonlyMap<string, new (message?: string) => Error> = new Map<string, new (message?: string) => Error>([
  ["Error", Error],
  ["TypeError", TypeError],
  ["RangeError", RangeError],
  ["SyntaxError", SyntaxError],
  ["ReferenceError", ReferenceError],
  ["EvalError", EvalError],
  ["URIError", URIError],
  ["PermanentError", PermanentError],
]);

/** Makes a record of anything that can be thrown. Never throws. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  return encode(thrown, new Map(), 0);
}

/** Makes the thrown value again: the same name, message, own properties, cause, stack, and the built-in class where it was one. */
export function fromErrorRecord(record: ErrorRecord): unknown {
  return decode(record, []);
}

/** JavaScript's own class of that name, or the library's; Error for any other. */
export function errorClass(name: string): new (message?: string) => Error {
  return CLASSES.get(name) ?? Error;
}

function encode(value: unknown, seen: Map<object, number>, depth: number): ErrorRecord {
  if (!isError(value)) return encodeValue(value);
  const known = seen.get(value);
  if (known !== undefined) return [REFERENCE, known];
  if (depth > MAX_DEPTH || seen.size > MAX_ERRORS) return [TEXT, describe(value)];
  seen.set(value, seen.size);
  const className = builtinName(value);
  const errors = className === "AggregateError" ? errorsOf(value) : undefined;
  return [
    ERROR,
    className,
    text(read(value, "name"), "Error"),
    text(read(value, "message"), ""),
    text(read(value, "stack"), ""),
    encodeProperties(value),
    hasOwn(value, "cause") ? encode(read(value, "cause"), seen, depth + 1) : null,
    errors === undefined ? null : errors.map((error) => encode(error, seen, depth + 1)),
  ];
}

function encodeValue(value: unknown): ErrorRecord {
  // A list that ends early says so in JSON too, which has no word for it.
  if (value === undefined) return [VALUE];
  return isCopyable(value) ? [VALUE, value] : [TEXT, describe(value)];
}

function encodeProperties(error: object): readonly (readonly [string, unknown])[] {
  const properties: [string, unknown][] = [];
  try {
    for (const key of Object.keys(error)) {
      if (key === "name" || key === "message" || key === "stack" || key === "cause" || key === "errors") continue;
      const value = read(error, key);
      if (typeof value === "function" || typeof value === "symbol") continue;
      properties.push([key, isCopyable(value) ? value : describe(value)]);
    }
  } catch {
    // A proxy that hides its keys has none.
  }
  return properties;
}

function decode(record: ErrorRecord, made: unknown[]): unknown {
  switch (record[0]) {
    case VALUE:
      return record[1];
    case REFERENCE:
      return made[record[1] as number];
    case ERROR:
      return decodeError(record, made);
    default:
      return String(record[1]);
  }
}

function decodeError(record: ErrorRecord, made: unknown[]): Error {
  const [, className, name, message, stack, properties, cause, errors] = record as [
    number,
    string,
    string,
    string,
    string,
    readonly (readonly [string, unknown])[],
    ErrorRecord | null,
    readonly ErrorRecord[] | null,
  ];
  const error = make(className, message, name);
  made.push(error);
  define(error, "stack", stack === "" ? `${name}: ${message}` : stack);
  if (error.name !== name) define(error, "name", name);
  if (error.message !== message) define(error, "message", message);
  for (const [key, value] of properties) {
    Object.defineProperty(error, key, { value, enumerable: true, configurable: true, writable: true });
  }
  if (cause !== null) define(error, "cause", decode(cause, made));
  if (errors !== null)
    define(
      error,
      "errors",
      errors.map((one) => decode(one, made)),
    );
  return error;
}

function make(className: string, message: string, name: string): Error {
  if (className === "AggregateError") return new AggregateError([], message);
  if (className === "DOMException") return new DOMException(message, name);
  return new (errorClass(className))(message);
}

/** The nearest built-in class in the chain of prototypes. */
function builtinName(error: object): string {
  try {
    if (typeof DOMException !== "undefined" && error instanceof DOMException) return "DOMException";
    for (let prototype: unknown = Object.getPrototypeOf(error); prototype !== null; ) {
      const { constructor } = prototype as { constructor?: { name?: unknown } };
      const name = constructor?.name;
      if (name === "AggregateError" || (typeof name === "string" && CLASSES.has(name))) return name;
      prototype = Object.getPrototypeOf(prototype);
    }
  } catch {
    // A hostile prototype: an Error it is.
  }
  return "Error";
}

function isError(value: unknown): value is object {
  try {
    // The second test holds for errors of other realms.
    return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
  } catch {
    return false;
  }
}

/** The first errors of an aggregate, as a list of our own. */
function errorsOf(aggregate: object): unknown[] | undefined {
  try {
    const errors: unknown = Reflect.get(aggregate, "errors");
    if (!Array.isArray(errors)) return undefined;
    return Array.from({ length: Math.min(errors.length, MAX_ERRORS) }, (_, at): unknown => errors[at]);
  } catch {
    return undefined;
  }
}

function isCopyable(value: unknown): boolean {
  if (typeof value === "function" || typeof value === "symbol") return false;
  if (typeof value !== "object" || value === null) return true;
  try {
    structuredClone(value);
    return !(typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer);
  } catch {
    return false;
  }
}

function read(from: object, key: string): unknown {
  try {
    return Reflect.get(from, key);
  } catch {
    return undefined;
  }
}

function hasOwn(from: object, key: string): boolean {
  try {
    return Object.hasOwn(from, key);
  } catch {
    return false;
  }
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : value === undefined ? otherwise : describe(value);
}

function describe(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value that cannot be shown";
  }
}

/** A property that is not enumerated, as those of an error are. */
export function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false });
}
