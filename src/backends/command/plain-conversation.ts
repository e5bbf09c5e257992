// One message a task: the dialect of the protocol that any language speaks.
//
// A worker knows no chunks: the items of one are sent to it as tasks of their own, a few at a time, and answered in order. An id on
// the wire is this conversation's own, since several of them may belong to one ticket.
import { types } from "node:util";
import { toErrorRecord } from "../../protocol/error-record.ts";
import { JsonValues } from "../../protocol/json-values.ts";
import {
  ABORT,
  CHUNK_ITEM_FAILED,
  CHUNK_ITEMS,
  CREDIT,
  DEFERRED,
  DRAIN,
  FAILED,
  REFUSED,
  RUN,
  type RunRequest,
  STOP_STREAM,
  STREAM_ITEM,
  type TaskExtras,
  type TaskId,
  THROWN,
  UNKNOWN_TASK,
  type WorkerRequest,
} from "../../protocol/messages.ts";
import { type MaybePacked, unpack } from "../../protocol/packing.ts";
import type { FromWorker } from "../../protocol/stdio.ts";
import { Conversation, idsOf, numberOf } from "./conversation.ts";
import { kindOf, recordOf } from "./plain-error.ts";
import { RestPeriods } from "./rest-periods.ts";

/** Items of a chunk that a worker has at once, where it takes tasks ahead. */
const ITEMS_AHEAD = 64;
/** So long after its answer a task may still be meant by what comes over another pipe. */
const LATE_OUTPUT_MS = 20;

/** A task at the worker, or an item of a chunk. */
interface Sent {
  readonly ticket: number;
  readonly taskId: TaskId;
  readonly sentAt: number;
  readonly chunk: Chunk | undefined;
  /** Values go back one by one. */
  readonly isStream: boolean;
  hasItems: boolean;
  /** Its reader has left: that it stops is its end, and no failure. */
  isStopped: boolean;
}

interface Chunk {
  readonly ticket: number;
  readonly name: string;
  readonly inputs: ArrayLike<unknown>;
  readonly firstId: number;
  readonly extras: TaskExtras;
  /** The next item to send, and to be answered; items from `end` on are not its business any more. */
  next: number;
  answered: number;
  end: number;
}

/** An input as JSON; none; or one that JSON has not. */
type InputForm = string | undefined | { readonly packed: unknown };

/** Items of a chunk that were answered one after another, and are told together. */
interface Group {
  readonly chunk: Chunk;
  readonly first: number;
  readonly values: unknown[];
  readonly micros: number[];
}

export class PlainConversation extends Conversation {
  readonly #json = new JsonValues(types.isProxy);
  /** What the worker has, by the id on the wire, in the order of sending. */
  readonly #sent = new Map<number, Sent>();
  readonly #idOf = new Map<number, number>();
  readonly #chunks = new Map<number, Chunk>();
  readonly #rests = new RestPeriods();
  #group: Group | undefined;
  #nextId = 1;
  /** What is to be written as JSON. */
  #words = "";
  #lastTask: TaskId | undefined;
  #lastAnswerAt = 0;

  get busyInARow(): number {
    return this.#rests.inARow;
  }

