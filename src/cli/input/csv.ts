// Rows under a header, as objects of strings: RFC 4180 by csv-parse, and tab-separated values, which know no quotes.
import { type CsvError, type InfoRecord, type Options, type Parser, parse } from "csv-parse";
import { messageOf, wrongUsage } from "../complaint.ts";
import { BadInputError, type Draft, toDraft } from "./item.ts";

/** What must not grow without end when a quote is never closed. */
const LONGEST_ROW = 64 * 1024 * 1024;

/** The header that all files of one run share, as it would be written again. */
export interface Header {
  text: string | undefined;
}

export async function* readCsv(
  file: string,
  chunks: AsyncIterable<Buffer>,
  separator: "," | "\t",
  header: Header,
): AsyncGenerator<readonly Draft[]> {
  let drafts: Draft[] = [];
  let line = 1;
  let offset = 0;
  let previousEnd = 0;
  let refusal: Error | undefined;

  const take = (value: unknown, problem: BadInputError | undefined, raw: string, info: InfoRecord) => {
    const size = Buffer.byteLength(raw);
    // The parser counts bytes up to the last character it looked at; the raw text is exact but for what lies between rows.
    const bytes = Math.max(size, info.bytes - previousEnd);
    previousEnd = Math.max(previousEnd + size, info.bytes);
    offset += bytes;
    drafts.push(toDraft(value, problem, raw.replaceAll(/^[\r\n]+|[\r\n]+$/g, ""), bytes, file, line, info.lines));
    line = info.lines + 1;
  };
  const options: Options = {
    delimiter: separator,
    bom: true,
    info: true,
    raw: true,
    relax_quotes: true,
    max_record_size: LONGEST_ROW,
    skip_empty_lines: true,
    skip_records_with_error: true,
    ...(separator === "\t" ? { quote: false } : {}),
    columns: (names: string[]) => {
      // Thrown below: the parser does not expect it here.
      refusal = refuseHeader(file, names, separator, header);
      line = 2;
      return names;
    },
    // Rows are taken here and not from the stream: a good one and a bad one come in the order of the file.
    on_record: (found: unknown, context: InfoRecord) => {
      const row = found as { record: unknown; raw: string };
      take(row.record, undefined, row.raw, context);
      return null;
    },
    on_skip: (error: CsvError | undefined, raw: string | undefined) => {
      const info = error as unknown as InfoRecord;
      line = Math.min(line, info.lines);
      take(undefined, new BadInputError(file, line, `a row: ${messageOf(error)}`, { cause: error }), raw ?? "", info);
    },
  };
  const parser = parse(options);
  parser.resume();
  for await (const chunk of chunks) {
    await written(parser, (done) => parser.write(chunk, done));
    if (refusal) throw refusal;
    if (drafts.length > 0) yield drafts;
    drafts = [];
  }
  await written(parser, (done) => parser.end(done));
  if (refusal) throw refusal;
  if (drafts.length > 0) yield drafts;
}

/** Resolves when the parser has gone through what it was given; rejects with its error. */
function written(parser: Parser, give: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.once("error", reject);
    give((error) => {
      parser.off("error", reject);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Takes the header of the first file over; the others must have the same. */
function refuseHeader(file: string, names: readonly string[], separator: string, header: Header): Error | undefined {
  const text = names.map((name) => quoteIfNeeded(name, separator)).join(separator);
  header.text ??= text;
  if (header.text === text) return undefined;
  return wrongUsage(
    `Cannot read "${file}": its columns (${text}) are not those of the file before it (${header.text})`,
  );
}

function quoteIfNeeded(name: string, separator: string): string {
  return separator === "," && /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
