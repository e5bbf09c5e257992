// What the programs of the suite share: a pool over the subject they were told, and a way to tell what they saw.

import { writeSync } from "node:fs";
import { Pool, type PoolOptions } from "../../index.ts";
import { type Tasks, tasksModule } from "../stage.ts";
import type { Subject, SubjectOptions } from "../subject.ts";

/** Over the subject exported by the module that is the program's first argument. */
export async function subjectPool(options: SubjectOptions = {}, poolOptions: PoolOptions = {}): Promise<Pool<Tasks>> {
  const { subject } = (await import(process.argv[2] as string)) as { subject: Subject };
  return new Pool<Tasks>(
    subject.open(tasksModule, subject.traits.startsWorkers ? { size: 1, ...options } : options),
    poolOptions,
  );
}

/** One line on stdout, written before the call returns. */
export function tell(what: unknown): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
