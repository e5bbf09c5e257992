// tinypool, on threads and on processes. `eachWorker` is its concurrentTasksPerWorker.
import { fileURLToPath } from "node:url";
import { Tinypool } from "tinypool";

export async function open(task, { kind, size, eachWorker = 1 }) {
  const pool = new Tinypool({
    filename: fileURLToPath(new URL("../tasks.mjs", import.meta.url)),
    name: task,
    runtime: kind === "threads" ? "worker_threads" : "child_process",
    minThreads: size,
    maxThreads: size,
    concurrentTasksPerWorker: eachWorker,
  });
  return {
    run: (input) => pool.run(input),
    runMoved: (bytes) => pool.run(bytes, { transferList: [bytes.buffer] }),
  };
}
