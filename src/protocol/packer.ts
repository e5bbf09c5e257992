// Gathers plain data to be sent together: primitives, and plain objects and arrays of them, as columns (see `packing.ts`).
//
// Values that travel in one message must not be the caller's own objects. A structured clone keeps identity across the whole
// message, so two tasks that hold the same object would see each other's changes; and what waits to be sent may be changed
// meanwhile. What is written here is a copy, safe from both. What is not plain, or large, is not taken: it leaves in a message of its
// own, at once.
import { DeepColumns } from "./deep-columns.ts";
import { FlatColumns } from "./flat-columns.ts";
import { FEWEST_NUMBERS, NumberList, packNumbers } from "./number-list.ts";
import { isNumbers, type MaybePacked, unpack, type Values } from "./packing.ts";

/** What all values have been so far. */
type Kind = "numbers" | "flat" | "deep";

export class Packer {
  #kind: Kind = "numbers";
  readonly #numbers = new NumberList();
  readonly #flat: FlatColumns;
  readonly #deep: DeepColumns;

  /** @param isProxy tells proxies, which look like what they stand for and have no structured clone */
  constructor(isProxy: (value: object) => boolean) {
    this.#flat = new FlatColumns(isProxy);
    this.#deep = new DeepColumns(isProxy);
  }

  get count(): number {
    if (this.#kind === "numbers") return this.#numbers.length;
    return this.#kind === "flat" ? this.#flat.count : this.#deep.count;
  }

  /** Takes the value; false where it has to go by itself. Never throws. */
  add(value: unknown): boolean {
    switch (this.#kind) {
      case "numbers":
        if (typeof value === "number") {
          this.#numbers.push(value);
          return true;
        }
        if (this.#numbers.length > 0 || typeof value !== "object" || value === null) break;
        if (!this.#flat.begin(value)) break;
        this.#kind = "flat";
        return true;
      case "flat":
        if (this.#flat.add(value)) return true;
        break;
      case "deep":
        return this.#deep.add(value);
    }
    this.#deepen();
    return this.#deep.add(value);
  }

  /** What was taken since the last call, as it is sent. */
  take(): MaybePacked {
    const kind = this.#kind;
    this.#kind = "numbers";
    if (kind === "flat") return this.#flat.take();
    if (kind === "deep") return this.#deep.take();
    const numbers = this.#numbers.take();
    return isNumbers(numbers) ? packNumbers(numbers, 0, numbers.length)! : numbers;
  }

  /** Something else came: what there is goes where anything can go. */
  #deepen(): void {
    const values = unpack(this.#kind === "flat" ? this.#flat.take() : this.#numbers.take());
    this.#kind = "deep";
    for (const value of values) this.#deep.add(value);
  }
}

/** The list packed, or as it is where something in it cannot be. */
export function pack(values: Values, isProxy: (value: object) => boolean): MaybePacked {
  if (isNumbers(values)) return values;
  if (values.length >= FEWEST_NUMBERS) {
    const numbers = packNumbers(values, 0, values.length);
    if (numbers !== undefined) return numbers;
  }
  const packer = new Packer(isProxy);
  for (const value of values) if (!packer.add(value)) return values;
  return packer.take();
}
