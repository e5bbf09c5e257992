// A thread beside a worker process's own, which stays free when that one loops: it ends the process when the parent is gone, and
// takes back tasks that have not begun.
import { Socket } from "node:net";
import { workerData } from "node:worker_threads";
import { Claims } from "../../protocol/claims.ts";
import { LineReader } from "../../protocol/lines.ts";
import type { ControlReply, ControlRequest, GuardStart } from "./control.ts";

const { claims: shared, fd } = workerData as GuardStart;
const claims = new Claims(shared);
const control = new Socket({ fd, readable: true, writable: true });

const requests = new LineReader((line) => {
  control.write(`${JSON.stringify(answer(JSON.parse(line) as ControlRequest))}\n`);
});
control.on("data", (bytes: Buffer) => requests.push(bytes));
// Whatever the process's own thread is doing, nobody waits for it any more.
control.on("close", () => process.kill(process.pid, "SIGKILL"));
control.on("error", () => {});

function answer(request: ControlRequest): ControlReply {
  if (typeof request === "number") return [request, claims.closeItems(request)];
  return [request, request.filter((ticket) => claims.recall(ticket))];
}
