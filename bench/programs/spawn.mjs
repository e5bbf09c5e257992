// The least that Node can do: `true` so many times, so many at once, and nothing of what it writes.
import { spawn } from "node:child_process";

let left = Number(process.argv[2]);
const start = () => {
  if (left-- > 0) spawn("true", { stdio: "ignore" }).on("exit", start);
};
for (let slots = Number(process.argv[3]); slots > 0; slots--) start();
