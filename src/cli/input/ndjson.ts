import { messageOf } from "../complaint.ts";
import { BadInputError, type Draft, toDraft } from "./item.ts";
import { NEWLINE, splitRecords } from "./records.ts";

/** Every line is one JSON value; blank lines are none. A line that is no JSON is an item that has failed. */
export async function* readNdjson(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Draft[]> {
  let line = 0;
  let skipped = 0;
  for await (const records of splitRecords(chunks, NEWLINE)) {
    const drafts: Draft[] = [];
    for (const record of records) {
      line++;
      const bytes = Buffer.byteLength(record) + 1 + skipped;
      skipped = 0;
      let value: unknown;
      let problem: BadInputError | undefined;
      try {
        if (typeof record !== "string") throw new Error("it is not UTF-8");
        value = JSON.parse(record);
      } catch (error) {
        if (typeof record === "string" && record.trim() === "") {
          skipped = bytes;
          continue;
        }
        problem = new BadInputError(file, line, `JSON: ${messageOf(error)}`, { cause: error });
      }
      drafts.push(toDraft(value, problem, record, bytes, file, line));
    }
    yield drafts;
  }
}
