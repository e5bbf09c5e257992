// Takes workers out of a pool that goes on: lets them finish, or ends them and gives back what they had.
import { TaskCancelledError } from "../protocol/errors.ts";
import type { TaskId } from "../protocol/messages.ts";
import type { Engine } from "./engine.ts";
import type { WorkerView } from "./worker-view.ts";

/** A task that a detached worker did not finish. */
export interface DetachedTask {
  readonly id: TaskId;
  readonly name: string;
  readonly input: unknown;
}

export interface DetachSettings {
  readonly reassign: boolean;
  /** Undefined: wait until it has finished. */
  readonly graceMs: number | undefined;
}

export async function detachWorker(
  engine: Engine,
  worker: WorkerView,
  settings: DetachSettings,
): Promise<DetachedTask[]> {
  engine.stopWorker(worker);
  return leave(engine, [worker], settings);
}

export async function detachBackend(engine: Engine, index: number, settings: DetachSettings): Promise<DetachedTask[]> {
  return leave(engine, engine.removeBackend(index), settings);
}

async function leave(
  engine: Engine,
  workers: readonly WorkerView[],
  { reassign, graceMs }: DetachSettings,
): Promise<DetachedTask[]> {
  const unfinished: DetachedTask[] = [];
  const areGone = (): boolean => workers.every((worker) => engine.isGone(worker));
  const end = (): void => {
    for (const worker of workers) {
      if (engine.isGone(worker)) continue;
      if (!reassign) unfinished.push(...cancelAll(engine, worker));
      engine.killWorker(worker);
    }
  };
  const gone = engine.until(areGone);
  if (graceMs !== undefined && !areGone()) {
    if (graceMs === 0) end();
    else {
      const timer = setTimeout(end, graceMs);
      await gone;
      clearTimeout(timer);
    }
  }
  await gone;
  return unfinished;
}

function cancelAll(engine: Engine, worker: WorkerView): DetachedTask[] {
  return engine.unansweredOf(worker).map((unit) => {
    const { id, name, input } = unit;
    const error = new TaskCancelledError(
      `Cannot finish task "${name}" (id ${String(id)}): worker ${worker.id} was detached`,
      {
        taskId: id,
      },
    );
    unit.end(error);
    return { id, name, input };
  });
}
