// poolifier: thread pools and cluster pools. `queue` is the number of tasks a worker may run at once with its task queue
// on; without it the queue is off and every task is sent at once.
import { fileURLToPath } from "node:url";
import { FixedClusterPool, FixedThreadPool } from "poolifier";

export async function open(task, { kind, size, queue = 0 }) {
  process.env.BENCH_TASK = task;
  const options = {
    enableEvents: false,
    ...(queue > 0 && { enableTasksQueue: true, tasksQueueOptions: { concurrency: queue } }),
  };
  const pool =
    kind === "threads"
      ? new FixedThreadPool(size, fileURLToPath(new URL("poolifier-thread.mjs", import.meta.url)), options)
      : new FixedClusterPool(size, fileURLToPath(new URL("poolifier-cluster.cjs", import.meta.url)), options);
  return {
    run: (input) => pool.execute(input),
    runMoved: (bytes) => pool.execute(bytes, undefined, undefined, [bytes.buffer]),
  };
}
