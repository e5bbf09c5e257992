// manyhands as it is built, in its plain configuration.
import { Pool } from "../../dist/index.js";

const tasks = new URL("../tasks.mjs", import.meta.url);

export async function open(task, { kind, size }) {
  const backend =
    kind === "threads"
      ? (await import("../../dist/backends/threads/index.js")).threads(tasks, { size })
      : (await import("../../dist/backends/processes/index.js")).processes(tasks, { size });
  const pool = new Pool(backend);
  return {
    pool,
    run: (input) => pool.run(task, input),
    runMoved: (bytes) => pool.run(task, bytes, { transfer: [bytes.buffer] }),
    map: (name, inputs) => pool.map(name, inputs),
  };
}
