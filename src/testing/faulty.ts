// A backend around a backend that delays, repeats and invents replies and kills workers, by seed: what a bad network and bad luck do.

import type { Backend, BackendHost, WorkerLoss } from "../backends/backend.ts";
import type { WorkerReply } from "../protocol/messages.ts";
import { random } from "./random.ts";

/** How likely each fault is, from 0 (the default) to 1. */
export interface Faults {
  readonly seed: number;
  /** For each message to a worker: the worker is killed after it. Only where the backend can kill. */
  readonly kill?: number;
  /** For each reply: it is held back for a few milliseconds, and what follows of that worker too. */
  readonly delay?: number;
  /** For each reply: it comes twice. For tasks that only give a value: what they tell meanwhile would be told twice. */
  readonly repeat?: number;
  /** For each reply: one follows to something that was never asked. */
  readonly invent?: number;
  /** For each worker that is gone: its last reply comes once more. */
  readonly haunt?: number;
}

/** Behaves as `backend` does, with faults. What it says of itself (`name`, `traits`, `plan`) is the backend's own. */
export function faulty(backend: Backend, faults: Faults): Backend {
  const dice = random(faults.seed);
  const happens = (probability = 0): boolean => dice.chance(probability);
  const mail = new Map<number, Mail>();
  const mailOf = (worker: number): Mail => {
    const found = mail.get(worker) ?? new Mail();
    mail.set(worker, found);
    return found;
  };

  return {
    name: backend.name,
    traits: backend.traits,
    plan: backend.plan,
    get subject() {
      return backend.subject;
    },
    open(host) {
      backend.open(faultyHost(host));
    },
    start: (worker, workerId) => backend.start(worker, workerId),
    send(worker, request, transfer) {
      backend.send(worker, request, transfer);
      if (backend.traits.canKill && happens(faults.kill)) setImmediate(() => backend.kill(worker));
    },
    recall: (worker, tickets) => backend.recall(worker, tickets),
    recallItems: (worker, ticket) => backend.recallItems(worker, ticket),
    stop: (worker) => backend.stop(worker),
    kill: (worker) => backend.kill(worker),
    close: () => backend.close(),
  };

  function faultyHost(host: BackendHost): BackendHost {
    return {
      reply(worker, reply) {
        const box = mailOf(worker);
        const hasValues = reply[0].length > 0;
        if (happens(faults.delay)) box.holdBack(1 + dice.below(5));
        box.deliver(() => host.reply(worker, reply));
        if (!hasValues) return;
        box.last = [reply[0], reply[1], reply[2], 0];
        const { last } = box;
        if (happens(faults.repeat)) box.deliver(() => host.reply(worker, last));
        if (happens(faults.invent)) box.deliver(() => host.reply(worker, invented(reply)));
      },
      seen: (worker, reply) => mailOf(worker).deliver(() => host.seen(worker, reply)),
      recalled: (worker, asked, got) => mailOf(worker).deliver(() => host.recalled(worker, asked, got)),
      itemsRecalled: (worker, ticket, from) => mailOf(worker).deliver(() => host.itemsRecalled(worker, ticket, from)),
      grew: (by) => host.grew(by),
      retire: (worker) => mailOf(worker).deliver(() => host.retire(worker)),
      unavailable: (cause) => host.unavailable(cause),
      workerDown(worker: number, loss: WorkerLoss) {
        const box = mailOf(worker);
        box.deliverAll();
        mail.delete(worker);
        host.workerDown(worker, loss);
        const { last } = box;
        if (last !== undefined && happens(faults.haunt)) setImmediate(() => host.reply(worker, last));
      },
    };
  }
}

function invented(reply: WorkerReply): WorkerReply {
  const [tickets, micros] = reply;
  return [tickets.map((ticket) => ticket + 1_000_000), micros, tickets.map(() => "invented"), 0];
}

/** What a worker has sent and what has not been handed on yet, in order. */
class Mail {
  last: WorkerReply | undefined;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  holdBack(ms: number): void {
    this.#timer ??= setTimeout(() => this.deliverAll(), ms);
  }

  deliver(letter: () => void): void {
    if (this.#timer === undefined) letter();
    else this.#waiting.push(letter);
  }

  deliverAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const letters = this.#waiting;
    this.#waiting = [];
    for (const letter of letters) letter();
  }
}
