// A program of Node that is a worker: speaks the stdio protocol on its standard input and output, or on the channel it was given.
import { AsyncLocalStorage } from "node:async_hooks";
import { types } from "node:util";
import { Worker } from "node:worker_threads";
import { CLAIM_BYTES, Claims } from "../protocol/claims.ts";
import { ColumnText, requestOf } from "../protocol/column-text.ts";
import { replyValues } from "../protocol/column-values.ts";
import { toErrorRecord } from "../protocol/error-record.ts";
import {
  CHUNK_ITEM_FAILED,
  CHUNK_ITEMS,
  DRAIN,
  NOT_SERIALIZABLE,
  OUTPUT,
  type WorkerReply,
} from "../protocol/messages.ts";
import { Msgpack } from "../protocol/msgpack.ts";
import { countOf } from "../protocol/packing.ts";
import { CHANNEL_VARIABLE, STDIO_VERSION } from "../protocol/stdio.ts";
import { setUp } from "./begin.ts";
import { Channel } from "./channel.ts";
import { loadMsgpack } from "./msgpack-library.ts";
import { captureOutput } from "./output.ts";
import type { WorkerPort } from "./port.ts";
import { ServeLoop } from "./serve-loop.ts";
import type { ReaderStart } from "./stdin-reader.ts";
import { reportStrays } from "./strays.ts";
import type { TaskRun } from "./task-context.ts";
import { loadTaskModule, readTaskModule, type TaskModule } from "./task-module.ts";

export interface ServeOptions {
  /** Called with each preparation item of the pool, in order, before the first task. */
  readonly prepare?: (item: unknown) => unknown;
}

/** A message of the pool: an object of the protocol, or columns. */
type Message = readonly unknown[] | { readonly type?: unknown; readonly [member: string]: unknown };

/**
 * Serves tasks to the pool that started this program with `command()`, and ends the program when that one has no more.
 *
 *     import { serve } from "manyhands/worker";
 *     import * as tasks from "./tasks.js";
 *
 *     serve(tasks);
 *
 * What tasks print goes to the pool as output of the task; standard input and output belong to the protocol.
 *
 * @param module the functions by name, as a module exports them; or where such a module is
 */
