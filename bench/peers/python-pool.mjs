// Python's own multiprocessing.Pool.imap, which measures itself.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../programs/pool.py", import.meta.url));

export async function open(_task, { size }) {
  return {
    ownRate: (count, warmUp) => {
      const args = [program, count, warmUp, size].map(String);
      const { status, stdout, stderr, error } = spawnSync("python3", args, { encoding: "utf8" });
      if (error?.code === "ENOENT") throw new Error("python3 is not installed");
      if (status !== 0) throw new Error(`python3 exited with ${status}: ${stderr.trim()}`);
      return Number(stdout);
    },
  };
}
