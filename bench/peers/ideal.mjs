// The least that dividing work among workers can cost: each is told once how many tasks are its share, and answers once.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

export async function open(_task, { size }) {
  const workers = Array.from({ length: size }, () => new Worker(new URL("ideal-worker.mjs", import.meta.url)));
  return {
    async runShares(count, rounds) {
      await Promise.all(
        workers.map((worker, i) => {
          const share = Math.floor(count / size) + (i < count % size ? 1 : 0);
          worker.postMessage([share, rounds]);
          return once(worker, "message");
        }),
      );
    },
  };
}
