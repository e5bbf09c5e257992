// The first thing that runs in a child process. Messages come over descriptor 3; descriptor 4 belongs to the guard thread.
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { CLAIM_BYTES, Claims } from "../../protocol/claims.ts";
import type { WorkerReply, WorkerRequest } from "../../protocol/messages.ts";
import { begin, type WorkerStart } from "../../worker/begin.ts";
import type { WorkerPort } from "../../worker/port.ts";
import { neighbour } from "../module-options.ts";
import { decoder, encodeReply } from "../wire.ts";
import type { GuardStart } from "./control.ts";

const CHANNEL_FD = 3;
const CONTROL_FD = 4;

// The terminal sends Ctrl-C to all: what becomes of the tasks is the parent's decision.
process.on("SIGINT", () => {});

const shared = new SharedArrayBuffer(CLAIM_BYTES);
const channel = new Socket({ fd: CHANNEL_FD, readable: true, writable: true });
let isExiting = false;

const port: WorkerPort = {
  claims: new Claims(shared),
  post(reply: WorkerReply): void {
    const frame = encodeReply(reply);
    if (isExiting) writeFully(frame);
    else channel.write(frame);
  },
  close(): void {
    channel.end(() => process.exit(0));
  },
  memoryBytes(): number {
    return process.memoryUsage.rss();
  },
};

watch();

/** Takes the next message: first what to start with, then requests. */
let receive = (message: unknown): void => {
  const early: WorkerRequest[] = [];
  receive = (request) => void early.push(request as WorkerRequest);
  void begin(message as WorkerStart, port).then((loop) => {
    if (loop === undefined) return;
    process.on("exit", () => {
      isExiting = true;
      loop.outbox.flush(performance.now());
    });
    receive = (request) => loop.receive(request as WorkerRequest);
    for (const request of early) loop.receive(request);
  });
};
const read = decoder((message) => receive(message));
channel.on("data", (bytes: Buffer) => read.push(bytes));
// The parent is gone.
channel.on("end", () => process.exit(0));
channel.on("error", () => process.exit(0));

/** A thread that ends this process when the parent is gone, and takes tasks back while this thread is busy. */
function watch(): void {
  const workerData: GuardStart = { claims: shared, fd: CONTROL_FD };
  new Worker(neighbour("guard", import.meta.url), { workerData, execArgv: [], env: {} }).unref();
}

/** The descriptor does not block: what does not fit is tried again. */
function writeFully(bytes: Uint8Array): void {
  let at = 0;
  for (let tries = 0; at < bytes.length && tries < 10_000; tries++) {
    try {
      at += writeSync(CHANNEL_FD, bytes, at);
    } catch (error) {
      if (Reflect.get(error as object, "code") !== "EAGAIN") return;
    }
  }
}
