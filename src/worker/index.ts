/**
 * What a task module imports.
 *
 *     import { type TaskContext, DeferTask } from "manyhands/worker";
 *
 *     export async function fetchPage(url: string, ctx: TaskContext) {
 *       const response = await fetch(url, { signal: ctx.signal });
 *       if (response.status === 429) throw new DeferTask({ delayMs: 10_000 });
 *       return await response.text();
 *     }
 *
 * @module
 */
export { DeferTask, PermanentError, WorkerBusy } from "../protocol/throwables.ts";
export { type ServeOptions, serve } from "./serve.ts";
export type { TaskContext } from "./task-context.ts";
export { transfer } from "./transfer.ts";
