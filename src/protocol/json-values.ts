// Values as JSON text, where JSON can say what they are: no Map, no Date, no NaN, no hole in a list.
import { ValueCheck, type ValueFormat } from "./value-check.ts";

const JSON_VALUES: ValueFormat = { name: "JSON", maxDepth: 5_000, hasHalves: true, has: () => false };

export class JsonValues {
  readonly #check: ValueCheck;

  /** @param isProxy tells proxies, which JSON would take for what they stand for */
  constructor(isProxy: (value: object) => boolean) {
    this.#check = new ValueCheck(JSON_VALUES, isProxy);
  }

  /** The value as JSON; undefined for undefined. @throws TypeError that says what has no JSON, and where in the value it stands */
  text(value: unknown): string | undefined {
    if (value === undefined) return undefined;
    this.#check.check(value);
    return JSON.stringify(value);
  }
}
