// Holds two workers with a task that never ends (its second argument), tells their pids, and stays.

import { subjectPool, tell } from "./subject-pool.ts";

const pool = await subjectPool({ size: 2 });
const name = process.argv[3] as "spin" | "obey";
const tasks = [1, 2].map(() => pool.run(name, { gate: `${import.meta.dirname}/never` }));
await Promise.all(tasks.map((task) => new Promise((resolve) => void task.onProgress(resolve))));
tell(pool.workers().map(({ pid }) => pid));
await Promise.all(tasks);
