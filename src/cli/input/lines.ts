import { BadInputError, type Draft, toDraft } from "./item.ts";
import { NEWLINE, NUL, splitRecords, type TextRecord } from "./records.ts";

/** Every line is a string, the empty one too. A carriage return before the line's end belongs to the line's end. */
export async function* readLines(
  file: string,
  chunks: AsyncIterable<Buffer>,
  takesBytes: boolean,
): AsyncGenerator<readonly Draft[]> {
  let line = 0;
  for await (const records of splitRecords(chunks, NEWLINE)) {
    yield records.map((record) => {
      line++;
      const isLong = typeof record === "string" && record.endsWith("\r");
      const raw = isLong ? record.slice(0, -1) : record;
      return toText(file, line, raw, Buffer.byteLength(record) + 1, takesBytes);
    });
  }
}

/** Every string ends in a NUL byte and is taken exactly, as `find -print0` writes them. */
export async function* readNul(
  file: string,
  chunks: AsyncIterable<Buffer>,
  takesBytes: boolean,
): AsyncGenerator<readonly Draft[]> {
  let position = 0;
  for await (const records of splitRecords(chunks, NUL)) {
    yield records.map((record) => toText(file, ++position, record, Buffer.byteLength(record) + 1, takesBytes));
  }
}

function toText(file: string, line: number, raw: TextRecord, bytes: number, takesBytes: boolean): Draft {
  if (typeof raw === "string" || takesBytes) return toDraft(raw, undefined, raw, bytes, file, line);
  return toDraft(undefined, new BadInputError(file, line, "text: it is not UTF-8"), raw, bytes, file, line);
}
