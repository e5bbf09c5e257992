// Closes its pool at the first SIGINT: what runs is finished.

import { subjectPool, tell } from "./subject-pool.ts";

const pool = await subjectPool();
process.once("SIGINT", () => void pool.close().then(() => tell("closed")));
const task = pool.run("hold", { gate: process.argv[3] as string, value: "finished" });
await new Promise((resolve) => void task.onProgress(resolve));
tell("started");
tell(await task);
