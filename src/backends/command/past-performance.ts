// Which words of argument lists, above all hosts, did well and badly, remembered in a file from run to run.
import { readFileSync, renameSync, writeFileSync } from "node:fs";

const VERSION = 1;
/** What was seen in earlier runs counts less with each. */
const DECAY = 0.8;

interface Tally {
  good: number;
  bad: number;
}

export class PastPerformance {
  readonly #file: string;
  readonly #words = new Map<string, Tally>();

  /** @param warn told of a file that cannot be read: nothing is known then */
  constructor(file: string, warn: (message: string) => void) {
    this.#file = file;
    try {
      this.#read(readFileSync(file, "utf8"));
    } catch (error) {
      if (Reflect.get(error as object, "code") === "ENOENT") return;
      this.#words.clear();
      warn(`Cannot read past performance from ${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** From 0, always bad, to 1, always good; what is not known is in the middle. */
  scoreOf(argv: readonly string[]): number {
    let sum = 0;
    for (const word of argv) {
      const { good, bad } = this.#words.get(word) ?? { good: 0, bad: 0 };
      sum += (good + 1) / (good + bad + 2);
    }
    return argv.length === 0 ? 0.5 : sum / argv.length;
  }

  good(argv: readonly string[]): void {
    for (const word of new Set(argv)) this.#of(word).good++;
  }

  bad(argv: readonly string[]): void {
    for (const word of new Set(argv)) this.#of(word).bad++;
  }

  /** Writes the file whole or not at all. */
  save(): void {
    const text = JSON.stringify({ version: VERSION, words: Object.fromEntries(this.#words) });
    const next = `${this.#file}.${process.pid}.next`;
    writeFileSync(next, `${text}\n`);
    renameSync(next, this.#file);
  }

  #of(word: string): Tally {
    let record = this.#words.get(word);
    if (record === undefined) {
      record = { good: 0, bad: 0 };
      this.#words.set(word, record);
    }
    return record;
  }

  #read(text: string): void {
    const { version, words } = JSON.parse(text) as { version?: unknown; words?: unknown };
    if (version !== VERSION) throw new Error(`its version is ${String(version)}, not ${VERSION}`);
    if (typeof words !== "object" || words === null) throw new Error("it has no words");
    for (const [word, record] of Object.entries(words)) {
      const { good, bad } = record as { good?: unknown; bad?: unknown };
      if (typeof good !== "number" || typeof bad !== "number") throw new Error(`"${word}" has no numbers`);
      this.#words.set(word, { good: good * DECAY, bad: bad * DECAY });
    }
  }
}