  get runningTask(): TaskId | undefined {
    if (this.hello.concurrency > 1) return undefined;
    for (const { taskId } of this.#sent.values()) return taskId;
    // What it wrote before its answer may come after it, over another pipe.
    return performance.now() - this.#lastAnswerAt < LATE_OUTPUT_MS ? this.#lastTask : undefined;
  }

  protected taskOf(id: unknown): TaskId | undefined {
    return typeof id === "number" ? this.#sent.get(id)?.taskId : undefined;
  }

  // ── To the worker ──────────────────────────────────────────────────────────────────────────────────────────────────────

  send(request: WorkerRequest): void {
    switch (request[0]) {
      case RUN:
        this.#run(request);
        break;
      case STOP_STREAM: {
        const sent = this.#sent.get(this.#idOf.get(request[1]) ?? 0);
        if (sent !== undefined) sent.isStopped = true;
        this.#cancel(request[1]);
        break;
      }
      case ABORT:
        this.#cancel(request[1]);
        break;
      case CREDIT: {
        const id = this.#idOf.get(request[1]);
        if (id !== undefined) this.wire.write(`{"type":"credit","id":${id},"count":${request[2]}}\n`);
        break;
      }
      case DRAIN:
        this.wire.write('{"type":"drain"}\n');
        break;
      default:
        request satisfies never;
    }
  }

  recall(tickets: readonly number[]): readonly number[] | undefined {
    if (!this.hello.features.has("ahead")) return [];
    const ids = tickets.map((ticket) => this.#idOf.get(ticket)).filter((id) => id !== undefined);
    if (ids.length === 0) return [];
    this.wire.write(`{"type":"recall","ids":[${ids.join(",")}]}\n`);
    return undefined;
  }

  recallItems(ticket: number): number {
    const chunk = this.#chunks.get(ticket);
    if (chunk === undefined) return Number.MAX_SAFE_INTEGER;
    chunk.end = Math.min(chunk.end, chunk.next);
    return chunk.end;
  }

  #run([, names, tickets, ids, inputs, more]: RunRequest): void {
    const values = unpack(inputs);
    // All or nothing: the form of all inputs before the first word.
    const forms: InputForm[] = [];
    const isChunk = (at: number): boolean => more !== 0 && more[at] !== 0 && more[at]!.isChunk === true;
    for (let at = 0; at < tickets.length; at++) forms.push(isChunk(at) ? undefined : this.#formOf(values[at]));
    for (let at = 0; at < tickets.length; at++) {
      const ticket = tickets[at]!;
      const name = typeof names === "string" ? names : names[at]!;
      const taskId = typeof ids === "number" ? ids + at : ids[at]!;
      const extras = more === 0 ? 0 : more[at]!;
      if (!this.#knows(name)) this.#refuse(ticket, name);
      else if (extras !== 0 && extras.isChunk === true) {
        this.#beginChunk(ticket, name, taskId as number, unpack(values[at] as MaybePacked), extras);
      } else this.#task(ticket, name, taskId, forms[at], extras, undefined);
    }
    this.#writeWords();
    // Not within the call: the pool is carrying out a command.
    queueMicrotask(() => this.flush());
  }

  #task(
    ticket: number,
    name: string,
    taskId: TaskId,
    input: InputForm,
    extras: TaskExtras | 0,
    chunk: Chunk | undefined,
  ): void {
    const id = this.#nextId++;
    const credit = extras === 0 ? undefined : extras.credit;
    if (this.#sent.size === 0) this.#lastAnswerAt = performance.now();
    this.#sent.set(id, {
      ticket,
      taskId,
      sentAt: performance.now(),
      chunk,
      isStream: credit !== undefined,
      hasItems: false,
      isStopped: false,
    });
    if (chunk === undefined) this.#idOf.set(ticket, id);
    const attempt = extras === 0 ? 1 : (extras.attempt ?? 1);
    const priority = extras === 0 ? 0 : (extras.priority ?? 0);
    const order = Number.isFinite(priority) ? priority : Math.sign(priority) * Number.MAX_VALUE;
    if (typeof input === "object") {
      // What was said before goes before.
      this.#writeWords();
      const message = { type: "task", id, name, input: input.packed, taskId, attempt, priority: order };
      this.wire.pack(credit === undefined ? message : { ...message, stream: credit });
      return;
    }
    const given = input === undefined ? "" : `,"input":${input}`;
    const stream = credit === undefined ? "" : `,"stream":${credit}`;
    this.#words += `{"type":"task","id":${id},"name":${JSON.stringify(name)}${given},"taskId":${JSON.stringify(taskId)},"attempt":${attempt},"priority":${order}${stream}}\n`;
  }

  /** @throws TypeError where the worker could not be given it */
  #formOf(value: unknown): InputForm {
    try {
      return this.#json.text(value);
    } catch (error) {
      const { msgpack } = this.wire;
      if (msgpack === undefined) throw error;
      msgpack.check(value);
      return { packed: value };
    }
  }

  #writeWords(): void {
    if (this.#words === "") return;
    this.wire.write(this.#words);
    this.#words = "";
  }

  #knows(name: string): boolean {
    return this.hello.tasks.length === 0 || this.hello.tasks.includes(name);
  }

