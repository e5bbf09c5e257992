// This process's end of the launcher: sends runs, hands out their ends.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LineReader } from "../../../protocol/lines.ts";
import { neighbour } from "../../module-options.ts";
import { removeCaptures } from "./capture.ts";
import { type LauncherReply, type LauncherRequest, PROGRAMS_ENV } from "./messages.ts";

/** Little memory and no other threads: a start costs the more the more there is to copy, and what starts needs the processors. */
const NODE_FLAGS = ["--max-semi-space-size=1", "--v8-pool-size=0", "--no-opt"];

export interface SlotListener {
  reply(reply: LauncherReply): void;
  /** The launcher is gone, and what ran with it. */
  lost(cause: unknown): void;
}

export class Launcher {
  readonly #process: ChildProcess;
  readonly #listeners = new Map<number, SlotListener>();
  #requests = "";
  readonly #gone: Promise<void>;
  #isGone = false;
  #isClosing = false;

  /** @param env the environment of the programs */
  constructor(env: Readonly<Record<string, string | undefined>>) {
    const { NODE_OPTIONS: _, ...own } = process.env;
    const entry = fileURLToPath(neighbour("entry", import.meta.url));
    // A session of its own: what the terminal sends to this process's group does not reach it.
    this.#process = spawn(process.execPath, [...NODE_FLAGS, entry], {
      detached: true,
      env: { ...own, [PROGRAMS_ENV]: JSON.stringify(env) },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdin, stdout } = this.#process;
    // Writing to one that is gone fails; that it is gone is told by its exit.
    stdin?.on("error", () => {});
    const replies = new LineReader((line) => this.#receive(JSON.parse(line) as LauncherReply));
    stdout?.on("data", (bytes: Buffer) => replies.push(bytes));
    this.#gone = new Promise((resolve) => {
      const end = (cause?: unknown) => {
        this.#lost(cause);
        resolve();
      };
      this.#process.once("error", end);
      this.#process.once("close", (code, signal) => end(new Error(`the launcher ended with ${signal ?? code}`)));
    });
    for (const one of [this.#process, stdin, stdout]) (one as { unref?(): void } | null)?.unref?.();
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** From now on the listener hears what becomes of the slot's programs. */
  open(slot: number, listener: SlotListener): void {
    this.#listeners.set(slot, listener);
  }

  /** The slot is empty, and its number free. */
  leave(slot: number): void {
    this.#listeners.delete(slot);
  }

  /** Leaves with others of this turn. */
  send(request: LauncherRequest): void {
    if (this.#requests === "") {
      queueMicrotask(() => {
        this.#process.stdin?.write(this.#requests);
        this.#requests = "";
      });
    }
    this.#requests += `${JSON.stringify(request)}\n`;
  }

  /** Ends it; resolves when it is gone. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#process.stdin?.end();
    await this.#gone;
  }

  #receive(reply: LauncherReply): void {
    this.#listeners.get(reply[1])?.reply(reply);
  }

  #lost(cause: unknown): void {
    this.#isGone = true;
    const { pid } = this.#process;
    if (pid !== undefined && !this.#isClosing) removeCaptures(pid);
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) listener.lost(cause);
  }
}
