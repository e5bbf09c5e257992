import { parentPort, workerData } from "node:worker_threads";
import * as tasks from "../tasks.mjs";

const task = tasks[workerData];
parentPort.on("message", ([id, input]) => parentPort.postMessage([id, task(input)]));
