import { isUtf8 } from "node:buffer";
import { BadInputError, type Draft } from "./item.ts";
import { NEWLINE, NUL, splitRecords, withoutMark } from "./records.ts";

const CARRIAGE_RETURN = 0x0d;

/** Every line is a string, the empty one too. A carriage return before the line's end belongs to the line's end. */
export async function* readLines(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Draft[]> {
  let line = 0;
  for await (const records of splitRecords(chunks, NEWLINE)) {
    yield records.map((record) => {
      line++;
      const marked = line === 1 ? withoutMark(record) : record;
      const raw = marked.at(-1) === CARRIAGE_RETURN ? marked.subarray(0, -1) : marked;
      return toDraft(file, line, raw, record.length + 1);
    });
  }
}

/** Every string ends in a NUL byte and is taken exactly, as `find -print0` writes them. */
export async function* readNul(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Draft[]> {
  let position = 0;
  for await (const records of splitRecords(chunks, NUL)) {
    yield records.map((record) => toDraft(file, ++position, record, record.length + 1));
  }
}

function toDraft(file: string, line: number, raw: Buffer, bytes: number): Draft {
  const problem = isUtf8(raw) ? undefined : new BadInputError(file, line, "text: it is not UTF-8");
  return { value: raw.toString("utf8"), problem, raw, bytes, file, line, lastLine: line };
}
