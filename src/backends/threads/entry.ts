// The first thing that runs in a worker thread.
import { type MessagePort, workerData } from "node:worker_threads";
import { AnswerBoard } from "../../protocol/answer-board.ts";
import { Claims } from "../../protocol/claims.ts";
import type { WorkerReply, WorkerRequest } from "../../protocol/messages.ts";
import { begin, type WorkerStart } from "../../worker/begin.ts";
import type { WorkerPort } from "../../worker/port.ts";

/** What a thread is started with. */
export interface ThreadStart extends WorkerStart {
  readonly claims: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly lingering: SharedArrayBuffer;
  readonly port: MessagePort;
}

const start = workerData as ThreadStart;

const port: WorkerPort = {
  claims: new Claims(start.claims),
  board: new AnswerBoard(start.board),
  lingering: start.lingering,
  post(reply: WorkerReply, transfer?: readonly object[]): void {
    if (transfer === undefined) start.port.postMessage(reply);
    else start.port.postMessage(reply, transfer as ArrayBuffer[]);
  },
  close(): void {
    start.port.close();
    // The module may have left timers and servers behind.
    process.exit(0);
  },
  memoryBytes(): number {
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  },
};

const loop = await begin(start, port);
if (loop !== undefined) {
  // A message that is posted while the thread exits still arrives.
  process.on("exit", () => loop.outbox.flush(performance.now()));
  start.port.on("message", (request: WorkerRequest) => loop.receive(request));
  // Tasks came that cannot be read: better a lost worker than tasks without an answer.
  start.port.on("messageerror", () => process.exit(1));
}
