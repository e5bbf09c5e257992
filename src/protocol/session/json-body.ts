// Bodies of HELLO, WELCOME and REFUSE: small JSON objects.
import { ProtocolError } from "../errors.ts";

export interface JsonObject {
  readonly [key: string]: unknown;
}

const MAX_BYTES = 64 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function writeJson(value: JsonObject): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** @param what the frame it is the body of, for the message of the ProtocolError */
export function readJson(body: Uint8Array, what: string): JsonObject {
  if (body.length > MAX_BYTES)
    throw new ProtocolError(`Cannot read ${what}: ${body.length} bytes, at most ${MAX_BYTES}`);
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch (cause) {
    throw new ProtocolError(`Cannot read ${what}: its body is no JSON`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ProtocolError(`Cannot read ${what}: its body is no JSON object`);
}

export function textIn(from: JsonObject, key: string, what: string): string {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  if (typeof value === "string" && value !== "" && value.length <= 256) return value;
  throw new ProtocolError(`Cannot read ${what}: its "${key}" is no text of 1 to 256 characters`);
}

/** A number of milliseconds above 0. */
export function millisecondsIn(from: JsonObject, key: string, what: string): number {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  if (typeof value === "number" && value > 0 && value <= 86_400_000) return value;
  throw new ProtocolError(`Cannot read ${what}: its "${key}" is no number of milliseconds above 0, at most a day`);
}
