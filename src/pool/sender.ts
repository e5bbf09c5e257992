// Turns tasks into messages for one worker: columns, as many tasks in one message as may travel together.
import type { Backend } from "../backends/backend.ts";
import { Isolation, JOINS } from "../protocol/isolation.ts";
import { RUN, type RunRequest, type TaskExtras, type TaskId } from "../protocol/messages.ts";
import type { Unit } from "./unit.ts";

/** A task on its way to a worker. */
export interface Sending {
  readonly unit: Unit;
  readonly ticket: number;
  readonly attempt: number;
  readonly priority: number;
}

export interface SenderHooks {
  /** The task's input cannot be copied. Nothing of it was sent. */
  onUnsendable(sending: Sending, error: unknown): void;
  /** The task's input has moved and is not here any more. */
  onMoved(sending: Sending): void;
}

export class Sender {
  readonly #isolation = new Isolation();
  readonly #hooks: SenderHooks;

  constructor(hooks: SenderHooks) {
    this.#hooks = hooks;
  }

  /** Sends the tasks in order, in as few messages as may be. */
  send(backend: Backend, worker: number, sendings: readonly Sending[]): void {
    const gathersFreely = backend.traits.copiesEach;
    let from = 0;
    if (!gathersFreely) this.#isolation.reset();
    for (let at = 0; at < sendings.length; at++) {
      const { unit } = sendings[at]!;
      if (gathersFreely && unit.transferList === undefined) continue;
      const answer = unit.transferList === undefined ? this.#admit(unit) : -1;
      if (answer === JOINS) continue;
      if (at > from) this.#post(backend, worker, sendings.slice(from, at));
      this.#isolation.reset();
      from = at;
      if (answer !== -1 && this.#admit(unit) === JOINS) continue;
      this.#post(backend, worker, [sendings[at]!]);
      this.#isolation.reset();
      from = at + 1;
    }
    if (from < sendings.length) this.#post(backend, worker, from === 0 ? sendings : sendings.slice(from));
  }

  /** A chunk's items were looked at when it was made; between chunks only the message keeps them apart. */
  #admit(unit: Unit): number {
    return unit.isChunk === true ? -1 : this.#isolation.admit(unit.input);
  }

  #post(backend: Backend, worker: number, sendings: readonly Sending[]): void {
    const transfer = sendings[0]!.unit.transferList;
    try {
      backend.send(worker, toRequest(sendings), transfer);
      if (transfer !== undefined && backend.traits.transfers) this.#hooks.onMoved(sendings[0]!);
    } catch (error) {
      if (sendings.length === 1) this.#hooks.onUnsendable(sendings[0]!, error);
      else for (const one of sendings) this.#post(backend, worker, [one]);
    }
  }
}

function toRequest(sendings: readonly Sending[]): RunRequest {
  const tickets: number[] = [];
  const inputs: unknown[] = [];
  const first = sendings[0]!.unit;
  let names: string | string[] = first.name;
  let ids: number | TaskId[] = typeof first.id === "number" ? first.id : [];
  let extras: 0 | (TaskExtras | 0)[] = 0;
  for (let at = 0; at < sendings.length; at++) {
    const { unit, ticket, attempt, priority } = sendings[at]!;
    tickets.push(ticket);
    inputs.push(unit.input);
    if (typeof names !== "string") names.push(unit.name);
    else if (unit.name !== names) names = sendings.slice(0, at + 1).map((one) => one.unit.name);
    if (typeof ids !== "number") ids.push(unit.id);
    else if (unit.id !== ids + at) ids = sendings.slice(0, at + 1).map((one) => one.unit.id);
    const extra = unit.extras(attempt, priority);
    if (extras !== 0) extras.push(extra);
    else if (extra !== 0) {
      extras = new Array<0>(at).fill(0);
      extras.push(extra);
    }
  }
  return [RUN, names, tickets, ids, inputs, extras];
}
