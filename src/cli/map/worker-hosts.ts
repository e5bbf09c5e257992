// Where workers run, for records: also of those that are gone.
import { hostname } from "node:os";
import type { Pool } from "../../index.ts";

const LOCAL = "local";

export class WorkerHosts {
  readonly #hosts = new Map<string, string>();

  watch(pool: Pool): void {
    pool.on("workerUp", ({ worker: { id, host } }) => {
      if (host !== hostname()) this.#hosts.set(id, host);
    });
  }

  /** `local` for this machine, and for what never ran. */
  of(workerId: string | undefined): string {
    return (workerId === undefined ? undefined : this.#hosts.get(workerId)) ?? LOCAL;
  }
}
