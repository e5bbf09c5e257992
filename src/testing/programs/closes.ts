// Does a bit of everything, closes, and tells what is left in this process.

import { setTimeout as delay } from "node:timers/promises";
import { subjectPool, tell } from "./subject-pool.ts";

const events = [
  "exit",
  "beforeExit",
  "uncaughtException",
  "unhandledRejection",
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "disconnect",
  "message",
  "warning",
];
const listeners = (): number => events.reduce((sum, name) => sum + process.listenerCount(name), 0);
const resources = (): string[] => process.getActiveResourcesInfo().toSorted();
// What loading the modules took is let go of.
await delay(20);
const before = { listeners: listeners(), resources: resources() };

const pool = await subjectPool({ size: 2 });
await pool.map("double", [1, 2, 3]);
const failed = await pool.run("failIfOdd", 1).then(
  () => false,
  () => true,
);
const timedOut = pool.run("sleep", 300, { timeoutMs: 5 }).catch(() => true);
const cancelled = pool.run("sleep", 300, { deadlineMs: 60_000, retries: 2 });
cancelled.cancel();
await cancelled.catch(() => {});
for await (const _ of pool.stream("countAtOnceForEver", "/dev/null")) break;
await timedOut;
const pids = pool.workers().flatMap(({ pid }) => (pid === undefined || pid === process.pid ? [] : [pid]));
if (process.argv[3] === "terminate") await pool.terminate();
else await pool.close();

// Handles that are closed are let go of a turn or two later.
for (let turns = 0; turns < 100 && String(resources()) !== String(before.resources); turns += 1) await delay(10);
const alive = pids.filter((pid) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
});
tell({ failed, alive, before, after: { listeners: listeners(), resources: resources() } });
