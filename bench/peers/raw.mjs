// No pool: bare worker threads, one `postMessage` a task and one an answer, to the worker with the fewest unanswered.
import { Worker } from "node:worker_threads";

export async function open(task, { size }) {
  const waiting = new Map();
  const hands = Array.from({ length: size }, () => {
    const hand = {
      worker: new Worker(new URL("raw-worker.mjs", import.meta.url), { workerData: task }),
      unanswered: 0,
    };
    hand.worker.on("message", ([id, value]) => {
      const resolve = waiting.get(id);
      waiting.delete(id);
      hand.unanswered--;
      resolve(value);
    });
    return hand;
  });
  let lastId = 0;
  const send = (input, transfer) =>
    new Promise((resolve) => {
      const id = ++lastId;
      waiting.set(id, resolve);
      let hand = hands[0];
      for (const other of hands) if (other.unanswered < hand.unanswered) hand = other;
      hand.unanswered++;
      hand.worker.postMessage([id, input], transfer);
    });
  return { run: (input) => send(input), runMoved: (bytes) => send(bytes, [bytes.buffer]) };
}
