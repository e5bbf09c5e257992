// Questions to hosts, and what has come of each. Knows no sockets: those who can be asked join and leave.
import { PoolClosedError, type ProtocolError, ReceiveTimeoutError } from "../../protocol/errors.ts";
import {
  ASK_TIMEOUT_MS,
  addressOf,
  type ClusterControl,
  type ControlOptions,
  type HostLine,
  type HostReport,
  isMeant,
} from "../cluster-control.ts";
import { type Answer, type Ask, type Question, writeControl } from "../control-body.ts";

/** A pool that passes questions on, or a host. */
interface Party {
  readonly send: (body: Uint8Array) => void;
  /** Of a host: whether the names mean it. */
  readonly isMeant: ((ids: readonly string[] | undefined) => boolean) | undefined;
}

class Inquiry {
  readonly question: Question;
  /** By id and address: an id may have been given twice, and one process may be several hosts. */
  readonly reports = new Map<string, HostReport>();
  readonly onLine: ((line: HostLine) => void) | undefined;
  /** How many answers are still to come from whom, infinity as long as that is not known. */
  readonly owed = new Map<unknown, number>();
  /** Resolves when it is over; rejects with why it cannot go on. */
  readonly over: Promise<void>;
  finish: () => void = () => {};
  fail: (error: unknown) => void = () => {};

  constructor(question: Question, onLine?: (line: HostLine) => void) {
    this.question = question;
    this.onLine = onLine;
    this.over = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
  }
}

export class Inquiries implements ClusterControl {
  readonly #release: () => Promise<unknown>;
  readonly #parties = new Map<unknown, Party>();
  readonly #underWay = new Map<number, Inquiry>();
  /** How many there should be. */
  #places: number;
  #refusal: ProtocolError | undefined;
  #isClosed = false;
  #number = 0;

  /** @param places how many there are to join */
  constructor(places: number, release: () => Promise<unknown>) {
    this.#places = places;
    this.#release = release;
  }

  /** Somebody can be asked, and is asked what is under way. */
  joined(key: unknown, send: (body: Uint8Array) => void, meant?: Party["isMeant"]): void {
    const party = { send, isMeant: meant };
    this.#parties.set(key, party);
    for (const inquiry of this.#underWay.values()) this.#put(inquiry, key, party);
  }

  left(key: unknown): void {
    this.#parties.delete(key);
    for (const inquiry of this.#underWay.values()) {
      // Who had answered in full owes nothing.
      if (inquiry.owed.get(key) !== 0) inquiry.owed.delete(key);
    }
  }

  /** One of the places does not want to be asked. */
  refused(error: ProtocolError): void {
    this.#places--;
    this.#refusal = error;
    for (const inquiry of this.#underWay.values()) {
      if (this.#places === 0) inquiry.fail(error);
      else this.#finishIfDone(inquiry);
    }
  }

  heard(key: unknown, { number, report, line, asked }: Answer): void {
    const inquiry = this.#underWay.get(number);
    if (inquiry === undefined) return;
    if (line !== undefined) inquiry.onLine?.(line);
    // A pool says how many were asked, after which their answers come: none is quicker than that.
    if (asked !== undefined) inquiry.owed.set(key, asked);
    if (report !== undefined) {
      inquiry.reports.set(`${report.id} ${addressOf(report)}`, report);
      inquiry.owed.set(key, Math.max(0, (inquiry.owed.get(key) ?? 0) - 1));
    }
    this.#finishIfDone(inquiry);
  }

  async ping(options?: ControlOptions): Promise<readonly HostReport[]> {
    return await this.#ask("ping", options);
  }

  async quit(options?: ControlOptions): Promise<readonly HostReport[]> {
    return await this.#ask("quit", options);
  }

  async restart(options?: ControlOptions): Promise<readonly HostReport[]> {
    return await this.#ask("restart", options);
  }

  async logs(
    onLine: (line: HostLine) => void,
    options: ControlOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const { signal, timeoutMs = ASK_TIMEOUT_MS } = options;
    if (signal?.aborted === true) return;
    const inquiry = this.#begin("logs", options, onLine);
    const end = (): void => inquiry.finish();
    signal?.addEventListener("abort", end, { once: true });
    const timer = setTimeout(() => {
      if (this.#parties.size === 0) inquiry.fail(nobody(timeoutMs));
    }, timeoutMs);
    try {
      await inquiry.over;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      const { number, ids } = inquiry.question;
      this.#underWay.delete(number);
      const hush = writeControl({ ask: "hush", number, ids } satisfies Question);
      for (const { send } of this.#parties.values()) send(hush);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const inquiry of this.#underWay.values()) {
      if (inquiry.onLine === undefined) inquiry.fail(closed());
      else inquiry.finish();
    }
    await this.#release();
  }

  async #ask(ask: Ask, options: ControlOptions = {}): Promise<readonly HostReport[]> {
    const { timeoutMs = ASK_TIMEOUT_MS } = options;
    const inquiry = this.#begin(ask, options);
    const timer = setTimeout(() => {
      if (inquiry.owed.size === 0) inquiry.fail(nobody(timeoutMs));
      else inquiry.finish();
    }, timeoutMs);
    try {
      await inquiry.over;
      return [...inquiry.reports.values()];
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(inquiry.question.number);
    }
  }

  /** @throws what refused it, where all have */
  #begin(ask: Ask, { ids }: ControlOptions, onLine?: (line: HostLine) => void): Inquiry {
    if (this.#isClosed) throw closed();
    if (this.#places === 0 && this.#refusal !== undefined) throw this.#refusal;
    const number = ++this.#number;
    const inquiry = new Inquiry({ ask, number, ids }, onLine);
    this.#underWay.set(number, inquiry);
    for (const [key, party] of this.#parties) this.#put(inquiry, key, party);
    return inquiry;
  }

  #put(inquiry: Inquiry, key: unknown, { send, isMeant: meant }: Party): void {
    const owed = meant === undefined ? Number.POSITIVE_INFINITY : Number(meant(inquiry.question.ids));
    inquiry.owed.set(key, owed);
    // Who is not meant is silent.
    send(writeControl(inquiry.question));
    this.#finishIfDone(inquiry);
  }

  #finishIfDone({ question, reports, owed, onLine, finish }: Inquiry): void {
    if (onLine !== undefined) return;
    const all = [...reports.values()];
    const areNamed = question.ids?.every((id) => all.some((report) => isMeant(report, [id]))) === true;
    const isTold = owed.size >= this.#places && [...owed.values()].every((count) => count === 0);
    if (areNamed || isTold) finish();
  }
}

function nobody(timeoutMs: number): ReceiveTimeoutError {
  return new ReceiveTimeoutError(`Cannot ask hosts: nobody was there within ${timeoutMs} ms`);
}

function closed(): PoolClosedError {
  return new PoolClosedError("Cannot ask hosts: the control is closed");
}
