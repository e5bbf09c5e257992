import { parentPort } from "node:worker_threads";
import { mix } from "../tasks.mjs";

parentPort.on("message", ([count, rounds]) => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + mix(rounds)) | 0;
  parentPort.postMessage(sum);
});
