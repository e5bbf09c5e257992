// Turns what a task module exports into the tasks it offers.
import type { TaskContext } from "./task-context.ts";

export type TaskFunction = (input: unknown, context: TaskContext) => unknown;

export interface TaskModule {
  readonly tasks: ReadonlyMap<string, TaskFunction>;
  readonly setup: ((data: unknown) => unknown) | undefined;
  readonly teardown: (() => unknown) | undefined;
}

/** Every exported function is a task, but for `setup` and `teardown`. A default export that is a function is the task `default`. */
export function readTaskModule(namespace: object): TaskModule {
  const functions = new Map<string, TaskFunction>();
  collect(namespace, functions);
  // A CommonJS module may be seen through its default export alone.
  const whole: unknown = Reflect.get(namespace, "default");
  if (typeof whole === "object" && whole !== null) collect(whole, functions);
  const setup = functions.get("setup");
  const teardown = functions.get("teardown");
  functions.delete("setup");
  functions.delete("teardown");
  functions.delete("module.exports");
  return {
    tasks: functions,
    setup: setup as ((data: unknown) => unknown) | undefined,
    teardown: teardown as (() => unknown) | undefined,
  };
}

function collect(from: object, functions: Map<string, TaskFunction>): void {
  for (const key of Object.keys(from)) {
    const value: unknown = Reflect.get(from, key);
    if (typeof value === "function" && !functions.has(key)) functions.set(key, value as TaskFunction);
  }
}

/** Loads a task module. What it throws while loading says what to do, where there is something to do. */
export async function loadTaskModule(url: string): Promise<TaskModule> {
  try {
    return readTaskModule((await import(url)) as object);
  } catch (error) {
    if (isTypeScriptUnsupported(error, url)) {
      throw new Error(
        `Cannot load task module "${url}": Node ${process.versions.node} does not run TypeScript by itself; use Node 22.18 or newer, install "tsx", or give the compiled .js file`,
        { cause: error },
      );
    }
    throw error;
  }
}

function isTypeScriptUnsupported(error: unknown, url: string): boolean {
  return (
    /\.[cm]?tsx?($|[?#])/.test(url) &&
    typeof error === "object" &&
    error !== null &&
    Reflect.get(error, "code") === "ERR_UNKNOWN_FILE_EXTENSION"
  );
}
