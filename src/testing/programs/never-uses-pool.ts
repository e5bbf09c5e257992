// Makes a pool, gives it nothing to do and never closes it.

import { subjectPool, tell } from "./subject-pool.ts";

await subjectPool({ size: 2 });
tell("made");
