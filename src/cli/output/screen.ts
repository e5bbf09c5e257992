/** Lines at the bottom of a terminal that are redrawn in place, with other text going past above them. */
export class Screen {
  readonly #write: (text: string) => void;
  #lines: readonly string[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  draw(lines: readonly string[]): void {
    this.#write(`${this.#home()}${shown(lines)}`);
    this.#lines = lines;
  }

  /** Whole lines, above what is drawn. */
  print(text: string): void {
    if (this.#lines.length === 0) this.#write(text);
    else this.#write(`${this.#home()}${CLEAR_BELOW}${text}${shown(this.#lines)}`);
  }

  clear(): void {
    if (this.#lines.length > 0) this.#write(`${this.#home()}${CLEAR_BELOW}`);
    this.#lines = [];
  }

  #home(): string {
    const up = this.#lines.length - 1;
    return up < 0 ? "" : `\r${up > 0 ? `\u001b[${up}A` : ""}`;
  }
}

const CLEAR_LINE_END = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

function shown(lines: readonly string[]): string {
  return lines.map((line) => `${line}${CLEAR_LINE_END}`).join("\n");
}
