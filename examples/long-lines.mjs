// Streaming with the library: the first few long lines of a file, and not a byte more of it than that takes.
//
//   node examples/long-lines.mjs package-lock.json 100
import { Pool } from "manyhands";
import { threads } from "manyhands/threads";

const [file = "package-lock.json", longerThan = "100"] = process.argv.slice(2);
const pool = new Pool(threads(new URL("./word-count.mjs", import.meta.url), { size: 1 }));
try {
  let shown = 0;
  for await (const { number, line } of pool.stream("longLines", { file, longerThan: Number(longerThan) })) {
    console.log(`${number}: ${line.slice(0, 60)}… (${line.length})`);
    if (++shown === 3) break; // the task in the worker stops, too: its finally runs and the file is closed
  }
} finally {
  await pool.close();
}
