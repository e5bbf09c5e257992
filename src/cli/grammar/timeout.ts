import { wrongUsage } from "../complaint.ts";
import { parseDuration } from "./duration.ts";

/** How long one item may take: a fixed time, or a percent of the median of those that succeeded so far. */
export type TimeoutRule =
  | { readonly kind: "fixed"; readonly ms: number }
  | { readonly kind: "median"; readonly percent: number };

export function parseTimeout(text: string): TimeoutRule {
  const [, percent] = /^(\d+)%$/.exec(text) ?? [];
  if (percent === undefined) {
    const ms = parseDuration("--timeout", text);
    if (ms <= 0) throw wrongUsage(`Cannot read --timeout "${text}": it must be more than nothing`);
    return { kind: "fixed", ms };
  }
  if (Number(percent) <= 100) {
    throw wrongUsage(
      `Cannot read --timeout "${text}": a percent of the median must be above 100%, or half of the items would time out`,
    );
  }
  return { kind: "median", percent: Number(percent) };
}
