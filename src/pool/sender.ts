// Turns tasks into messages for one worker: columns, as many tasks in one message as may travel together.
import { types } from "node:util";
import type { Backend } from "../backends/backend.ts";
import { RUN, type RunRequest, type TaskExtras, type TaskId } from "../protocol/messages.ts";
import { Packer } from "../protocol/packer.ts";
import type { MaybePacked } from "../protocol/packing.ts";
import type { Unit } from "./unit.ts";

/** A task on its way to a worker. */
export interface Sending {
  readonly unit: Unit;
  readonly ticket: number;
  readonly attempt: number;
  readonly priority: number;
}

/** Called when a task's input cannot be copied; nothing of it was sent. */
export type OnUnsendable = (sending: Sending, error: unknown) => void;

export class Sender {
  readonly #packer = new Packer(types.isProxy);
  readonly #onUnsendable: OnUnsendable;

  constructor(onUnsendable: OnUnsendable) {
    this.#onUnsendable = onUnsendable;
  }

  /** Sends the tasks in order, in as few messages as may be. */
  send(backend: Backend, worker: number, sendings: readonly Sending[]): void {
    const { copiesEach } = backend.traits;
    const inputs: unknown[] = [];
    const take = (): MaybePacked => (copiesEach ? inputs.splice(0) : this.#packer.take());
    let from = 0;
    for (let at = 0; at < sendings.length; at++) {
      const { unit } = sendings[at]!;
      if (unit.transferList === undefined) {
        if (copiesEach) {
          inputs.push(unit.input);
          continue;
        }
        // A chunk is a message's worth by itself, and its items are copies already.
        if (unit.isChunk !== true && this.#packer.add(unit.input)) continue;
      }
      if (at > from) this.#post(backend, worker, sendings.slice(from, at), take());
      this.#post(backend, worker, [sendings[at]!], [unit.input]);
      from = at + 1;
    }
    if (from < sendings.length) this.#post(backend, worker, from === 0 ? sendings : sendings.slice(from), take());
  }

  #post(backend: Backend, worker: number, sendings: readonly Sending[], inputs: MaybePacked): void {
    const transfer = sendings[0]!.unit.transferList;
    try {
      if (transfer !== undefined) checkAttached(transfer);
      backend.send(worker, toRequest(sendings, inputs), transfer);
    } catch (error) {
      if (sendings.length === 1) this.#onUnsendable(sendings[0]!, error);
      else for (const one of sendings) this.#post(backend, worker, [one], [one.unit.input]);
    }
  }
}

/** Node 20 sends a buffer that has moved already, and the other side cannot read the message. */
function checkAttached(transfer: readonly object[]): void {
  for (const one of transfer) if (one instanceof ArrayBuffer) new Uint8Array(one);
}

function toRequest(sendings: readonly Sending[], inputs: MaybePacked): RunRequest {
  const tickets: number[] = [];
  const first = sendings[0]!.unit;
  let names: string | string[] = first.name;
  let ids: number | TaskId[] = typeof first.id === "number" ? first.id : [];
  let extras: 0 | (TaskExtras | 0)[] = 0;
  for (let at = 0; at < sendings.length; at++) {
    const { unit, ticket, attempt, priority } = sendings[at]!;
    tickets.push(ticket);
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
