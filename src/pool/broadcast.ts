// One task for every worker: for the present ones now, for each later one before its first task.

import type { Profile } from "../core/task-table.ts";
import type { TaskExtras, TaskId } from "../protocol/messages.ts";
import type { Engine } from "./engine.ts";
import { tellStray } from "./pass-on.ts";
import type { RunFacts, Unit } from "./unit.ts";
import type { WorkerView } from "./worker-view.ts";

/** What a broadcast came to on one worker. */
export type BroadcastResult<O> =
  | { readonly workerId: string; readonly ok: true; readonly value: O }
  | { readonly workerId: string; readonly ok: false; readonly error: unknown };

const BOUND_PROFILE: Profile = {
  series: 0,
  retries: 0,
  retryDelayMs: 0,
  timeoutMs: 0,
  deadlineMs: 0,
  atMostOnce: true,
  isChunk: false,
};

class Part implements Unit {
  readonly id: TaskId;
  readonly name: string;
  readonly input: unknown;
  slot = -1;
  readonly isBound = true;
  readonly transferList = undefined;
  readonly #engine: Engine;
  readonly #workerId: string;
  readonly #onResult: (result: BroadcastResult<unknown>) => void;

  constructor(
    engine: Engine,
    name: string,
    input: unknown,
    workerId: string,
    onResult: (result: BroadcastResult<unknown>) => void,
  ) {
    this.#engine = engine;
    this.id = engine.takeIds(1);
    this.name = name;
    this.input = input;
    this.#workerId = workerId;
    this.#onResult = onResult;
  }

  extras(): TaskExtras | 0 {
    return 0;
  }

  completed(value: unknown): void {
    this.#onResult({ workerId: this.#workerId, ok: true, value });
  }

  failed(error: unknown, _facts: RunFacts): void {
    this.#onResult({ workerId: this.#workerId, ok: false, error });
  }

  end(error: unknown): void {
    this.#engine.cancel(this, error);
    this.#onResult({ workerId: this.#workerId, ok: false, error });
  }
}

export class Broadcasts {
  readonly #engine: Engine;
  /** What later workers run before their first task. */
  readonly #lasting: { readonly name: string; readonly input: unknown; readonly had: Set<number> }[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.onWorkerUp = (worker) => this.#greet(worker);
  }

  /** One result a present worker, in the order of the workers. */
  async send(name: string, input: unknown, isEphemeral: boolean): Promise<BroadcastResult<unknown>[]> {
    const workers = [...this.#engine.views()];
    const had = new Set(workers.map((worker) => worker.key));
    if (!isEphemeral) this.#lasting.push({ name, input, had });
    const parts = workers.map(
      (worker) => new Promise<BroadcastResult<unknown>>((resolve) => this.#pin(worker, name, input, resolve)),
    );
    return Promise.all(parts);
  }

  #greet(worker: WorkerView): void {
    for (const { name, input, had } of this.#lasting) {
      if (had.has(worker.key)) continue;
      this.#pin(worker, name, input, (result) => {
        if (!result.ok) tellStray(this.#engine.events, worker, null, result.error);
      });
    }
  }

  #pin(worker: WorkerView, name: string, input: unknown, onResult: (result: BroadcastResult<unknown>) => void): void {
    this.#engine.addPinned(new Part(this.#engine, name, input, worker.id, onResult), worker, BOUND_PROFILE);
  }
}
