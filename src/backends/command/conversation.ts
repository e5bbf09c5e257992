// What is said with one worker, in the words of the stdio protocol: requests of the pool become messages, messages become replies.
// Two dialects share this frame: one message a task, which any language speaks, and columns, which `serve()` speaks.
import { ProtocolError } from "../../protocol/errors.ts";
import {
  LABEL,
  LOG,
  OUTPUT,
  PROGRESS,
  STRAY,
  type TaskId,
  type WorkerEvent,
  type WorkerReply,
  type WorkerRequest,
} from "../../protocol/messages.ts";
import type { FromWorker, WorkerHello } from "../../protocol/stdio.ts";
import { recordOf } from "./plain-error.ts";
import type { Wire } from "./wire.ts";

/** Who listens to what the worker means. */
export interface Listener {
  reply(reply: WorkerReply): void;
  recalled(asked: readonly number[], got: readonly number[]): void;
  itemsRecalled(ticket: number, from: number): void;
}

export abstract class Conversation {
  readonly hello: WorkerHello;
  protected readonly listener: Listener;
  protected readonly wire: Wire;
  #tickets: number[] = [];
  #micros: number[] = [];
  #values: unknown[] = [];
  #events: WorkerEvent[] = [];

  constructor(hello: WorkerHello, wire: Wire, listener: Listener) {
    this.hello = hello;
    this.wire = wire;
    this.listener = listener;
  }

  /** @throws TypeError where a value has no form on the wire; then nothing was sent */
  abstract send(request: WorkerRequest): void;
  abstract recall(tickets: readonly number[]): readonly number[] | undefined;
  abstract recallItems(ticket: number): number;
  /** How often it has said, since it last took a task, that it is busy. */
  abstract get busyInARow(): number;
  /** The caller's id of the one task that can be meant by what the program writes; undefined where there is no such one. */
  abstract get runningTask(): TaskId | undefined;

  /** Takes a message; what it comes to waits for `flush`. @throws ProtocolError for one that means nothing */
  receive(message: FromWorker): void {
    switch (message.type) {
      case "log":
        this.event([
          LOG,
          this.taskOf(message.id) ?? "",
          Array.isArray(message["args"]) ? message["args"] : [message["text"]],
        ]);
        break;
      case "stray":
        this.event([STRAY, this.taskOf(message.id) ?? null, recordOf(message["error"])]);
        break;
      case "output":
        this.event([OUTPUT, this.taskOf(message.id) ?? null, message["stream"] === 2 ? 2 : 1, textOf(message, "text")]);
        break;
      default:
      // A newer worker's message: not known here, and not needed.
    }
  }

  /** Hands on what the messages since the last call came to. */
  flush(): void {
    if (this.#tickets.length === 0 && this.#events.length === 0) return;
    const reply: WorkerReply = [
      this.#tickets,
      this.#micros,
      this.#values,
      this.#events.length === 0 ? 0 : this.#events,
    ];
    this.#tickets = [];
    this.#micros = [];
    this.#values = [];
    this.#events = [];
    this.listener.reply(reply);
  }

  /** The caller's id of the task that an `id` means; undefined for none. */
  protected abstract taskOf(id: unknown): TaskId | undefined;

  protected event(event: WorkerEvent): void {
    this.#events.push(event);
  }

  protected result(ticket: number, micros: number, value: unknown): void {
    this.#tickets.push(ticket);
    this.#micros.push(micros);
    this.#values.push(value);
  }

  /** How many results wait to be handed on. */
  protected get results(): number {
    return this.#tickets.length;
  }

  /** Sets the durations of the results that wait and have none. */
  protected share(micros: number): void {
    for (let at = 0; at < this.#micros.length; at++) if (this.#micros[at]! < 0) this.#micros[at] = micros;
  }

  protected progress(ticket: number, id: TaskId, message: FromWorker): void {
    this.event([PROGRESS, ticket, id, message["value"]]);
  }

  protected label(ticket: number, message: FromWorker): void {
    this.event([LABEL, ticket, textOf(message, "text")]);
  }
}

export function textOf(message: FromWorker, member: string): string {
  const value = message[member];
  if (typeof value === "string") return value;
  throw malformed(message, member, "a text");
}

export function idsOf(message: FromWorker, member: string): readonly number[] {
  const value = message[member];
  if (Array.isArray(value) && value.every((id) => Number.isInteger(id))) return value as number[];
  throw malformed(message, member, "a list of whole numbers");
}

/** A finite number; `otherwise` where the member is missing. */
export function numberOf(message: FromWorker, member: string, otherwise: number): number {
  const value = message[member];
  if (value === undefined || value === null) return otherwise;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw malformed(message, member, "a number");
}

function malformed(message: FromWorker, member: string, wanted: string): ProtocolError {
  const shown = JSON.stringify(message).slice(0, 80);
  return new ProtocolError(`Cannot read message: its "${member}" is not ${wanted}: ${shown}`);
}
