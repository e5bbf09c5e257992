// workerpool, on threads and on processes, with a script of its own.
import { fileURLToPath } from "node:url";
import workerpool from "workerpool";

export async function open(task, { kind, size }) {
  const pool = workerpool.pool(fileURLToPath(new URL("workerpool-worker.mjs", import.meta.url)), {
    workerType: kind === "threads" ? "thread" : "process",
    minWorkers: size,
    maxWorkers: size,
  });
  return {
    run: (input) => pool.exec(task, [input]),
    runMoved: (bytes) => pool.exec(task, [bytes], { transfer: [bytes.buffer] }),
  };
}
