// What differs between a run of a task module and one of a command.
import type { Pool } from "../../index.ts";
import type { Item } from "../input/item.ts";
import type { Formatted, Result } from "../output/format.ts";
import type { StartedPool } from "./start-pool.ts";

export interface Work {
  /** For the progress: what runs, and what its workers are called. */
  readonly names: { readonly name: string; readonly worker: string; readonly workers: string };
  /** Rejects with a complaint where no worker comes up. What is left out is told to `say`. */
  start(signal: AbortSignal, say: (text: string) => void): Promise<StartedPool>;
  /** What a worker is given for the item. Throws a BadInputError where it cannot be given it. */
  inputOf(item: Item): unknown;
  /** What is written for an item, or will be; undefined where nothing is. Throws where its value has no form. */
  format(item: Item, result: Result): Formatted | undefined | Promise<Formatted | undefined>;
  /** What begins the lines that an item's run prints, where that is asked for. */
  tagOf(item: Item): string;
  /** What would run, a line or more. */
  rehearsal(item: Item): string | Uint8Array;
  /** Called before the first item, with what reports a file that cannot be written. */
  open(pool: Pool, onError: (file: string, error: Error) => void): Promise<void>;
  /** An item that went to the pool has its end. */
  settled(item: Item, result: Result): void;
  /** Writes what is left to write. */
  close(): Promise<void>;
}
