// `manyhands worker`: a task module as a worker of a pool that starts programs.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { wrongUsage } from "../complaint.ts";

export function addWorkerCommand(program: Command): void {
  program
    .command("worker <module>")
    .description("serve the tasks of a module to the pool that started this program")
    .option("--stdio", "speak the stdio protocol on standard input and output")
    .addHelpText(
      "after",
      `
A pool starts it: command(["manyhands", "worker", "--stdio", "./tasks.js"]), here or through ssh. It ends with that
pool. What the tasks print goes to the pool.`,
    )
    .helpOption("-h, --help", "show this help")
    .action(async (module: string, { stdio }: { readonly stdio?: true }) => {
      if (stdio !== true) throw wrongUsage("Cannot run a worker without a pool: add --stdio, and let a pool start it");
      const path = resolve(module);
      if (!existsSync(path)) throw wrongUsage(`Cannot serve "${module}": there is no such file`);
      const { serve } = await import("../../worker/serve.ts");
      serve(pathToFileURL(path));
      // The pool says when it ends.
      await new Promise(() => {});
    });
}
