import ms from "ms";
import { wrongUsage } from "../complaint.ts";

/** Reads `30s`, `5m`, `1.5h`, `250ms`; a bare number is in seconds, as in GNU parallel. Gives milliseconds. */
export function parseDuration(flag: string, text: string): number {
  const isNumber = /^\d+(\.\d+)?$/.test(text);
  const wanted = isNumber ? `${text}s` : text;
  const value = /^\d+(\.\d+)?\s*[a-z]+$/i.test(wanted) ? ms(wanted as ms.StringValue) : undefined;
  if (value === undefined || !Number.isFinite(value)) {
    throw wrongUsage(`Cannot read ${flag} "${text}": give a duration like 500ms, 30s, 5m or 2h`);
  }
  return value;
}
