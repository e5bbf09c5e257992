// Splits a byte stream at one byte. Knows nothing of what is between.
import { isUtf8 } from "node:buffer";

export const NEWLINE = "\n";
export const NUL = "\0";

/** The text between two delimiters; its bytes where they are not UTF-8. */
export type TextRecord = string | Buffer;

/** The records of every chunk, without their delimiter; what follows the last delimiter is a record unless it is empty. */
export async function* splitRecords(chunks: AsyncIterable<Buffer>, delimiter: string): AsyncGenerator<TextRecord[]> {
  const sign = delimiter.charCodeAt(0);
  let begun: Buffer[] = [];
  let isFirst = true;
  const split = (whole: Buffer): TextRecord[] => {
    const marked = isFirst ? withoutMark(whole) : whole;
    isFirst = false;
    // Decoding a whole chunk at once is much faster than record by record.
    return isUtf8(marked) ? marked.toString("utf8").split(delimiter) : splitBytes(marked, sign);
  };
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(sign);
    if (end < 0) {
      begun.push(chunk);
      continue;
    }
    const ended = chunk.subarray(0, end);
    yield split(begun.length === 0 ? ended : Buffer.concat([...begun, ended]));
    begun = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
  }
  if (begun.length > 0) yield split(Buffer.concat(begun));
}

function splitBytes(bytes: Buffer, sign: number): TextRecord[] {
  const records: TextRecord[] = [];
  for (let from = 0; from <= bytes.length; ) {
    const at = bytes.indexOf(sign, from);
    const end = at < 0 ? bytes.length : at;
    const record = bytes.subarray(from, end);
    records.push(isUtf8(record) ? record.toString("utf8") : record);
    from = end + 1;
  }
  return records;
}

/** The bytes without a byte order mark. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}
