// manyhands as it is built, in its plain configuration.
import { fileURLToPath } from "node:url";
import { Pool } from "../../dist/index.js";

const tasks = new URL("../tasks.mjs", import.meta.url);

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const backends = {
  threads: async (size) => (await import("../../dist/backends/threads/index.js")).threads(tasks, { size }),
  processes: async (size) => (await import("../../dist/backends/processes/index.js")).processes(tasks, { size }),
  node: async (size) => (await command())([process.execPath, file("../programs/serve.mjs")], { size }),
  python: async (size) =>
    (await command())(["python3", file("../programs/increment.py")], {
      size,
      env: { PYTHONPATH: file("../../clients/python") },
    }),
};

async function command() {
  return (await import("../../dist/backends/command/index.js")).command;
}

export async function open(task, { kind, size }) {
  const pool = new Pool(await backends[kind](size));
  return {
    pool,
    run: (input) => pool.run(task, input),
    runMoved: (bytes) => pool.run(task, bytes, { transfer: [bytes.buffer] }),
    map: (name, inputs) => pool.map(name, inputs),
    imap: (name, inputs) => pool.imap(name, inputs),
  };
}
