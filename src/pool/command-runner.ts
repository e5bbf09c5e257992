// Carries out what the core has decided.
import type { Command } from "../core/command.ts";
import { NotSerializableError } from "../protocol/errors.ts";
import { ABORT } from "../protocol/messages.ts";
import { endingError, isLostCause, messageOf } from "./endings.ts";
import type { Inbox } from "./inbox.ts";
import type { Ledger } from "./ledger.ts";
import { Sender, type Sending } from "./sender.ts";
import { WorkerView } from "./worker-view.ts";

export class CommandRunner {
  readonly #ledger: Ledger;
  readonly #inbox: Inbox;
  /** The pool's own name, which its workers bear; undefined where they bear their backend's. */
  readonly #name: string | undefined;
  readonly #sender: Sender;
  #sendingTo: WorkerView | undefined;

  constructor(ledger: Ledger, inbox: Inbox, name: string | undefined) {
    this.#ledger = ledger;
    this.#inbox = inbox;
    this.#name = name;
    this.#sender = new Sender((sending, error) => this.#unsendable(sending, error));
  }

  carryOut(command: Command): void {
    switch (command.type) {
      case "send":
        this.#send(command.worker, command.slots, command.tickets);
        break;
      case "recall":
        this.#recall(command.worker, command.tickets);
        break;
      case "settle":
        this.#settle(command);
        break;
      case "retrying":
        this.#retrying(command);
        break;
      case "abort":
        this.#ledger.workers.get(command.worker)?.backend.send(command.worker, [ABORT, command.ticket]);
        break;
      case "start":
        this.#start(command.backend, command.worker);
        break;
      case "stop":
        this.#ledger.workers.get(command.worker)?.backend.stop(command.worker);
        break;
      case "kill":
        this.#ledger.workers.get(command.worker)?.backend.kill(command.worker);
        break;
      case "abandon":
        this.#inbox.down(command.worker, { cause: new Error("the worker did not end when it was killed") });
        break;
      case "backendFailed":
        this.#ledger.hasFailures = true;
        this.#ledger.events.emit("backendFailed", {
          backend: this.#ledger.attached[command.backend]!.id,
          error: isLostCause(command.cause) ? command.cause.view.startFailure(command.cause.loss) : command.cause,
        });
        break;
      default:
        command satisfies never;
    }
  }

  #start(backendIndex: number, key: number): void {
    const { id, backend } = this.#ledger.attached[backendIndex]!;
    const view = new WorkerView(key, `${this.#name ?? backend.name}-${key}`, id, backend);
    this.#ledger.workers.set(key, view);
    view.facts = backend.start(key, view.id);
    for (const series of view.facts.series ?? []) view.series.add(series);
  }

  #send(key: number, slots: readonly number[], tickets: readonly number[]): void {
    const view = this.#ledger.workers.get(key);
    if (view === undefined) return;
    const sendings: Sending[] = [];
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!;
      const unit = this.#ledger.units[slot]!;
      unit.beforeSend?.();
      sendings.push({
        unit,
        ticket: tickets[at]!,
        attempt: this.#ledger.scheduler.attemptOf(slot),
        priority: this.#ledger.scheduler.priorityOf(slot),
      });
    }
    this.#sendingTo = view;
    this.#ledger.tellStarted();
    this.#sender.send(view.backend, key, sendings);
    this.#sendingTo = undefined;
  }

  #unsendable({ unit, ticket }: Sending, cause: unknown): void {
    const error = new NotSerializableError(`Cannot send the input of task "${unit.name}": ${messageOf(cause)}`, {
      cause,
    });
    if (unit.unsendable?.(error) === true) return;
    const view = this.#sendingTo!;
    const now = performance.now();
    const facts = this.#ledger.factsOf(unit.slot, view, 0);
    const { slot } = this.#ledger.scheduler.failed(now, view.key, ticket, 0, "permanent");
    if (slot >= 0) this.#ledger.fail(slot, error, facts, undefined);
  }

  #recall(key: number, tickets: readonly number[]): void {
    const view = this.#ledger.workers.get(key);
    if (view === undefined) return;
    const got = view.backend.recall(key, tickets);
    if (got !== undefined) this.#ledger.scheduler.recalled(performance.now(), key, tickets, got);
  }

  #settle(command: Command & { readonly type: "settle" }): void {
    const unit = this.#ledger.units[command.slot];
    if (unit === undefined) return;
    const view = this.#ledger.workers.get(command.worker);
    const facts = this.#ledger.factsOf(command.slot, view, 0);
    const error = endingError(this.#ledger, unit, command, facts.attempt);
    this.#ledger.fail(command.slot, error, facts, { reason: command.reason, error });
  }

  #retrying(command: Command & { readonly type: "retrying" }): void {
    const unit = this.#ledger.units[command.slot];
    if (unit === undefined || !this.#ledger.events.has("taskRetried")) return;
    const attempt = this.#ledger.scheduler.attemptOf(command.slot);
    const error = endingError(this.#ledger, unit, command, attempt);
    this.#ledger.events.emit("taskRetried", { id: unit.id, name: unit.name, attempt, error, delayMs: command.delayMs });
  }
}