export function serve(module: object | URL, options: ServeOptions = {}): void {
  const channel = new Channel(Number(process.env[CHANNEL_VARIABLE] ?? 1));
  const shared = new SharedArrayBuffer(CLAIM_BYTES);
  const text = new ColumnText(types.isProxy);
  let msgpack: Msgpack | undefined;
  /** As JSON, which is fastest, where that has all of it. */
  function post(reply: WorkerReply): void {
    let line: string;
    try {
      line = text.reply(reply);
    } catch (error) {
      if (msgpack === undefined) line = text.reply(itemFailure(reply, error));
      else {
        channel.writeMsgpack(packed(msgpack, reply));
        return;
      }
    }
    channel.write(line);
  }
  const port: WorkerPort = {
    claims: new Claims(shared),
    post: (reply: WorkerReply) => post(reply),
    close: () => process.exit(0),
    memoryBytes: () => process.memoryUsage.rss(),
  };
  const { turnstile, framing, fd } = channel;
  const reader = readInput({ claims: shared, turnstile: turnstile.buffer, framing, fd });
  // The terminal sends Ctrl-C to all: what becomes of the tasks is the pool's decision.
  process.on("SIGINT", () => {});
  const strays = reportStrays();
  const early: WorkerReply[] = [];
  let loop: ServeLoop | undefined;
  captureOutput((stream, words) => {
    if (loop === undefined) early.push([[], [], [], [[OUTPUT, null, stream, words]]]);
    else loop.output(stream, words);
  });
  const say = (message: object): void => channel.write(`${JSON.stringify(message)}\n`);
  const fail = (error: unknown): never => {
    say({ type: "failed", error: plainError(error) });
    process.exit(1);
  };

  let receive = (message: Message): void => {
    receive = () => {};
    void begin(message as Readonly<Record<string, unknown>>);
  };
  reader.on("message", (came: string | Uint8Array) => {
    if (typeof came !== "string") receive(unpacked(came));
    else for (const line of came.split("\n")) if (line !== "") receive(JSON.parse(line) as Message);
  });

  /** Who is sent what it cannot read may have missed a task. */
  function unpacked(bytes: Uint8Array): Message {
    try {
      return msgpack!.decode(bytes) as Message;
    } catch (error) {
      return fail(error);
    }
  }

  async function begin(hello: Readonly<Record<string, unknown>>): Promise<void> {
    const tasks = await load(module, hello["data"]).catch(fail);
    const concurrency = Number(hello["concurrency"]);
    const runs = new AsyncLocalStorage<TaskRun>();
    const serving = new ServeLoop(port, { workerId: String(hello["workerId"]), concurrency, module: tasks, runs });
    loop = serving;
    strays.to(serving);
    process.on("exit", () => serving.outbox.flush(performance.now()));
    receive = (next) => {
      if (Array.isArray(next)) serving.receive(requestOf(next));
      else void obey(next as { readonly type?: unknown }, serving);
    };
    const library = areFormats(hello["formats"]) && hello["formats"].includes("msgpack") ? loadMsgpack() : undefined;
    if (library !== undefined) msgpack = new Msgpack(library, types.isProxy);
    const answer = {
      type: "hello",
      protocol: STDIO_VERSION,
      tasks: [...tasks.tasks.keys()],
      concurrency,
      features: FEATURES,
      ...(msgpack === undefined ? {} : { format: "msgpack" }),
      memoryBytes: port.memoryBytes(),
    };
    channel.greet(`${JSON.stringify(answer)}\n`, msgpack !== undefined);
    for (const reply of early.splice(0)) port.post(reply);
  }

  async function obey(
    message: { readonly type?: unknown; readonly item?: unknown },
    serving: ServeLoop,
  ): Promise<void> {
    if (message.type === "drain") serving.receive([DRAIN]);
    if (message.type !== "prepare") return;
    try {
      await options.prepare?.(message.item);
      say({ type: "prepared" });
    } catch (error) {
      fail(error);
    }
  }
}

function packed(msgpack: Msgpack, reply: WorkerReply): Uint8Array {
  const encode = (one: WorkerReply): Uint8Array => msgpack.encode(replyValues(one, (value) => msgpack.check(value)));
  try {
    return encode(reply);
  } catch (error) {
    return encode(itemFailure(reply, error));
  }
}

/** What is said of the one item of a chunk whose value has no form here, though it has a structured clone. @throws the error for anything else */
function itemFailure([tickets, , , events]: WorkerReply, error: unknown): WorkerReply {
  const [event] = events === 0 ? [] : events;
  if (tickets.length > 0 || events === 0 || events.length > 1 || event?.[0] !== CHUNK_ITEMS || countOf(event[3]) > 1)
    throw error;
  const [, ticket, first, , micros] = event;
  const took = typeof micros === "number" ? micros : micros[0]!;
  return [[], [], [], [[CHUNK_ITEM_FAILED, ticket, first, took, toErrorRecord(error), NOT_SERIALIZABLE, null]]];
}

function areFormats(formats: unknown): formats is readonly unknown[] {
  return Array.isArray(formats);
}

const FEATURES = ["ahead", "cancel", "stream", "columns"];

function readInput(workerData: ReaderStart): Worker {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new Worker(new URL(`./stdin-reader${extension}`, import.meta.url), { workerData, env: {}, execArgv: [] });
}

async function load(module: object | URL, data: unknown): Promise<TaskModule> {
  const tasks = module instanceof URL ? await loadTaskModule(module.href) : readTaskModule(module);
  await setUp(tasks, data);
  return tasks;
}

function plainError(error: unknown): object {
  if (!(error instanceof Error)) return { thrown: error };
  const { name, message, stack, cause } = error;
  const own = Object.fromEntries(Object.entries(error));
  return { ...own, name, message, stack, ...(cause === undefined ? {} : { cause: plainError(cause) }) };
}
