// What waits to be sent to the pool: results in columns, and the events that came before them. Sends as late as it may, because a
// message costs more than a small task.
import { types } from "node:util";
import { toErrorRecord } from "../protocol/error-record.ts";
import {
  CHUNK_ITEM_FAILED,
  CHUNK_ITEMS,
  FAILED,
  MEMORY,
  NOT_SERIALIZABLE,
  STREAM_ITEM,
  type WorkerEvent,
  type WorkerReply,
} from "../protocol/messages.ts";
import { Packer } from "../protocol/packer.ts";
import { unpack } from "../protocol/packing.ts";
import { NOT_PLAIN, PlainCopier } from "../protocol/plain-copy.ts";
import type { WorkerPort } from "./port.ts";
import { transferListOf } from "./transfer.ts";

const MEMORY_EVERY_MS = 500;
/** So many messages in so short a time leave at once. */
const BURST = 16;
const BURST_MS = 2;

export class Outbox {
  #tickets: number[] = [];
  #micros: number[] = [];
  readonly #values = new Packer(types.isProxy);
  #events: WorkerEvent[] = [];
  #transfer: readonly object[] | undefined;
  #lastMemoryAt = 0;
  #burst = 0;
  #burstStartedAt = 0;
  #isScheduled = false;
  #isScheduledLate = false;
  #isOpen = true;
  /** When the last message left. */
  lastSentAt = 0;
  readonly #copier = new PlainCopier(types.isProxy);
  readonly #port: WorkerPort;
  readonly #onUnsendableItem: (ticket: number) => void;

  /** @param onUnsendableItem a stream's value could not be copied: the stream has failed */
  constructor(port: WorkerPort, onUnsendableItem: (ticket: number) => void) {
    this.#port = port;
    this.#onUnsendableItem = onUnsendableItem;
  }

  /** Results and events that wait. */
  get size(): number {
    return this.#tickets.length + this.#events.length;
  }

  result(ticket: number, micros: number, value: unknown): void {
    if (this.#values.add(value)) {
      this.#tickets.push(ticket);
      this.#micros.push(micros);
      // What a task told has to arrive before its answer.
      if (this.#events.length === 0) this.#port.board?.post(ticket, micros, value);
      return;
    }
    this.flush(performance.now());
    const transfer = typeof value === "object" && value !== null ? transferListOf(value) : undefined;
    this.#post([[ticket], [micros], [value], 0], transfer);
  }

  /** @param event holds nothing that a task could still change */
  event(event: WorkerEvent): void {
    this.#events.push(event);
  }

  /** An event with a value that a task gave. */
  eventWith(value: unknown, toEvent: (value: unknown) => WorkerEvent): void {
    const copy = this.#copier.copy(value);
    if (copy === NOT_PLAIN) this.flush(performance.now());
    this.#events.push(toEvent(copy === NOT_PLAIN ? value : copy));
    if (copy === NOT_PLAIN) this.#sendAlone(value);
  }

  /** Sends at the end of the turn, when everything that is ready by then has been gathered. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(() => {
      this.#isScheduled = false;
      this.flush(performance.now());
    });
  }

  /** Sends when the messages that have come by now are read. */
  scheduleLate(): void {
    if (this.#isScheduledLate) return;
    this.#isScheduledLate = true;
    setImmediate(() => {
      this.#isScheduledLate = false;
      this.flush(performance.now());
    });
  }

  /**
   * Sends what should be seen while its task runs, even if that one never yields; only where there is much of it in a short time it
   * is gathered.
   */
  sendSoon(): void {
    const now = performance.now();
    if (now - this.#burstStartedAt > BURST_MS) {
      this.#burstStartedAt = now;
      this.#burst = 0;
    }
    if (this.#burst++ < BURST) this.flush(now);
    else this.schedule();
  }

  flush(now: number): void {
    if (this.size === 0 || !this.#isOpen) return;
    if (now - this.#lastMemoryAt > MEMORY_EVERY_MS) {
      this.#lastMemoryAt = now;
      this.#events.push([MEMORY, this.#port.memoryBytes()]);
    }
    const reply: WorkerReply = [
      this.#tickets,
      this.#micros,
      this.#values.take(),
      this.#events.length > 0 ? this.#events : 0,
    ];
    const transfer = this.#transfer;
    this.#tickets = [];
    this.#micros = [];
    this.#events = [];
    this.#transfer = undefined;
    this.lastSentAt = now;
    this.#post(reply, transfer);
    this.#port.board?.clear();
  }

  #post(reply: WorkerReply, transfer: readonly object[] | undefined): void {
    try {
      this.#port.post(reply, transfer);
    } catch {
      this.#postOneByOne(reply);
    }
  }

  close(): void {
    this.flush(performance.now());
    this.#isOpen = false;
    this.#port.close();
  }

  #sendAlone(value: unknown): void {
    if (typeof value === "object" && value !== null) this.#transfer = transferListOf(value);
    this.flush(performance.now());
  }

  /** Some value of the message cannot be copied: each goes alone, and the one that cannot becomes a failure. */
  #postOneByOne(reply: WorkerReply): void {
    const [tickets, micros, packed, events] = reply;
    const values = unpack(packed);
    for (const event of events === 0 ? [] : events) {
      try {
        this.#port.post([[], [], [], [event]]);
      } catch (error) {
        for (const failure of failuresOf(event, error)) this.#port.post([[], [], [], [failure]]);
        if (event[0] === STREAM_ITEM) this.#onUnsendableItem(event[1]);
      }
    }
    for (let i = 0; i < tickets.length; i++) {
      try {
        this.#port.post([[tickets[i]!], [micros[i]!], [values[i]], 0]);
      } catch (error) {
        const failure: WorkerEvent = [FAILED, tickets[i]!, micros[i]!, toErrorRecord(error), NOT_SERIALIZABLE];
        this.#port.post([[], [], [], [failure]]);
      }
    }
  }
}

/** What is sent instead of an event that cannot be copied: a failure of the task, or of the one item. */
function failuresOf(event: WorkerEvent, error: unknown): WorkerEvent[] {
  const record = toErrorRecord(error);
  switch (event[0]) {
    case CHUNK_ITEMS: {
      const [, ticket, first, packed, micros] = event;
      const values = unpack(packed);
      const each = (i: number) => (typeof micros === "number" ? Math.round(micros / values.length) : micros[i]!);
      return Array.from(values, (value, i) =>
        isCopyable(value)
          ? [CHUNK_ITEMS, ticket, first + i, [value], typeof micros === "number" ? each(i) : [each(i)]]
          : [CHUNK_ITEM_FAILED, ticket, first + i, each(i), record, NOT_SERIALIZABLE, null],
      );
    }
    case FAILED:
      return [[FAILED, event[1], event[2], record, NOT_SERIALIZABLE]];
    case STREAM_ITEM:
      return [[FAILED, event[1], 0, record, NOT_SERIALIZABLE]];
    default:
      // A progress or a log line that cannot be copied is left out.
      return [];
  }
}

function isCopyable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
