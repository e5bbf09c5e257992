// Writes what items came to: to the output, and the inputs of the failed ones to their file. Keeps the order where it is asked for.
import type { Again } from "../input/index.ts";
import type { Item } from "../input/item.ts";
import type { Formatted } from "../output/format.ts";
import { openFileSink, openStandardOutput, type Sink } from "../output/sink.ts";
import type { MapSettings } from "./settings.ts";

/** What is to be written for one item. */
export interface Written {
  /** A promise where that is not there yet; it does not reject. */
  readonly text: Formatted | undefined | Promise<Formatted | undefined>;
  /** Its input goes to the file of failed inputs. */
  readonly isForAgain: boolean;
}

/** How many unreadable items may wait for their place among the others before reading waits too. */
const MOST_WAITING = 1000;

/** Opens the files that the settings name; both are emptied. */
export async function openResults(
  { outputFile, failedFile, isOrdered }: MapSettings,
  again: Again,
  onError: (name: string, error: Error) => void,
): Promise<Results> {
  const open = (flag: string, file: string) => openFileSink(flag, file, (error) => onError(file, error));
  const failed = failedFile === undefined ? undefined : await open("--failed", failedFile);
  const output =
    outputFile === undefined
      ? openStandardOutput((error) => onError("standard output", error))
      : await open("-o", outputFile);
  return new Results(output, failed, again, isOrdered);
}

export class Results {
  readonly #output: Sink;
  readonly #failed: Sink | undefined;
  readonly #again: Again;
  readonly #isOrdered: boolean;
  readonly #waiting: { readonly before: number; readonly item: Item; readonly written: Written }[] = [];
  #taken = 0;
  #hasHeader = false;
  #onRoom: () => void = () => {};

  constructor(output: Sink, failed: Sink | undefined, again: Again, isOrdered: boolean) {
    this.#output = output;
    this.#failed = failed;
    this.#again = again;
    this.#isOrdered = isOrdered;
  }

  /** An item that went through the pool; in order, these come in order. A promise where there is no room for more now. */
  add(item: Item, written: Written): Promise<void> | undefined {
    if (written.text instanceof Promise)
      return written.text.then((text) => this.add(item, { text, isForAgain: written.isForAgain }));
    const added = this.#write(item, written);
    this.#taken++;
    return this.#flush(this.#taken) ?? added;
  }

  /** An item that did not go through the pool, after `before` ones that do. A promise where reading has to wait. */
  addUnreadable(item: Item, written: Written, before: number): Promise<void> | undefined {
    if (!this.#isOrdered || before <= this.#taken) return this.#write(item, written);
    this.#waiting.push({ before, item, written });
    if (this.#waiting.length < MOST_WAITING) return undefined;
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** The input of an item that was read and not finished. */
  addUnfinished(item: Item): void {
    void this.#writeAgain(item);
  }

  /** Writes what still waits, and resolves when everything is written. */
  async end(): Promise<void> {
    await this.#flush(Number.POSITIVE_INFINITY);
    await Promise.all([this.#output.end(), this.#failed?.end()]);
  }

  #flush(before: number): Promise<void> | undefined {
    let room: Promise<void> | undefined;
    while (this.#waiting[0] && this.#waiting[0].before <= before) {
      const next = this.#waiting.shift();
      if (next) room = this.#write(next.item, next.written) ?? room;
    }
    if (this.#waiting.length < MOST_WAITING) this.#onRoom();
    return room;
  }

  #write(item: Item, { text, isForAgain }: Written): Promise<void> | undefined {
    const written = text === undefined || text instanceof Promise ? undefined : this.#writeOutput(text);
    return (isForAgain ? this.#writeAgain(item) : undefined) ?? written;
  }

  #writeOutput(output: Formatted): Promise<void> | undefined {
    return typeof output === "string" || output instanceof Uint8Array
      ? this.#output.write(output)
      : this.#writePieces(output);
  }

  /** Nothing else is written meanwhile: what comes in pieces went through the pool, and the next of those waits for this one. */
  async #writePieces(pieces: Iterable<Uint8Array>): Promise<void> {
    for (const piece of pieces) await this.#output.write(piece);
  }

  #writeAgain(item: Item): Promise<void> | undefined {
    const header = this.#again.header();
    if (!this.#hasHeader && header !== undefined) void this.#failed?.write(header + this.#again.separator);
    this.#hasHeader = true;
    if (typeof item.raw === "string") return this.#failed?.write(item.raw + this.#again.separator);
    void this.#failed?.write(item.raw);
    return this.#failed?.write(this.#again.separator);
  }
}
