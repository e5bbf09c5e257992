// Turns what a task module exports into the tasks it offers.
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
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

/**
 * Loads a task module. TypeScript goes through `tsx`, installed beside the module, where Node does not run it by itself.
 *
 * @throws what the module throws while it loads; for TypeScript that nothing here can run, an error that says what to do
 */
export async function loadTaskModule(url: string): Promise<TaskModule> {
  const isOwnBusiness = /\.[cm]?tsx?($|[?#])/.test(url) && !(process.features as { typescript?: unknown }).typescript;
  return readTaskModule(isOwnBusiness ? await importTypeScript(url) : ((await import(url)) as object));
}

async function importTypeScript(url: string): Promise<object> {
  let tsx: { tsImport(specifier: string, parent: string): Promise<object> };
  try {
    tsx = (await import(tsxUrl(url))) as typeof tsx;
  } catch (error) {
    // A loader that the program was started with may still know what to do.
    if (hasLoader()) return (await import(url)) as object;
    throw new Error(
      `Cannot load task module "${fileURLToPath(url)}": Node ${process.versions.node} does not run TypeScript by itself; use Node 22.18 or newer, install "tsx", or give the compiled .js file`,
      { cause: error },
    );
  }
  return tsx.tsImport(url, url);
}

/** The module API of the `tsx` that is installed beside the file. `require.resolve` alone would find its CommonJS half. */
function tsxUrl(url: string): string {
  const require = createRequire(url);
  const manifest = require.resolve("tsx/package.json");
  const { exports } = require(manifest) as { exports: Record<string, { import?: { default?: string } }> };
  return new URL(exports["./esm/api"]?.import?.default ?? "./dist/esm/api/index.mjs", pathToFileURL(manifest)).href;
}

function hasLoader(): boolean {
  return /--(import|loader|experimental-loader|require)|-r\b/.test(
    `${process.execArgv.join(" ")} ${process.env.NODE_OPTIONS ?? ""}`,
  );
}
