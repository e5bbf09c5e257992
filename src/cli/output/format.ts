// What is written for one item.
import { toFailure } from "../../observe/failures.ts";
import type { Item } from "../input/item.ts";
import { keyOf } from "../input/key.ts";
import { toJson } from "./json.ts";

export const OUTPUT_FORMATS = ["value", "record", "raw"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** How one item ended. */
export interface Result {
  /** Its place among those that went to the pool, from 0; undefined where it did not. */
  readonly index?: number;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: unknown;
  /** How often it was sent to a worker. */
  readonly attempt: number;
  /** Undefined where it never ran. */
  readonly workerId: string | undefined;
  readonly queuedMs: number;
  readonly runMs: number;
}

/** Text, bytes, or the pieces of something large, to be written one after the other. */
export type Formatted = string | Uint8Array | Iterable<Uint8Array>;

/**
 * The text or bytes for one item; undefined where nothing is written. Throws where the value has no form.
 * @param host where it ran
 */
export function formatResult(
  format: OutputFormat,
  item: Item,
  result: Result,
  host: string,
): string | Uint8Array | undefined {
  switch (format) {
    case "value":
      return result.ok ? `${toJson(result.value)}\n` : undefined;
    case "raw":
      return result.ok ? toRaw(result.value) : undefined;
    case "record":
      return `${toRecord(item, result, host)}\n`;
  }
}

/** Strings with a newline, bytes as they are, nothing for undefined; the rest as JSON. */
function toRaw(value: unknown): string | Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return `${value}\n`;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return `${toJson(value)}\n`;
}

function toRecord(item: Item, result: Result, host: string): string {
  const outcome = result.ok
    ? `"ok":true,"value":${toJson(result.value)}`
    : `"ok":false,${result.value === undefined ? "" : `"value":${toJson(result.value)},`}"error":${toError(result.error)}`;
  const key = item.problem ? keyOf(item.raw.toString()) : keyOf(item.value);
  const worker = result.workerId === undefined ? "null" : JSON.stringify(result.workerId);
  const times = `"queuedMs":${rounded(result.queuedMs)},"ms":${rounded(result.runMs)}`;
  return `{"seq":${item.seq},"key":"${key}",${outcome},"attempt":${result.attempt},"worker":${worker},"host":${JSON.stringify(host)},${times}}`;
}

function toError(error: unknown): string {
  const { exitCode, signal, stack } = Object(error) as Readonly<Record<string, unknown>>;
  return JSON.stringify({
    ...toFailure(error),
    ...(typeof exitCode === "number" ? { exitCode } : {}),
    ...(typeof signal === "string" ? { signal } : {}),
    ...(typeof stack === "string" ? { stack } : {}),
  });
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
