import { wrongUsage } from "../complaint.ts";

/** How many workers `-j` asks for: `8`, `50%` of the machine's parallelism (at least one), or `auto` for all of it. */
export function parseJobs(text: string, parallelism: number): number {
  if (text === "auto") return parallelism;
  const [, digits, percent] = /^(\d+)(%?)$/.exec(text) ?? [];
  const value = Number(digits);
  if (digits === undefined || value < 1 || !Number.isSafeInteger(value)) {
    throw wrongUsage(
      `Cannot read -j "${text}": give a number of workers, a percent of the processors like 50%, or auto`,
    );
  }
  return percent === "%" ? Math.max(1, Math.floor((parallelism * value) / 100)) : value;
}
