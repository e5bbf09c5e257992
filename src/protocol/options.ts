// Reads options as own properties, each by its rule. An unknown name, a wrong type or a value out of range is a ConfigError that
// names it.
import { ConfigError } from "./errors.ts";

/** Answers the value, or throws a ConfigError through `refuse`. */
export type Rule<T> = (value: unknown, refuse: (wanted: string) => never) => T;

export interface Rules {
  readonly [name: string]: Rule<unknown>;
}

export type Read<R extends Rules> = { readonly [K in keyof R]: ReturnType<R[K]> | undefined };

/** @param what whom the options are for, as it is called: `threads()` */
export function readOptions<R extends Rules>(what: string, given: unknown, rules: R): Read<R> {
  const result = new Options(rules);
  if (given === undefined) return result as unknown as Read<R>;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError(`Cannot use the options of ${what}: expected an object, got ${show(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) throw unknownOption(what, name, Object.keys(rules));
    const value: unknown = Reflect.get(given, name);
    if (value === undefined) continue;
    result[name] = rules[name]!(value, (wanted) => {
      throw new ConfigError(`Cannot use option "${name}" of ${what}: expected ${wanted}, got ${show(value)}`);
    });
  }
  return result as unknown as Read<R>;
}

/** Every option there is, at first without a value. Inherits nothing, and yet has a shape: an object of `Object.create(null)` has none. */
class Options {
  [name: string]: unknown;

  constructor(rules: Rules) {
    for (const name in rules) this[name] = undefined;
  }
}

Object.setPrototypeOf(Options.prototype, null);
Reflect.deleteProperty(Options.prototype, "constructor");

/** A number of milliseconds, 0 or more. */
export const milliseconds: Rule<number> = (value, refuse) =>
  typeof value === "number" && value >= 0 && !Number.isNaN(value)
    ? value
    : refuse("a number of milliseconds, 0 or more");

/** A number of milliseconds above 0. */
export const positiveMilliseconds: Rule<number> = (value, refuse) =>
  typeof value === "number" && value > 0 ? value : refuse("a number of milliseconds above 0");

export const wholeNumber: Rule<number> = (value, refuse) =>
  Number.isInteger(value) && (value as number) >= 0 ? (value as number) : refuse("a whole number, 0 or more");

export const positiveWholeNumber: Rule<number> = (value, refuse) =>
  Number.isInteger(value) && (value as number) > 0 ? (value as number) : refuse("a whole number, 1 or more");

/** A number, infinities included. */
export const anyNumber: Rule<number> = (value, refuse) =>
  typeof value === "number" && !Number.isNaN(value) ? value : refuse("a number");

export const positiveNumber: Rule<number> = (value, refuse) =>
  typeof value === "number" && value > 0 ? value : refuse("a number above 0");

export const flag: Rule<boolean> = (value, refuse) => (typeof value === "boolean" ? value : refuse("true or false"));

export const text: Rule<string> = (value, refuse) =>
  typeof value === "string" && value !== "" ? value : refuse("a text that is not empty");

export const texts: Rule<readonly string[]> = (value, refuse) =>
  Array.isArray(value) && value.every((one) => typeof one === "string")
    ? (value as string[])
    : refuse("a list of texts");

export const anything: Rule<unknown> = (value) => value;

export const func: Rule<(...args: never[]) => unknown> = (value, refuse) =>
  typeof value === "function" ? (value as (...args: never[]) => unknown) : refuse("a function");

export const signal: Rule<AbortSignal> = (value, refuse) =>
  value instanceof AbortSignal ? value : refuse("an AbortSignal");

/** A text, or a list of texts. */
export const seriesNames: Rule<readonly string[]> = (value, refuse) => {
  if (typeof value === "string" && value !== "") return [value];
  return Array.isArray(value) && value.every((one) => typeof one === "string" && one !== "")
    ? (value as string[])
    : refuse("a series or a list of series");
};

/** Variables by name; undefined takes one away. */
export const environment: Rule<Readonly<Record<string, string | undefined>>> = (value, refuse) =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === "string" || one === undefined)
    ? (value as Record<string, string | undefined>)
    : refuse("an object of texts");

export function oneOf<T extends string>(...values: readonly T[]): Rule<T> {
  return (value, refuse) =>
    values.includes(value as T) ? (value as T) : refuse(values.map((one) => `"${one}"`).join(" or "));
}

/** What a message may show of a value: its type and the beginning of it. */
export function show(value: unknown): string {
  if (typeof value === "string") return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

function unknownOption(what: string, name: string, known: readonly string[]): ConfigError {
  const similar = known.find(
    (one) => distance(one.toLowerCase(), name.toLowerCase()) <= Math.max(1, Math.floor(name.length / 3)),
  );
  const hint = similar === undefined ? `there are ${known.join(", ")}` : `did you mean "${similar}"?`;
  return new ConfigError(`Cannot use option "${name}" of ${what}: unknown option; ${hint}`);
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + change));
    }
    previous = current;
  }
  return previous[b.length]!;
}
