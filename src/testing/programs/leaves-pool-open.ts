// Uses a pool and never closes it.

import { subjectPool, tell } from "./subject-pool.ts";

const pool = await subjectPool({ size: 2 });
tell(await pool.map("double", [1, 2, 3]));
