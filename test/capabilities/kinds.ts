// The four ways in which the capabilities are tested: each local backend alone, and all three in one pool.

import type { TestContext } from "node:test";
import type { Backend } from "../../src/backends/backend.ts";
import { Pool, type PoolOptions } from "../../src/index.ts";
import type { SubjectOptions } from "../../src/testing/index.ts";
import { type Tasks, tasksModule } from "../../src/testing/stage.ts";
import { subject as inline } from "../fixtures/subjects/inline.ts";
import { subject as processes } from "../fixtures/subjects/processes.ts";
import { subject as threads } from "../fixtures/subjects/threads.ts";

export interface Kind {
  readonly name: string;
  /** A series for each backend: with one worker a backend, the tasks of a series have one worker to run on, in order. */
  readonly lanes: readonly string[];
  /** Whether every worker can be killed, so that what it ran is tried again. */
  readonly canKill: boolean;
  /** Another backend of the first of them, with one worker. */
  backend(): Backend;
  /** A pool of `size` workers a backend (default 1), terminated after the test. */
  open(t: TestContext, options?: SubjectOptions, poolOptions?: PoolOptions): Pool<Tasks>;
}

const subjects = [
  { subject: inline, series: "inline" },
  { subject: threads, series: "thread" },
  { subject: processes, series: "process" },
];

function kind(name: string, chosen: typeof subjects): Kind {
  return {
    name,
    lanes: chosen.map(({ series }) => series),
    canKill: chosen.every(({ subject }) => subject.traits.canKill),
    backend: () => (chosen[0] as (typeof subjects)[number]).subject.open(tasksModule, { size: 1 }),
    open(t, options, poolOptions) {
      const backends = chosen.map(({ subject }) => subject.open(tasksModule, { size: 1, ...options }));
      const pool = new Pool<Tasks>(backends, poolOptions);
      t.after(() => pool.terminate());
      return pool;
    },
  };
}

export const kinds: readonly Kind[] = [
  ...subjects.map((one) => kind(one.subject.name, [one])),
  kind("all three in one pool", subjects),
];
