// Hosts in processes of their own and pools of a test, which are gone after it.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type GearmanOptions, gearman } from "../../src/backends/gearman/index.ts";
import { Pool, type PoolOptions } from "../../src/index.ts";
import { until } from "../../src/testing/stage.ts";
import type { HostPlan } from "./fixtures/host-plan.ts";
import type * as tasks from "./fixtures/tasks.ts";
import type { Ending } from "./server.ts";

export type Tasks = typeof tasks;

const program = new URL("./fixtures/host.ts", import.meta.url);
const module = new URL("./fixtures/tasks.ts", import.meta.url).href;

/** How tests beat: what hangs is found out in half a second. */
export const FAST: { readonly heartbeatMs: number } = { heartbeatMs: 100 };

/** Ends last what was begun first: pools before hosts, and servers at last. */
export function inReverse(t: Ending): Ending {
  const ends: (() => unknown)[] = [];
  t.after(async () => {
    for (const end of ends.toReversed()) await end();
  });
  return { after: (end) => void ends.push(end) };
}

export class HostProcess {
  readonly #process: ChildProcess;

  constructor(child: ChildProcess) {
    this.#process = child;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Resolves to its status when it has ended; null after a signal. */
  async ended(): Promise<number | null> {
    if (!this.hasEnded) await once(this.#process, "exit");
    return this.#process.exitCode;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }
}

/** A host that serves the tasks of these tests, with two hands if nothing else is said. */
export async function startHost(
  t: Ending,
  servers: readonly string[],
  plan: Partial<HostPlan> = {},
): Promise<HostProcess> {
  const whole: HostPlan = { servers, namespace: "manyhands", module, hands: 2, ...FAST, ...plan };
  const child = fork(program, [JSON.stringify(whole)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const host = new HostProcess(child);
  t.after(() => host.kill());
  await once(child, "message");
  return host;
}

export function openPool(
  t: Ending,
  servers: readonly string[],
  options: GearmanOptions = {},
  poolOptions: PoolOptions = {},
): Pool<Tasks> {
  const pool = new Pool<Tasks>(gearman(servers, { ...FAST, ...options }), poolOptions);
  t.after(() => pool.terminate());
  return pool;
}

/** So many workers are up, and no others there. */
export async function workersUp(pool: Pool<Tasks>, count: number): Promise<void> {
  const isSo = (): boolean => {
    const workers = pool.workers();
    return workers.length === count && workers.every(({ state }) => state !== "starting");
  };
  await until(isSo, `${count} workers to be up`);
}
