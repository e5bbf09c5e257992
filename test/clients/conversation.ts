// A pool's side of the stdio protocol for tests: says exactly what it is told to, and keeps every word of the worker.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

/** A message of the protocol, either way. */
export interface Message {
  readonly type: string;
  readonly id?: number;
  readonly [member: string]: unknown;
}

export interface TalkOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the worker writes its messages. Default: "stdout" */
  readonly channel?: "stdout" | "fd3";
}

/** How a worker ended. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
}

export const root: string = fileURLToPath(new URL("../..", import.meta.url));
const answers: ReadonlySet<string> = new Set(["result", "error", "busy", "defer", "cancelled"]);

/** Starts a worker, which is killed after the test. */
export function talk(t: TestContext, argv: readonly string[], options: TalkOptions = {}): Conversation {
  const conversation = new Conversation(argv, options);
  t.after(() => conversation.kill());
  return conversation;
}

export class Conversation {
  /** Everything that the worker has said. */
  readonly messages: Message[] = [];
  /** Lines that are no messages, which are welcome after the drain alone. */
  readonly tail: string[] = [];
  /** What it has written on standard error; and on standard output, where its messages go elsewhere. */
  stderr = "";
  stdout = "";
  readonly ended: Promise<End>;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #waiting = new Set<() => void>();
  #rest = "";
  #end: End | undefined;
  #nextId = 1;

  constructor([program = "", ...args]: readonly string[], { env = {}, channel = "stdout" }: TalkOptions) {
    const variables = channel === "fd3" ? { MANYHANDS_CHANNEL: "3" } : {};
    this.#child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...variables, ...env },
      stdio: ["pipe", "pipe", "pipe", channel === "fd3" ? "pipe" : "ignore"],
    });
    const [input, output, errors, other] = this.#child.stdio as unknown as [Writable, Readable, Readable, Readable];
    this.#input = input;
    // A worker that has ended reads no more: that it has is told by its end.
    input.on("error", () => {});
    for (const stream of [output, errors, other]) stream?.setEncoding("utf8");
    (channel === "fd3" ? other : output).on("data", (text: string) => this.#heard(text));
    if (channel === "fd3") output.on("data", (text: string) => void (this.stdout += text));
    errors.on("data", (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code, signal) => {
        this.#end = { code, signal };
        this.#wake();
        resolve(this.#end);
      });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  send(...messages: readonly Message[]): void {
    this.sendBytes(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
  }

  sendBytes(bytes: string | Uint8Array): void {
    this.#input.write(bytes);
  }

  /** Says hello and gives the worker's own. */
  async hello(members: Readonly<Record<string, unknown>> = {}): Promise<Message> {
    this.send(hello(members));
    return await this.heard(({ type }) => type === "hello" || type === "failed", "its hello");
  }

  /** Sends a task and gives its id. */
  task(name: string, input?: unknown, members: Readonly<Record<string, unknown>> = {}): number {
    const id = this.#nextId++;
    this.send(task(id, name, input, members));
    return id;
  }

  /** Sends a task and gives what answers it. */
  async run(name: string, input?: unknown, members: Readonly<Record<string, unknown>> = {}): Promise<Message> {
    return await this.answer(this.task(name, input, members));
  }

  /** Sends a task and gives its value. */
  async value(name: string, input?: unknown, members: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const answer = await this.run(name, input, members);
    assert.equal(answer.type, "result", JSON.stringify(answer));
    return answer["value"];
  }

  async answer(id: number): Promise<Message> {
    return await this.heard((message) => message.id === id && answers.has(message.type), `the answer of task ${id}`);
  }

  /** The first message of that type, of that task where one is given. */
  async said(type: string, id?: number): Promise<Message> {
    return await this.heard((message) => message.type === type && (id === undefined || message.id === id), `"${type}"`);
  }

  /** What it has said of a task. */
  of(id: number): Message[] {
    return this.messages.filter((message) => message.id === id);
  }

  /** Waits for the first message that is so. */
  async heard(isIt: (message: Message) => boolean, what: string): Promise<Message> {
    let found = this.messages.find(isIt);
    while (found === undefined) {
      if (this.#end !== undefined) assert.fail(`Ended without ${what}: ${this.#story()}`);
      await this.#next();
      found = this.messages.find(isIt);
    }
    return found;
  }

  /** Waits for something else that comes with its words. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#end !== undefined) assert.fail(`Ended too early: ${this.#story()}`);
      await this.#next();
    }
  }

  /** Says that no task will follow, and waits for its end. */
  async drain(): Promise<End> {
    this.send({ type: "drain" });
    return await this.ended;
  }

  /** Closes its input. */
  async close(): Promise<End> {
    this.#input.end();
    return await this.ended;
  }

  /** Reads nothing more of what it says. */
  stopListening(): void {
    this.#child.stdout?.destroy();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #story(): string {
    return `${JSON.stringify({ ...this.#end, messages: this.messages.slice(-5) })}\n${this.stderr}`;
  }

  #heard(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("{")) this.messages.push(JSON.parse(line) as Message);
      else this.tail.push(line);
    }
    this.#wake();
  }

  async #next(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export function hello(members: Readonly<Record<string, unknown>> = {}): Message {
  return { type: "hello", protocol: 1, workerId: "worker-1", concurrency: 1, formats: ["json"], ...members };
}

export function task(
  id: number,
  name: string,
  input?: unknown,
  members: Readonly<Record<string, unknown>> = {},
): Message {
  return { type: "task", id, name, input, taskId: `t${id}`, attempt: 1, priority: 0, ...members };
}
