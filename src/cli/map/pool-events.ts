// What a pool says while it works, shown to the person: prints of tasks always, retries and losses with -v.
import { format } from "node:util";
import type { Pool, TaskId } from "../../index.ts";
import { messageOf } from "../complaint.ts";
import { formatDuration } from "../output/numbers.ts";
import { Prints } from "./prints.ts";

export interface EventsListener {
  /** Whole lines from a task. */
  print(lines: string): void;
  /** One line from this program. */
  say(text: string): void;
  /** How many items wait for another try, or have one. */
  retrying(items: number): void;
  /** What each line that the task of the `index`-th item prints begins with; empty for nothing. */
  tagOf(index: number): string;
}

/** A new pool counts from here, and the items of a map have consecutive ids in the order of the inputs. */
const FIRST_ID = 1;

/** The id of the task for the `index`-th item of the map. */
export function idOf(index: number): TaskId {
  return FIRST_ID + index;
}

/** @returns what stops it, after showing the rest */
export function passOnEvents(pool: Pool, isVerbose: boolean, listener: EventsListener): () => void {
  const prints = new Prints((lines) => listener.print(lines));
  const retried = new Set<TaskId>();
  const tagOf = (id: TaskId | undefined) => (id === undefined ? "" : listener.tagOf(Number(id) - FIRST_ID));
  const removers = [
    pool.on("output", ({ workerId, taskId, stream, text }) => {
      prints.add({ workerId, stream, text, tag: tagOf(taskId) });
    }),
    pool.on("log", ({ workerId, taskId, args }) => {
      prints.add({ workerId, stream: "log", text: `${format(...args)}\n`, tag: tagOf(taskId) });
    }),
    pool.on("stray", ({ workerId, error }) =>
      listener.say(`an error in ${workerId} that no task waits for: ${messageOf(error)}`),
    ),
    pool.on("taskRetried", ({ id, name, attempt, error, delayMs }) => {
      retried.add(id);
      listener.retrying(retried.size);
      if (isVerbose)
        listener.say(`again in ${formatDuration(delayMs)}: ${name} after attempt ${attempt}: ${messageOf(error)}`);
    }),
    pool.on("workerDown", ({ workerId, expected, error }) => {
      if (isVerbose && !expected) listener.say(`lost ${workerId}: ${messageOf(error)}`);
    }),
  ];
  return () => {
    for (const remove of removers) remove();
    prints.end();
  };
}
