// jest-worker, on threads and on processes (there with JSON, which is faster for small values). It cannot transfer.
import { fileURLToPath } from "node:url";
import { Worker } from "jest-worker";

export async function open(task, { kind, size }) {
  const farm = new Worker(fileURLToPath(new URL("jest-worker-tasks.cjs", import.meta.url)), {
    enableWorkerThreads: kind === "threads",
    exposedMethods: [task],
    numWorkers: size,
    ...(kind === "processes" && { forkOptions: { serialization: "json" } }),
  });
  await farm.start();
  return { run: farm[task] };
}
