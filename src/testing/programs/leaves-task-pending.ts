// Has nothing to wait for but a task that takes a while.

import { subjectPool, tell } from "./subject-pool.ts";

const pool = await subjectPool();
void pool.run("sleep", 200).then(tell);
