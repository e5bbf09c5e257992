// All of a run's input as one sequence of items, read no faster than it is taken.
import type { Header } from "./csv.ts";
import { group } from "./group.ts";
import type { Draft, Item } from "./item.ts";
import { readJson } from "./json.ts";
import { readLines, readNul } from "./lines.ts";
import { readNdjson } from "./ndjson.ts";
import type { Source } from "./source.ts";
import { readValues } from "./values.ts";

export const INPUT_FORMATS = ["ndjson", "lines", "nul", "csv", "tsv", "json"] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];

export interface InputPlan {
  readonly format: InputFormat;
  /** Text that is not UTF-8 is an item of bytes; otherwise it is an item that cannot be read. */
  readonly takesBytes: boolean;
  readonly sources: readonly Source[];
  /** What stood after `:::`; then there are no sources. */
  readonly values: readonly string[] | undefined;
  /** Items per call; undefined for one, which is not wrapped. */
  readonly groupSize: number | undefined;
}

export interface Input {
  readonly batches: AsyncIterable<readonly Item[]>;
  /** How many items there will be, where that is known beforehand. */
  readonly total: number | undefined;
  /** How many bytes there are, where all sources are regular files. */
  readonly totalBytes: number | undefined;
  readonly again: Again;
  /** Lets go of what is being read; the batches end. */
  stop(): void;
}

/** How items are written so that the same program reads them again. */
export interface Again {
  readonly format: InputFormat;
  readonly separator: string;
  /** Known once the first item was read; undefined for formats that have none. */
  header(): string | undefined;
}

/** Opens the input. A JSON document is read whole now; everything else lazily. */
export async function openInput(plan: InputPlan): Promise<Input> {
  const stopping = new AbortController();
  const header: Header = { text: undefined };
  const isWhole = plan.values !== undefined || plan.format === "json";
  const separator = !isWhole && plan.format === "nul" ? "\0" : "\n";
  const whole = isWhole ? await readWhole(plan, stopping.signal) : undefined;
  const drafts = whole ? inOneBatch(whole) : readSources(plan, header, stopping.signal);
  const sizes = plan.sources.map((source) => source.size);
  return {
    batches: numbered(plan.groupSize === undefined ? drafts : group(drafts, plan.groupSize, separator)),
    total: whole && Math.ceil(whole.length / (plan.groupSize ?? 1)),
    totalBytes: sizes.length > 0 && sizes.every((size) => size !== undefined) ? sum(sizes) : undefined,
    again: { format: isWhole ? "ndjson" : plan.format, separator, header: () => header.text },
    stop: () => stopping.abort(),
  };
}

async function readWhole(plan: InputPlan, signal: AbortSignal): Promise<readonly Draft[]> {
  if (plan.values) return readValues(plan.values);
  const documents: (readonly Draft[])[] = [];
  for (const source of plan.sources) documents.push(await readJson(source, signal));
  return documents.flat();
}

async function* inOneBatch(drafts: readonly Draft[]): AsyncGenerator<readonly Draft[]> {
  yield drafts;
}

async function* readSources(plan: InputPlan, header: Header, signal: AbortSignal): AsyncGenerator<readonly Draft[]> {
  for (const source of plan.sources) {
    if (signal.aborted) return;
    yield* readSource(plan, source.name, source.open(signal), header);
  }
}

function readSource(
  { format, takesBytes }: InputPlan,
  name: string,
  chunks: AsyncIterable<Buffer>,
  header: Header,
): AsyncIterable<readonly Draft[]> {
  switch (format) {
    case "lines":
      return readLines(name, chunks, takesBytes);
    case "nul":
      return readNul(name, chunks, takesBytes);
    case "csv":
      return readRows(name, chunks, ",", header);
    case "tsv":
      return readRows(name, chunks, "\t", header);
    case "ndjson":
    case "json":
      return readNdjson(name, chunks);
  }
}

/** The parser is loaded when it is needed. */
async function* readRows(
  name: string,
  chunks: AsyncIterable<Buffer>,
  separator: "," | "\t",
  header: Header,
): AsyncGenerator<readonly Draft[]> {
  const { readCsv } = await import("./csv.ts");
  yield* readCsv(name, chunks, separator, header);
}

async function* numbered(batches: AsyncIterable<readonly Draft[]>): AsyncGenerator<readonly Item[]> {
  let seq = 0;
  for await (const drafts of batches) {
    for (const draft of drafts) draft.seq = ++seq;
    yield drafts;
  }
}

function sum(sizes: readonly (number | undefined)[]): number {
  return sizes.reduce<number>((total, size) => total + (size ?? 0), 0);
}
