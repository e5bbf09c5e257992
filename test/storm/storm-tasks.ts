// What the storm is made of: honest work, and everything that can go wrong in a worker.

import type { TaskContext } from "../../src/worker/index.ts";

export interface Job {
  readonly id: number;
  readonly payload: string;
}

/** Carries its id, so that an answer that went astray is seen. */
export function work({ id, payload }: Job): { id: number; length: number } {
  return { id, length: payload.length };
}

export function fail(id: number): never {
  throw new RangeError(`task ${id} failed`);
}

export function flaky(id: number, ctx: TaskContext): { id: number; isRepeated: boolean } {
  if (ctx.attempt === 1) throw new Error(`task ${id} fails at first`);
  return { id, isRepeated: true };
}

export function exit(id: number): never {
  process.exit(1 + (id % 100));
}

export function overflow(id: number): number {
  return overflow(id + 1) + 1;
}

export function spin(): never {
  for (;;);
}

export async function wait(_id: number, ctx: TaskContext): Promise<never> {
  return await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
}

/** Gives its value, and then an error that nobody awaits. */
export function leaveStray(id: number): number {
  setImmediate(() => void Promise.reject(new Error(`task ${id} left this`)));
  return id;
}
