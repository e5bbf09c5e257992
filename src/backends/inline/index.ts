/**
 * Runs tasks in this thread: for tests, for debugging, for tasks that only wait.
 *
 *     const pool = new Pool(inline(new URL("./tasks.js", import.meta.url)));
 *
 * @module
 */

import { readOptions } from "../../protocol/options.ts";
import { setUp } from "../../worker/begin.ts";
import { loadTaskModule } from "../../worker/task-module.ts";
import type { Backend } from "../backend.ts";
import { copy, InThread } from "../in-thread.ts";
import { type ModuleOptions, moduleRules, moduleUrl, planOf, shownModule } from "../module-options.ts";

export type InlineOptions = ModuleOptions;

/**
 * Workers in this thread. They share it with everything else, so they bring no speed-up, and what does not yield cannot be ended.
 *
 * @param module the task module: a URL, or a path from the working directory
 * @param options `size` is 1 by default
 * @throws ConfigError for a wrong option
 */
export function inline(module: string | URL, options?: InlineOptions): Backend {
  const url = moduleUrl("inline()", module);
  const given = readOptions("inline()", options, moduleRules);
  return new InThread({
    name: "inline",
    subject: shownModule(url),
    plan: planOf(given, ["inline", "local"], 1),
    load: async () => {
      const module = await loadTaskModule(url);
      await setUp(module, copy(given.data));
      return module;
    },
  });
}
