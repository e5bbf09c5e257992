// A thread beside a serving program's own: reads its standard input, so that a busy program still gives tasks back, answers a ping, and
// ends when the pool is gone.
import { createReadStream } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { parentPort, workerData } from "node:worker_threads";
import { Claims } from "../protocol/claims.ts";
import { FrameReader, JSON_FORMAT, MSGPACK_FORMAT } from "../protocol/frames.ts";
import { LineReader, MAX_LINE_BYTES } from "../protocol/lines.ts";
import { Channel } from "./channel.ts";
import { Turnstile } from "./turnstile.ts";

export interface ReaderStart {
  readonly claims: SharedArrayBuffer;
  readonly turnstile: SharedArrayBuffer;
  readonly framing: SharedArrayBuffer;
  /** The descriptor that messages go to. */
  readonly fd: number;
}

const { claims: shared, turnstile, framing, fd } = workerData as ReaderStart;
const claims = new Claims(shared);
const channel = new Channel(fd, new Turnstile(turnstile), framing);
let others = "";
let isDraining = false;

const reader = new LineReader((line) => {
  if (!isUrgent(line)) others += `${line}\n`;
});
const frames = new FrameReader(
  (format, payload) => {
    if (format === JSON_FORMAT) {
      reader.push(payload);
      reader.end();
      return;
    }
    passOn();
    // What cannot wait has no values, and so is never in MessagePack.
    parentPort!.postMessage(Uint8Array.from(payload));
  },
  { formats: [JSON_FORMAT, MSGPACK_FORMAT], maxBytes: MAX_LINE_BYTES },
);
const input = openInput();
input.on("data", (bytes: Buffer) => {
  // The pool says nothing between its hello and the answer.
  if (channel.isFramed) frames.push(bytes);
  else reader.push(bytes);
  passOn();
});
input.on("end", gone);
input.on("error", gone);

function passOn(): void {
  if (others === "") return;
  parentPort!.postMessage(others);
  others = "";
}

/** Answers what cannot wait for the program's own thread. */
function isUrgent(line: string): boolean {
  if (!line.startsWith('{"type":"')) return false;
  const message = JSON.parse(line) as { readonly type: string; readonly ids: number[]; readonly id: number };
  switch (message.type) {
    case "ping":
      channel.write('{"type":"pong"}\n');
      return true;
    case "recall": {
      const got = message.ids.filter((ticket) => claims.recall(ticket));
      channel.write(`{"type":"recalled","ids":[${message.ids.join(",")}],"got":[${got.join(",")}]}\n`);
      return true;
    }
    case "recallItems":
      channel.write(`{"type":"itemsRecalled","id":${message.id},"from":${claims.closeItems(message.id)}}\n`);
      return true;
    case "drain":
      isDraining = true;
      return false;
    default:
      return false;
  }
}

/** Without a drain before it, nobody waits for what this process does. */
function gone(): void {
  if (!isDraining) process.kill(process.pid, "SIGKILL");
}

function openInput(): Readable {
  try {
    return new Socket({ fd: 0, readable: true, writable: false });
  } catch {
    // A file, or something else that cannot be polled.
    return createReadStream("", { fd: 0 });
  }
}
