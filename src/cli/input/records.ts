// Splits a byte stream at one byte. Knows nothing of what is between.

export const NEWLINE = 0x0a;
export const NUL = 0x00;

/** The records of every chunk, without their delimiter; what follows the last delimiter is a record unless it is empty. */
export async function* splitRecords(
  chunks: AsyncIterable<Buffer>,
  delimiter: number,
): AsyncGenerator<readonly Buffer[]> {
  let begun: Buffer[] = [];
  for await (const chunk of chunks) {
    const records: Buffer[] = [];
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(delimiter, from);
      if (at < 0) break;
      const end = chunk.subarray(from, at);
      records.push(begun.length === 0 ? end : Buffer.concat([...begun, end]));
      begun = [];
      from = at + 1;
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
    if (records.length > 0) yield records;
  }
  if (begun.length > 0) yield [Buffer.concat(begun)];
}

/** The text without a byte order mark. */
export function withoutMark(record: Buffer): Buffer {
  return record[0] === 0xef && record[1] === 0xbb && record[2] === 0xbf ? record.subarray(3) : record;
}
