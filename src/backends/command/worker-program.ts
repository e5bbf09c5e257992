// One program that is a worker: from its start through the hello and the preparation to its end.
import type { Readable } from "node:stream";
import { types } from "node:util";
import { fromErrorRecord } from "../../protocol/error-record.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { JsonValues } from "../../protocol/json-values.ts";
import type { TaskId } from "../../protocol/messages.ts";
import { Msgpack, type MsgpackLibrary } from "../../protocol/msgpack.ts";
import {
  CHANNEL_VARIABLE,
  type FromWorker,
  type PoolHello,
  STDIO_VERSION,
  type StdioFormat,
  type WorkerHello,
} from "../../protocol/stdio.ts";
import { ColumnsConversation } from "./columns-conversation.ts";
import type { Conversation, Listener } from "./conversation.ts";
import { type Guarded, killGroup, startGuarded } from "./guarded.ts";
import { type MessageListener, MessageReader } from "./message-reader.ts";
import { PlainConversation } from "./plain-conversation.ts";
import { recordOf } from "./plain-error.ts";
import { Wire } from "./wire.ts";

/** How long the last output of a dead program may take to arrive. */
const LAST_WORDS_MS = 200;
/** Characters of what it says on standard error before it is ready. */
const LAST_WORDS = 1_000;
/** So much of a tail is kept. */
const MAX_TAIL_LINES = 10_000;

export interface ProgramSettings {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  readonly channel: "stdout" | "fd3";
  readonly workerId: string;
  readonly concurrency: number;
  readonly data: unknown;
  readonly prepare: readonly unknown[];
  /** Where messages may go as frames. */
  readonly msgpack: MsgpackLibrary | undefined;
  /** A worker that cannot take frames is none. */
  readonly needsMsgpack: boolean;
  /** 0 for none. */
  readonly heartbeatMs: number;
}

/** How it ended. */
export interface ProgramEnd {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly cause?: unknown;
  /** It has said hello and was prepared. */
  readonly wasReady: boolean;
  /** The last line that it wrote on standard error before it was ready. */
  readonly lastWords: string;
}

export interface ProgramListener extends Listener {
  /** It has said hello and is prepared. */
  ready(conversation: Conversation): void;
  wrote(taskId: TaskId | undefined, stream: 1 | 2, text: string): void;
  /** What it printed after the drain. */
  tail(lines: readonly string[]): void;
  /** Said once, after everything else. */
  ended(end: ProgramEnd): void;
}

export class WorkerProgram {
  readonly pid: number | undefined;
  #conversation: Conversation | undefined;
  readonly #settings: ProgramSettings;
  readonly #listener: ProgramListener;
  readonly #guarded: Guarded;
  readonly #wire: Wire;
  readonly #reader: MessageReader;
  readonly #tail: string[] = [];
  #toPrepare = 0;
  #isReady = false;
  #isDraining = false;
  #hasEnded = false;
  #cause: unknown;
  #heartbeat: NodeJS.Timeout | undefined;
  #heardAt = 0;
  #isWaitingForPong = false;
  #said = "";

  constructor(settings: ProgramSettings, listener: ProgramListener) {
    this.#settings = settings;
    this.#listener = listener;
    const hasChannel = settings.channel === "fd3";
    const env = hasChannel ? { ...settings.env, [CHANNEL_VARIABLE]: "3" } : settings.env;
    this.#guarded = startGuarded(settings.argv, { env, cwd: settings.cwd, hasChannel });
    this.pid = this.#guarded.process.pid;
    this.#wire = new Wire(this.#guarded.input);
    this.#reader = new MessageReader(this.#readerListener());
    this.#listen();
    const { workerId, concurrency, data, msgpack } = settings;
    const hello: PoolHello = {
      type: "hello",
      protocol: STDIO_VERSION,
      workerId,
      concurrency,
      data,
      formats: msgpack === undefined ? ["json"] : ["json", "msgpack"],
      features: ["columns"],
    };
    this.#write(`${JSON.stringify(hello)}\n`);
  }

