// What tasks print, as whole lines: pieces of two tasks never share a line.

export interface Print {
  readonly workerId: string;
  readonly stream: string;
  readonly text: string;
  /** What every line of it begins with; empty for nothing. */
  readonly tag: string;
}

/** A line that never ends is cut here. */
const LONGEST_LINE = 64 * 1024;

export class Prints {
  readonly #begun: Map<string, Print> = new Map();
  readonly #show: (lines: string) => void;

  constructor(show: (lines: string) => void) {
    this.#show = show;
  }

  add(print: Print): void {
    const key = `${print.stream}\n${print.workerId}`;
    const begun = this.#begun.get(key);
    // Another task's rest is not this one's beginning.
    if (begun && begun.tag !== print.tag) this.#finish(key, begun);
    const text = (this.#begun.get(key)?.text ?? "") + print.text;
    const end = text.lastIndexOf("\n") + 1;
    if (end > 0) this.#show(tagged(text.slice(0, end), print.tag));
    const rest = text.slice(end);
    if (rest === "") this.#begun.delete(key);
    else if (rest.length > LONGEST_LINE) this.#finish(key, { ...print, text: rest });
    else this.#begun.set(key, { ...print, text: rest });
  }

  /** Shows what was begun and not ended. */
  end(): void {
    for (const [key, print] of this.#begun) this.#finish(key, print);
  }

  #finish(key: string, print: Print): void {
    this.#begun.delete(key);
    this.#show(tagged(`${print.text}\n`, print.tag));
  }
}

function tagged(lines: string, tag: string): string {
  return tag === "" ? lines : lines.replaceAll(/^(?=.|\n)/gm, () => `${tag}\t`);
}
