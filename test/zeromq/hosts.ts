// Pools over ZeroMQ in this process, and their hosts as programs.
import type { TestContext } from "node:test";
import { type ZeromqOptions, zeromq } from "../../src/backends/zeromq/index.ts";
import { Pool, type PoolOptions } from "../../src/index.ts";
import { until } from "../../src/testing/stage.ts";
import { freeUrl, type Program, quick, start } from "./cluster.ts";
import type * as tasks from "./fixtures/hosted-tasks.ts";

export type HostedPool = Pool<typeof tasks>;

/** A pool, terminated after the test. */
export function openPool(t: TestContext, options: ZeromqOptions, pool: PoolOptions = {}): HostedPool {
  const made = new Pool<typeof tasks>(zeromq({ ...quick, ...options }), pool);
  t.after(() => made.terminate());
  return made;
}

/** A pool that has bound, and where. */
export async function boundPool(
  t: TestContext,
  options: Partial<ZeromqOptions> = {},
  poolOptions: PoolOptions = {},
): Promise<{ pool: HostedPool; url: string }> {
  const url = await freeUrl();
  return { pool: openPool(t, { bind: url, ...options }, poolOptions), url };
}

export interface HostOptions {
  readonly connect?: unknown;
  readonly bind?: unknown;
  readonly curve?: unknown;
  readonly id?: string;
  readonly hands?: number;
  readonly backend?: "threads" | "processes";
  readonly module?: string;
  /** How long each `paced` task takes there. */
  readonly data?: { readonly paceMs: number };
}

/** A host as a program of its own. */
export async function startHost(t: TestContext, options: HostOptions): Promise<Program> {
  return await start(t, "host", { hands: 1, ...options });
}

/** So many workers are up. */
export async function workersUp(pool: HostedPool, count: number): Promise<void> {
  const ready = (): number => pool.workers().filter(({ state }) => state !== "starting").length;
  await until(() => ready() === count, `${count} workers`);
}
