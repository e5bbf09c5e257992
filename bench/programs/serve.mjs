// A worker of Node that serves the tasks every pool runs.
import { serve } from "../../dist/worker/index.js";
import * as tasks from "../tasks.mjs";

serve(tasks);
