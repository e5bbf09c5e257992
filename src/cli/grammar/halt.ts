import { wrongUsage } from "../complaint.ts";

/** When to stop early, in GNU parallel's grammar. */
export type HaltRule =
  | { readonly when: "never" }
  | {
      /** `soon` finishes what runs; `now` kills it. */
      readonly when: "now" | "soon";
      readonly why: "fail" | "success" | "done";
      readonly limit: number;
      readonly isPercent: boolean;
    };

export interface HaltCounts {
  readonly ok: number;
  readonly failed: number;
  /** How many items there are in all; undefined while nobody knows. */
  readonly total: number | undefined;
}

const SHORT_FORMS: Readonly<Record<string, string>> = {
  "0": "never",
  "1": "soon,fail=1",
  "2": "now,fail=1",
  "-1": "soon,success=1",
  "-2": "now,success=1",
};
/** While the total is unknown, a share of failures counts only from this many on: one early failure is not 100 %. */
const FEWEST_FAILURES = 3;

/** Reads `never`, `now|soon,fail|success|done=N|N%`, and the short forms 0, 1, 2, -1, -2 and N%. */
export function parseHalt(text: string): HaltRule {
  const long = SHORT_FORMS[text] ?? text.replace(/^(\d+%)$/, "soon,fail=$1");
  if (long === "never") return { when: "never" };
  const [, when, why, digits, percent] = /^(now|soon),(fail|success|done)=(\d+)(%?)$/.exec(long) ?? [];
  const limit = Number(digits);
  if (when === undefined || limit < 1 || (percent === "%" && limit > 100)) {
    throw wrongUsage(
      `Cannot read --halt "${text}": give never, or now or soon, then fail, success or done, then a number or a percent, as in soon,fail=3 or now,fail=10%`,
    );
  }
  return { when: when as "now" | "soon", why: why as "fail" | "success" | "done", limit, isPercent: percent === "%" };
}

/** A percent of successes or of all items means nothing before the total is known; a percent of failures does. */
export function needsTotal(rule: HaltRule): boolean {
  return rule.when !== "never" && rule.isPercent && rule.why !== "fail";
}

export function isHalted(rule: HaltRule, counts: HaltCounts): boolean {
  if (rule.when === "never") return false;
  const done = counts.ok + counts.failed;
  const reached = { fail: counts.failed, success: counts.ok, done }[rule.why];
  if (!rule.isPercent) return reached >= rule.limit;
  if (counts.total !== undefined) return reached > 0 && reached * 100 >= counts.total * rule.limit;
  return rule.why === "fail" && reached >= FEWEST_FAILURES && reached * 100 >= done * rule.limit;
}
