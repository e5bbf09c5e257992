// A host of a cluster, whichever engine brings its messages: lends its hands, answers what is asked of it, and ends when it is told to.
import { hostname } from "node:os";
import { LIBRARY_VERSION } from "../protocol/version.ts";
import type { Backend } from "./backend.ts";
import type { HostLine, HostReport } from "./cluster-control.ts";
import { type Answer, isMeant, type Question, writeControl } from "./control-body.ts";
import { HANDS_VERSION } from "./hand-wire.ts";
import { HandsHost } from "./hands-host.ts";
import type { HostHello } from "./remote-hands.ts";

export interface ClusterHostSettings {
  readonly id: string;
  readonly hands: number;
  readonly backend: (concurrency: number) => Backend;
  /** Sends a body to a pool, once and in order. */
  readonly send: (session: string, body: Uint8Array) => void;
}

export type HostEnd = "quit" | "restart";

export class ClusterHost {
  readonly id: string;
  readonly hands: HandsHost;
  /** Resolves when it was told to end, and no pool has anything of it. */
  readonly left: Promise<HostEnd>;
  readonly #settings: ClusterHostSettings;
  readonly #startedAt = Date.now();
  /** Who wants to hear what is printed. */
  readonly #listeners = new Map<string, (line: HostLine) => void>();
  #end: ((end: HostEnd) => void) | undefined;

  constructor(settings: ClusterHostSettings) {
    this.id = settings.id;
    this.#settings = settings;
    this.left = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.hands = new HandsHost({
      hands: settings.hands,
      backend: settings.backend,
      send: settings.send,
      onOutput: (stream, text) => this.#printed(stream, text),
    });
  }

  /** What it says of itself when it greets a pool. */
  get hello(): HostHello & { readonly protocol: number } {
    return { ...this.#whereabouts, protocol: HANDS_VERSION };
  }

  get #whereabouts(): HostHello {
    return { host: hostname(), pid: process.pid, hands: this.#settings.hands };
  }

  get report(): HostReport {
    return {
      id: this.id,
      ...this.#whereabouts,
      ...this.hands.counts,
      memoryBytes: process.memoryUsage.rss(),
      startedAt: this.#startedAt,
      version: LIBRARY_VERSION,
      state: this.#end === undefined ? "leaving" : "serving",
    };
  }

  /** Answers a question; `undefined` where it is meant for others. */
  answer(question: Question, say: (body: Uint8Array) => void): void {
    if (!isMeant(question, this.id, this.#whereabouts)) return;
    const { ask, number, from } = question;
    const address = from === undefined ? { number } : { number, from };
    if (ask === "quit" || ask === "restart") this.leave(ask);
    const who = `${from ?? ""} ${number}`;
    if (ask === "logs") this.#listeners.set(who, (line) => say(writeControl({ ...address, line } satisfies Answer)));
    else if (ask === "hush") this.#listeners.delete(who);
    say(writeControl({ ...address, report: this.report } satisfies Answer));
  }

  /** Nobody listens any more who asked by way of this one. */
  forget(from: string): void {
    for (const who of this.#listeners.keys()) if (who.startsWith(`${from} `)) this.#listeners.delete(who);
  }

  /** Finishes what it has, then leaves. */
  leave(how: HostEnd): void {
    const end = this.#end;
    if (end === undefined) return;
    this.#end = undefined;
    // Never rejects.
    void this.hands.leave().then(() => end(how));
  }

  /** Ends all its workers now. */
  async terminate(): Promise<void> {
    await this.hands.terminate();
    this.#end?.("quit");
    this.#end = undefined;
  }

  #printed(stream: "stdout" | "stderr", text: string): void {
    if (this.#listeners.size === 0) return;
    for (const one of text.replace(/\n$/, "").split("\n")) {
      const line = { id: this.id, host: hostname(), stream, text: one };
      for (const listener of this.#listeners.values()) listener(line);
    }
  }
}
