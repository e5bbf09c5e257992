// Tasks by id. Ids that the pool gives are numbers in a row and nearly never asked for, so tasks are not kept by id until somebody
// chooses an id or asks for one.
import { ConfigError } from "../protocol/errors.ts";
import type { TaskId } from "../protocol/messages.ts";
import { type Engine, idOf } from "./engine.ts";
import type { Unit } from "./unit.ts";

const SWEEP_AT_LEAST = 1_024;

export class TaskIds {
  readonly #engine: Engine;
  readonly #byId = new Map<TaskId, Unit>();
  #sweepAt = SWEEP_AT_LEAST;
  #holdsAll = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** An id that no task has. */
  next(): number {
    let id = this.#engine.takeIds(1);
    if (this.#byId.size > 0) while (this.#isTaken(id)) id = this.#engine.takeIds(1);
    return id;
  }

  /** The unsettled task with that id; undefined when there is none. */
  find(id: TaskId): Unit | undefined {
    if (!this.#holdsAll) this.#holdAll();
    const unit = this.#byId.get(id);
    return unit !== undefined && unit.slot >= 0 ? unit : undefined;
  }

  /** @throws ConfigError where an unsettled task has one of the ids, or two of them are the same */
  checkFree(ids: readonly TaskId[]): void {
    const seen = new Set<TaskId>();
    for (const id of ids) {
      if (seen.has(id)) throw new ConfigError(`Cannot use id ${idOf(id)}: it stands twice in the list`);
      seen.add(id);
      // Only a number can be one that the pool gave.
      const isTaken = typeof id === "number" ? this.find(id) !== undefined : this.#isTaken(id);
      if (isTaken) throw new ConfigError(`Cannot use id ${idOf(id)}: a task that is not settled has it`);
    }
  }

  /** Makes an added task known by its id. */
  keep(unit: Unit): void {
    this.#byId.set(unit.id, unit);
    // Settled tasks are swept out when the table has doubled: so it stays in proportion to what lives, at no cost a task.
    if (this.#byId.size < this.#sweepAt) return;
    for (const [id, one] of this.#byId) if (one.slot < 0) this.#byId.delete(id);
    this.#sweepAt = Math.max(SWEEP_AT_LEAST, this.#byId.size * 2);
  }

  #holdAll(): void {
    this.#holdsAll = true;
    for (const unit of this.#engine.units()) this.#byId.set(unit.id, unit);
    this.#sweepAt = Math.max(SWEEP_AT_LEAST, this.#byId.size * 2);
    this.#engine.onAdded = (unit) => this.keep(unit);
  }

  #isTaken(id: TaskId): boolean {
    const unit = this.#byId.get(id);
    return unit !== undefined && unit.slot >= 0;
  }
}
