// A host of a cluster, whichever engine brings its messages: lends its hands, answers what is asked of it, and ends when it is told to.
import { hostname } from "node:os";
import { ProtocolError } from "../protocol/errors.ts";
import { LIBRARY_VERSION } from "../protocol/version.ts";
import type { Backend } from "./backend.ts";
import { type HostLine, type HostReport, isMeant } from "./cluster-control.ts";
import { type Answer, type Question, writeControl } from "./control-body.ts";
import { HANDS_VERSION } from "./hand-wire.ts";
import { HandsHost } from "./hands-host.ts";
import type { HostHello } from "./remote-hands.ts";

export interface ClusterHostSettings {
  readonly id: string;
  readonly hands: number;
  readonly backend: (concurrency: number) => Backend;
  /** Sends a body to a pool, once and in order. */
  readonly send: (session: string, body: Uint8Array) => void;
  /** As of the pool's carrier. */
  readonly bodyBytes: number;
}

export type HostEnd = "quit" | "restart";

export class ClusterHost {
  readonly id: string;
  readonly hands: HandsHost;
  /** Resolves when it was told to end, and no pool has anything of it. */
  readonly left: Promise<HostEnd>;
  readonly #settings: ClusterHostSettings;
  readonly #startedAt = Date.now();
  /** Who wants to hear what is printed: by the session that it was asked in, and the question. */
  readonly #listeners = new Map<string, Map<string, (line: HostLine) => void>>();
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
      bodyBytes: settings.bodyBytes,
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

  /** It was told to end. */
  get isLeaving(): boolean {
    return this.#end === undefined;
  }

  get report(): HostReport {
    return {
      id: this.id,
      ...this.#whereabouts,
      ...this.hands.counts,
      memoryBytes: process.memoryUsage.rss(),
      startedAt: this.#startedAt,
      version: LIBRARY_VERSION,
      state: this.isLeaving ? "leaving" : "serving",
    };
  }

  /**
   * Answers a question that came in a session, where this host is meant.
   * @throws ProtocolError for more listeners than anybody has
   */
  answer({ ask, number, ids, from }: Question, session: string, say: (body: Uint8Array) => void): void {
    if (!isMeant({ id: this.id, ...this.#whereabouts }, ids)) return;
    const who = `${from ?? ""} ${number}`;
    const address = { number, from };
    if (ask === "quit" || ask === "restart") this.leave(ask);
    else if (ask === "logs") {
      this.#listen(session, who, (line) => say(writeControl({ ...address, line })));
    } else if (ask === "hush") this.#listeners.get(session)?.delete(who);
    say(writeControl({ ...address, report: this.report } satisfies Answer));
  }

  /** The session is over: nobody listens any more who asked in it. */
  forget(session: string): void {
    this.#listeners.delete(session);
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

  #listen(session: string, who: string, listener: (line: HostLine) => void): void {
    const listeners = this.#listeners.get(session) ?? new Map<string, (line: HostLine) => void>();
    if (listeners.size >= MAX_LISTENERS && !listeners.has(who)) {
      throw new ProtocolError(`Cannot tell what is printed: ${MAX_LISTENERS} in one session hear it`);
    }
    listeners.set(who, listener);
    this.#listeners.set(session, listeners);
  }

  #printed(stream: "stdout" | "stderr", text: string): void {
    if (this.#listeners.size === 0) return;
    for (const one of text.replace(/\n$/, "").split("\n")) {
      const line = { id: this.id, host: hostname(), stream, text: one };
      for (const listeners of this.#listeners.values()) for (const listener of listeners.values()) listener(line);
    }
  }
}

const MAX_LISTENERS = 1_000;
