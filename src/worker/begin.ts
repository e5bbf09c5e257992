// How a worker in a thread or process of its own comes up: loads the module, sets it up, serves.
import { AsyncLocalStorage } from "node:async_hooks";
import { OUTPUT } from "../protocol/messages.ts";
import { captureOutput } from "./output.ts";
import type { WorkerPort } from "./port.ts";
import { refuseToStart, ServeLoop } from "./serve-loop.ts";
import { reportStrays } from "./strays.ts";
import type { TaskRun } from "./task-context.ts";
import { loadTaskModule, type TaskModule } from "./task-module.ts";

/** What a worker is started with, however it is brought to it. */
export interface WorkerStart {
  /** Of the task module. */
  readonly url: string;
  /** For its `setup`. */
  readonly data: unknown;
  readonly workerId: string;
  /** Tasks at once. */
  readonly concurrency: number;
}

/** Says hello, or why it cannot, over the port. Never rejects; undefined where the worker cannot serve. */
export async function begin(start: WorkerStart, port: WorkerPort): Promise<ServeLoop | undefined> {
  let loop: ServeLoop | undefined;
  const strays = reportStrays();
  captureOutput((stream, text) => {
    if (loop === undefined) port.post([[], [], [], [[OUTPUT, null, stream, text]]]);
    else loop.output(stream, text);
  });
  try {
    const module = await loadTaskModule(start.url);
    const { workerId, concurrency } = start;
    loop = new ServeLoop(port, { workerId, concurrency, module, runs: new AsyncLocalStorage<TaskRun>() });
    strays.to(loop);
    await setUp(module, start.data);
    loop.hello();
    return loop;
  } catch (error) {
    refuseToStart(port, error);
    return undefined;
  }
}

/** A failed setup is told from a module that does not load by its `phase`. */
export async function setUp(module: TaskModule, data: unknown): Promise<void> {
  try {
    await module.setup?.(data);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw Object.assign(new Error(`Cannot set up the task module: ${message}`, { cause }), { phase: "setup" });
  }
}