  #refuse(ticket: number, name: string): void {
    const known = this.hello.tasks.map((one) => `"${one}"`).join(", ");
    const error = new Error(`Cannot run task "${name}": the worker has ${known}`);
    this.event([FAILED, ticket, 0, toErrorRecord(error), UNKNOWN_TASK]);
  }

  #cancel(ticket: number): void {
    const chunk = this.#chunks.get(ticket);
    if (chunk !== undefined) chunk.end = Math.min(chunk.end, chunk.next);
    if (!this.hello.features.has("cancel")) return;
    for (const [id, sent] of this.#sent) {
      if (sent.ticket === ticket) this.wire.write(`{"type":"cancel","id":${id}}\n`);
    }
  }

  // ── Chunks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #beginChunk(ticket: number, name: string, firstId: number, inputs: ArrayLike<unknown>, extras: TaskExtras): void {
    const chunk: Chunk = { ticket, name, inputs, firstId, extras, next: 0, answered: 0, end: inputs.length };
    this.#chunks.set(ticket, chunk);
    this.#feed(chunk);
  }

  #feed(chunk: Chunk): void {
    // Answers of several hands come in any order, and items are answered in theirs.
    const most = this.hello.features.has("ahead") && this.hello.concurrency === 1 ? ITEMS_AHEAD : 1;
    // Half at a time, so that lines leave together.
    if ((chunk.next - chunk.answered) * 2 > most) return;
    while (chunk.next < chunk.end && chunk.next - chunk.answered < most) {
      const { extras } = chunk;
      const item: TaskExtras = {
        ...(extras.attempt === undefined ? {} : { attempt: extras.attempt }),
        ...(extras.priority === undefined ? {} : { priority: extras.priority }),
      };
      let input: InputForm;
      try {
        input = this.#formOf(chunk.inputs[chunk.next]);
      } catch {
        // What came before it goes on; it and the rest come back with the chunk, one by one, and then it says what it is.
        chunk.end = chunk.next;
        break;
      }
      this.#task(chunk.ticket, chunk.name, chunk.firstId + chunk.next, input, item, chunk);
      chunk.next++;
    }
    if (chunk.answered >= chunk.end) this.#endChunk(chunk);
  }

  #endChunk(chunk: Chunk): void {
    if (this.#chunks.delete(chunk.ticket)) this.result(chunk.ticket, 0, undefined);
  }

  // ── From the worker ────────────────────────────────────────────────────────────────────────────────────────────────────

  override receive(message: FromWorker): void {
    if (message.type === "recalled") {
      this.#recalled(idsOf(message, "ids"), idsOf(message, "got"));
      return;
    }
    const { id } = message;
    const sent = typeof id === "number" ? this.#sent.get(id) : undefined;
    if (sent === undefined) {
      super.receive(message);
      return;
    }
    switch (message.type) {
      case "result":
        this.#completed(id as number, sent, message);
        break;
      case "error":
        this.#failed(id as number, sent, message);
        break;
      case "cancelled":
        if (sent.isStopped) this.#completed(id as number, sent, {});
        else this.#failed(id as number, sent, { error: { name: "AbortError", message: "the task was cancelled" } });
        break;
      case "busy":
        this.#busy(id as number, sent, numberOf(message, "retryAfterMs", 1_000));
        break;
      case "defer":
        this.#deferred(id as number, sent, message);
        break;
      case "item":
        sent.hasItems = true;
        if (sent.isStream) this.event([STREAM_ITEM, sent.ticket, message["value"]]);
        break;
      case "progress":
        this.progress(sent.ticket, sent.taskId, message);
        break;
      case "label":
        this.label(sent.ticket, message);
        break;
      default:
        super.receive(message);
    }
  }

  override flush(): void {
    this.#tellGroup();
    if (this.results > 0) {
      // What came together is not told apart: each has its share of the time since the last answer.
      const now = performance.now();
      this.share(Math.round(((now - this.#lastAnswerAt) / this.results) * 1_000));
      this.#lastAnswerAt = now;
    }
    super.flush();
  }

  #completed(id: number, sent: Sent, message: FromWorker): void {
    this.#rests.over();
    this.#forget(id, sent);
    const ms = numberOf(message, "ms", -1);
    const micros = ms < 0 ? -1 : Math.round(ms * 1_000);
    if (sent.chunk !== undefined) this.#itemCompleted(sent.chunk, micros, message["value"]);
    else {
      const isPlain = sent.isStream && !sent.hasItems && message["value"] !== undefined;
      if (isPlain) this.event([STREAM_ITEM, sent.ticket, message["value"]]);
      this.result(sent.ticket, micros, sent.isStream ? undefined : message["value"]);
    }
  }

  #itemCompleted(chunk: Chunk, micros: number, value: unknown): void {
    const index = chunk.answered++;
    const now = performance.now();
    const took = micros < 0 ? Math.round((now - this.#lastAnswerAt) * 1_000) : micros;
    this.#lastAnswerAt = now;
    if (this.#group?.chunk !== chunk) {
      this.#tellGroup();
      this.#group = { chunk, first: index, values: [], micros: [] };
    }
    this.#group.values.push(value);
    this.#group.micros.push(took);
  }

  #tellGroup(): void {
    if (this.#group === undefined) return;
    const { chunk, first, values, micros } = this.#group;
    this.#group = undefined;
    const all = micros.reduce((sum, one) => sum + one, 0);
    this.event([CHUNK_ITEMS, chunk.ticket, first, values, chunk.extras.eachMs === true ? micros : all]);
    this.#goOn(chunk);
  }

  #goOn(chunk: Chunk): void {
    this.#feed(chunk);
    this.#writeWords();
  }

  #failed(id: number, sent: Sent, message: FromWorker): void {
    this.#tellGroup();
    this.#rests.over();
    this.#forget(id, sent);
    const micros = Math.round((performance.now() - Math.max(sent.sentAt, this.#lastAnswerAt)) * 1_000);
    this.#lastAnswerAt = performance.now();
    const how = kindOf(message["error"], message["permanent"] === true);
    const record = recordOf(message["error"]);
    if (sent.chunk === undefined) this.event([FAILED, sent.ticket, micros, record, how]);
    else {
      const index = sent.chunk.answered++;
      this.event([CHUNK_ITEM_FAILED, sent.ticket, index, micros, record, how, null]);
      this.#goOn(sent.chunk);
    }
  }

  #busy(id: number, sent: Sent, retryAfterMs: number): void {
    const delayMs = this.#rests.next(retryAfterMs);
    this.#putOff(id, sent, [REFUSED, sent.ticket, delayMs], [null, delayMs]);
  }

  #deferred(id: number, sent: Sent, message: FromWorker): void {
    this.#rests.over();
    const delayMs = Math.max(0, numberOf(message, "delayMs", 0));
    const priority = message["priority"] === undefined ? null : numberOf(message, "priority", 0);
    this.#putOff(id, sent, [DEFERRED, sent.ticket, priority, delayMs], [priority, delayMs]);
  }

  #putOff(
    id: number,
    sent: Sent,
    event: readonly [typeof REFUSED, number, number] | readonly [typeof DEFERRED, number, number | null, number],
    item: readonly [number | null, number],
  ): void {
    this.#tellGroup();
    this.#forget(id, sent);
    this.#lastAnswerAt = performance.now();
    if (sent.chunk === undefined) this.event(event);
    else {
      const index = sent.chunk.answered++;
      this.event([CHUNK_ITEM_FAILED, sent.ticket, index, 0, recordOf({ message: "put off" }), THROWN, item]);
      this.#goOn(sent.chunk);
    }
  }

  #recalled(asked: readonly number[], got: readonly number[]): void {
    // Answers that came before it are told before it.
    this.flush();
    const tickets = (ids: readonly number[]): number[] =>
      ids.map((id) => this.#sent.get(id)?.ticket).filter((ticket) => ticket !== undefined);
    const askedTickets = tickets(asked);
    const gotTickets = tickets(got);
    for (const id of got) {
      const sent = this.#sent.get(id);
      if (sent !== undefined) this.#forget(id, sent);
    }
    this.listener.recalled(askedTickets, gotTickets);
  }

  #forget(id: number, sent: Sent): void {
    this.#sent.delete(id);
    this.#lastTask = sent.taskId;
    if (sent.chunk === undefined) this.#idOf.delete(sent.ticket);
  }
}
