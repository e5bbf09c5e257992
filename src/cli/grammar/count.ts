import { wrongUsage } from "../complaint.ts";

/** Reads a whole number of at least `least`, written plainly or like 1e6. */
export function parseCount(flag: string, text: string, least: number): number {
  const value = /^\d+(\.\d+)?(e\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least) {
    throw wrongUsage(`Cannot read ${flag} "${text}": give a whole number, ${least} or more`);
  }
  return value;
}
