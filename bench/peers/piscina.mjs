// piscina: threads only. `eachWorker` is its concurrentTasksPerWorker.
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";

export async function open(task, { size, eachWorker = 1, atomics = "sync" }) {
  const pool = new Piscina({
    filename: fileURLToPath(new URL("../tasks.mjs", import.meta.url)),
    name: task,
    minThreads: size,
    maxThreads: size,
    concurrentTasksPerWorker: eachWorker,
    atomics,
    recordTiming: false,
  });
  return {
    run: (input) => pool.run(input),
    runMoved: (bytes) => pool.run(bytes, { transferList: [bytes.buffer] }),
  };
}
