// What is counted of a run as items settle: progress, failures by cause, and whether it is time to halt.
import { type Failures, toFailure } from "../../observe/failures.ts";
import type { Progress } from "../../observe/progress.ts";
import { type HaltRule, isHalted } from "../grammar/halt.ts";
import { type Item, placeOf } from "../input/item.ts";
import { toJson } from "../output/json.ts";
import { printable } from "../output/summary-text.ts";

const LONGEST_EXAMPLE = 80;

export class Tally {
  readonly #progress: Progress;
  readonly #failures: Failures;
  readonly #halt: HaltRule;
  readonly #onHalt: (rule: HaltRule) => void;
  #unfinished = 0;
  #isHalted = false;

  constructor(progress: Progress, failures: Failures, halt: HaltRule, onHalt: (rule: HaltRule) => void) {
    this.#progress = progress;
    this.#failures = failures;
    this.#halt = halt;
    this.#onHalt = onHalt;
  }

  get unfinished(): number {
    return this.#unfinished;
  }

  succeeded(item: Item, runMs: number): void {
    this.#progress.apply({ kind: "settled", ok: true, runMs, bytes: item.bytes });
    this.#checkHalt();
  }

  failed(item: Item, error: unknown, runMs: number): void {
    this.#progress.apply({ kind: "settled", ok: false, runMs, bytes: item.bytes });
    this.#failures.add(toFailure(error), item.seq, () => describe(item));
    this.#checkHalt();
  }

  notFinished(): void {
    this.#unfinished++;
  }

  #checkHalt(): void {
    if (this.#halt.when === "never" || this.#isHalted || !isHalted(this.#halt, this.#progress)) return;
    this.#isHalted = true;
    this.#onHalt(this.#halt);
  }
}

/** `item 212, in.ndjson:212: {"file":"a.png"}` */
export function describe(item: Item): string {
  const place = placeOf(item);
  return `item ${item.seq}${place === undefined ? "" : `, ${printable(place, LONGEST_EXAMPLE)}`}: ${previewOf(item)}`;
}

/** The item in a few words, on one line. */
export function previewOf({ problem, raw, value }: Item): string {
  if (problem) return printable(Buffer.from(raw as string).toString("utf8", 0, LONGEST_EXAMPLE * 4), LONGEST_EXAMPLE);
  if (Buffer.isBuffer(value)) return printable(value.toString("utf8", 0, LONGEST_EXAMPLE * 4), LONGEST_EXAMPLE);
  return printable(typeof value === "string" ? value : toJson(value), LONGEST_EXAMPLE);
}