  get conversation(): Conversation | undefined {
    return this.#isReady ? this.#conversation : undefined;
  }

  /** No task will follow. */
  drain(): void {
    this.#isDraining = true;
    this.#write('{"type":"drain"}\n');
    this.#guarded.input.end();
  }

  kill(): void {
    killGroup(this.#guarded);
  }

  #write(text: string): void {
    this.#wire.write(text);
  }

  #listen(): void {
    const { process: spawned, input, output, errors, channel, guard } = this.#guarded;
    // Writing to a program that is gone fails; that it is gone is told by its exit.
    for (const pipe of [input, guard]) pipe.on("error", () => {});
    this.#read(channel ?? output);
    if (channel !== undefined) output.on("data", (bytes: Buffer) => this.#wrote(1, bytes));
    errors.on("data", (bytes: Buffer) => this.#wrote(2, bytes));
    spawned.on("error", (error) => {
      this.#cause ??= error;
      if (spawned.pid === undefined) this.#ended(null, null);
    });
    spawned.on("exit", (code, signal) => {
      // What is left of the group goes with its leader, and so nothing else holds the pipes for long.
      guard.destroy();
      setTimeout(() => this.#ended(code, signal), LAST_WORDS_MS).unref();
    });
    spawned.on("close", (code, signal) => this.#ended(code, signal));
    spawned.unref();
    for (const pipe of [input, output, errors, channel, guard]) (pipe as { unref?(): void } | undefined)?.unref?.();
  }

  #read(source: Readable): void {
    source.on("data", (bytes: Buffer) => this.#guardedly(() => this.#reader.push(bytes)));
    source.on("end", () => {
      this.#guardedly(() => this.#reader.end());
      // Nothing can come from it any more: if it does not end by itself, it is ended.
      setTimeout(() => {
        if (!this.#hasEnded && !this.#isDraining)
          this.#fail(new ProtocolError("Cannot go on: the worker closed its output"));
      }, LAST_WORDS_MS).unref();
    });
  }

  #readerListener(): MessageListener {
    const isDraining = (): boolean => this.#isDraining;
    return {
      get takesOther(): boolean {
        return isDraining();
      },
      message: (message) => this.#heard(message),
      other: (line) => this.#other(line),
    };
  }

  /** Whatever a worker says, it harms nobody but itself. */
  #guardedly(read: () => void): void {
    if (this.#cause instanceof ProtocolError) return;
    try {
      read();
      this.#conversation?.flush();
    } catch (error) {
      this.#fail(
        error instanceof ProtocolError
          ? error
          : new ProtocolError(`Cannot read message: ${String(error)}`, { cause: error }),
      );
    }
  }

  #fail(cause: unknown): void {
    this.#cause ??= cause;
    this.kill();
  }

  #other(line: string): void {
    if (!this.#isDraining) throw new ProtocolError(`Cannot read message: it begins with "${line.slice(0, 80)}"`);
    if (this.#tail.length < MAX_TAIL_LINES) this.#tail.push(line);
  }

  #heard(message: object): void {
    this.#heardAt = performance.now();
    if (!Array.isArray(message)) this.#message(message as FromWorker);
    else if (this.#conversation instanceof ColumnsConversation) this.#conversation.receiveColumns(message);
    else {
      const shown = JSON.stringify(message).slice(0, 80);
      throw new ProtocolError(`Cannot read message: it is a list and begins with "${shown}"`);
    }
  }

  #message(message: FromWorker): void {
    if (message.type === "failed") {
      this.#cause ??= fromErrorRecord(recordOf(message["error"]));
      this.kill();
    } else if (message.type === "pong") this.#isWaitingForPong = false;
    else if (this.#conversation === undefined) this.#hello(message);
    else if (message.type === "prepared") {
      this.#toPrepare--;
      this.#prepare();
    } else this.#conversation.receive(message);
  }

  #hello(message: FromWorker): void {
    if (message.type !== "hello")
      throw new ProtocolError(
        `Cannot begin: the first message is no hello but ${JSON.stringify(message).slice(0, 80)}`,
      );
    const { concurrency, msgpack, needsMsgpack } = this.#settings;
    const hello = helloOf(message, concurrency, msgpack === undefined ? ["json"] : ["json", "msgpack"]);
    if (needsMsgpack && hello.format !== "msgpack")
      throw new ProtocolError("Cannot begin: the worker does not speak MessagePack, and nothing else was wanted");
    if (hello.format === "msgpack") this.#wire.frame(new Msgpack(msgpack!, types.isProxy));
    this.#reader.greeted(this.#wire.msgpack);
    const kind = hello.features.has("columns") ? ColumnsConversation : PlainConversation;
    this.#conversation = new kind(hello, this.#wire, this.#listener);
    this.#toPrepare = this.#settings.prepare.length;
    this.#prepare();
  }

  /** One item at a time, in order; then it is ready. */
  #prepare(): void {
    const { prepare, heartbeatMs } = this.#settings;
    if (this.#toPrepare > 0) {
      const item = prepare[prepare.length - this.#toPrepare];
      this.#sendItem({ type: "prepare", item });
      return;
    }
    this.#isReady = true;
    this.#listener.ready(this.#conversation!);
    if (heartbeatMs > 0 && this.#conversation!.hello.features.has("ahead")) this.#watch(heartbeatMs);
  }

  /** As JSON where that has all of it. */
  #sendItem(message: object): void {
    const { msgpack } = this.#wire;
    try {
      if (msgpack !== undefined) new JsonValues(types.isProxy).text(message);
    } catch {
      msgpack!.check(message);
      this.#wire.pack(message);
      return;
    }
    this.#write(`${JSON.stringify(message)}\n`);
  }

  /** Who promised to answer a ping at once and does not is stopped, or cut off. */
  #watch(everyMs: number): void {
    this.#heartbeat = setInterval(() => {
      if (this.#isWaitingForPong && performance.now() - this.#heardAt > 2 * everyMs) {
        this.#fail(new ProtocolError(`Cannot reach the worker: it has not answered for ${Math.round(2 * everyMs)} ms`));
        return;
      }
      if (performance.now() - this.#heardAt < everyMs) return;
      this.#isWaitingForPong = true;
      this.#write('{"type":"ping"}\n');
    }, everyMs);
    this.#heartbeat.unref();
  }

  #wrote(stream: 1 | 2, bytes: Buffer): void {
    const text = bytes.toString("utf8");
    if (stream === 2 && !this.#isReady) this.#said = (this.#said + text).slice(-LAST_WORDS);
    this.#listener.wrote(this.#conversation?.runningTask, stream, text);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#heartbeat);
    const { input, output, errors, channel, guard } = this.#guarded;
    for (const pipe of [input, output, errors, channel, guard]) pipe?.destroy();
    if (this.#tail.length > 0) this.#listener.tail(this.#tail);
    this.#listener.ended({
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
      wasReady: this.#isReady,
      lastWords: this.#said.trimEnd().split("\n").at(-1)!,
    });
  }
}

function helloOf(message: FromWorker, wanted: number, formats: readonly StdioFormat[]): WorkerHello {
  const { protocol, tasks = [], concurrency = 1, features = [], format = "json", memoryBytes = 0 } = message;
  const isSound =
    protocol === STDIO_VERSION &&
    areTexts(tasks) &&
    Number.isInteger(concurrency) &&
    (concurrency as number) > 0 &&
    areTexts(features) &&
    formats.includes(format as StdioFormat);
  if (!isSound)
    throw new ProtocolError(
      `Cannot begin: a hello of this kind is not known: ${JSON.stringify(message).slice(0, 200)}`,
    );
  return {
    tasks: tasks as string[],
    concurrency: Math.min(concurrency as number, wanted),
    features: new Set(features as string[]),
    format: format as StdioFormat,
    memoryBytes: typeof memoryBytes === "number" && memoryBytes > 0 ? memoryBytes : 0,
  };
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
