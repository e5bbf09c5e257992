import { isUtf8 } from "node:buffer";
import { messageOf } from "../complaint.ts";
import { BadInputError, type Draft } from "./item.ts";
import { NEWLINE, splitRecords, withoutMark } from "./records.ts";

/** Every line is one JSON value; blank lines are none. A line that is no JSON is an item that has failed. */
export async function* readNdjson(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Draft[]> {
  let line = 0;
  let skipped = 0;
  for await (const records of splitRecords(chunks, NEWLINE)) {
    const drafts: Draft[] = [];
    for (const record of records) {
      line++;
      const raw = line === 1 ? withoutMark(record) : record;
      const text = raw.toString("utf8");
      const bytes = record.length + 1;
      if (text.trim() === "") {
        skipped += bytes;
        continue;
      }
      drafts.push({ ...parse(file, line, raw, text), raw, bytes: bytes + skipped, file, line, lastLine: line });
      skipped = 0;
    }
    yield drafts;
  }
}

function parse(file: string, line: number, raw: Buffer, text: string): Pick<Draft, "value" | "problem"> {
  if (!isUtf8(raw)) return { value: undefined, problem: new BadInputError(file, line, "JSON: it is not UTF-8") };
  try {
    return { value: JSON.parse(text), problem: undefined };
  } catch (error) {
    const problem = new BadInputError(file, line, `JSON: ${messageOf(error)}`, { cause: error });
    return { value: undefined, problem };
  }
}
