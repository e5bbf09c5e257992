// Words of text files of any size: a file is read as a stream and never held whole.
//
//   manyhands map examples/word-count.mjs#count --out record ::: *.md
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/**
 * @param {string} file
 * @param {import("manyhands/worker").TaskContext} ctx
 * @returns {Promise<{ file: string, lines: number, words: number, different: number, top: [string, number][] }>}
 */
export async function count(file, ctx) {
  const counts = new Map();
  let lines = 0;
  let words = 0;
  for await (const line of readLines(file, ctx.signal)) {
    lines++;
    for (const [word] of line.toLowerCase().matchAll(/\p{L}+/gu)) {
      words++;
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    if (lines % 100_000 === 0) ctx.progress({ file, lines });
  }
  const top = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 5);
  return { file, lines, words, different: counts.size, top };
}

/**
 * A streaming task: what it yields arrives one by one with `pool.stream("longLines", …)`, and it reads no further than that.
 * @param {{ file: string, longerThan: number }} input
 * @param {import("manyhands/worker").TaskContext} ctx
 */
export async function* longLines({ file, longerThan }, ctx) {
  let number = 0;
  for await (const line of readLines(file, ctx.signal)) {
    number++;
    if (line.length > longerThan) yield { number, line };
  }
}

/** The file is closed when the task is cancelled, or its reader stops. */
function readLines(file, signal) {
  return createInterface({ input: createReadStream(file, { signal }), crlfDelay: Number.POSITIVE_INFINITY });
}
