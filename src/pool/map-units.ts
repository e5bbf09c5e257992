// What a map sends: single items, and chunks of several. They know how they stand; what is to be done with an item is the map's.
import { types } from "node:util";
import { CHUNK_ITEM_FAILED, CHUNK_ITEMS, type TaskExtras, type WorkerEvent } from "../protocol/messages.ts";
import { pack } from "../protocol/packer.ts";
import { unpack, type Values } from "../protocol/packing.ts";
import { errorOf } from "./endings.ts";
import type { Ending, RunFacts, Unit } from "./unit.ts";
import { usualExtras } from "./unit.ts";
import type { WorkerView } from "./worker-view.ts";

/** What became of an item, as its map hears it. */
export interface ItemFacts {
  readonly worker: WorkerView | undefined;
  readonly attempt: number;
  readonly queuedMs: number;
  readonly runMs: number;
}

/** The map that units belong to. */
export interface MapOwner {
  readonly name: string;
  readonly label: string | undefined;
  readonly timeoutMs: number;
  /** Whether the duration of each item is wanted. */
  readonly wantsEachMs: boolean;
  itemCompleted(index: number, id: number, value: unknown, facts: ItemFacts): void;
  itemFailed(index: number, id: number, error: unknown, facts: ItemFacts): void;
  /** Several consecutive items came to good ends. */
  itemsCompleted(
    chunk: MapChunk,
    first: number,
    values: ArrayLike<unknown>,
    micros: number | readonly number[],
    worker: WorkerView,
  ): void;
  /** An item of a chunk threw. */
  chunkItemFailed(chunk: MapChunk, index: number, runMs: number, event: WorkerEvent, worker: WorkerView): void;
  /** The chunk is over; what it has not answered is to be dealt with. */
  chunkEnded(chunk: MapChunk, error: unknown, facts: RunFacts, ending: Ending | undefined): void;
  /** Takes the unit out of the engine. */
  cancelUnit(unit: Unit, error: unknown): void;
  /** Items of the chunk from this one on were taken back unbegun. */
  chunkShortened(chunk: MapChunk, inputs: Values, first: number): void;
}

const NO_FACTS: RunFacts = { worker: undefined, attempt: 0, queuedMs: 0, runMs: 0 };

export class MapItem implements Unit {
  readonly owner: MapOwner;
  readonly index: number;
  readonly id: number;
  readonly input: unknown;
  slot = -1;
  readonly transferList = undefined;

  constructor(owner: MapOwner, index: number, id: number, input: unknown) {
    this.owner = owner;
    this.index = index;
    this.id = id;
    this.input = input;
  }

  get name(): string {
    return this.owner.name;
  }

  get label(): string | undefined {
    return this.owner.label;
  }

  extras(attempt: number, priority: number): TaskExtras | 0 {
    return usualExtras(attempt, priority, this.owner.timeoutMs > 0);
  }

  timeMs(): number {
    return this.owner.timeoutMs;
  }

  completed(value: unknown, facts: RunFacts): void {
    this.owner.itemCompleted(this.index, this.id, value, facts);
  }

  failed(error: unknown, facts: RunFacts): void {
    this.owner.itemFailed(this.index, this.id, error, facts);
  }

  end(error: unknown): void {
    this.owner.cancelUnit(this, error);
    this.owner.itemFailed(this.index, this.id, error, NO_FACTS);
  }
}

export class MapChunk implements Unit {
  readonly owner: MapOwner;
  readonly isChunk = true;
  slot = -1;
  readonly transferList = undefined;
  /** When it was made, and when it last answered, in milliseconds of the pool's clock. */
  readonly madeAt: number = performance.now();
  answeredAt = 0;
  /** Index in the map, and id, of the first of `#inputs`. */
  #first: number;
  #firstId: number;
  #inputs: Values;
  /** Of `#inputs`: so many were answered, and so many are its business at all. */
  #answered = 0;
  #limit: number;

  constructor(owner: MapOwner, first: number, firstId: number, inputs: Values) {
    this.owner = owner;
    this.#first = first;
    this.#firstId = firstId;
    this.#inputs = inputs;
    this.#limit = inputs.length;
  }

  get id(): number {
    return this.#firstId;
  }

  get name(): string {
    return this.owner.name;
  }

  get label(): string | undefined {
    return this.owner.label;
  }

  get input(): unknown {
    return pack(this.#inputs, types.isProxy);
  }

  /** Items without an answer. */
  get left(): number {
    return this.#limit - this.#answered;
  }

  /** Index in the map of the first item without an answer. */
  get nextIndex(): number {
    return this.#first + this.#answered;
  }

  get nextId(): number {
    return this.#firstId + this.#answered;
  }

  idOf(index: number): number {
    return this.#firstId + index - this.#first;
  }

  inputOf(index: number): unknown {
    return this.#inputs[index - this.#first];
  }

  /** What was answered is not sent again. */
  beforeSend(): void {
    if (this.#answered === 0 && this.#limit === this.#inputs.length) return;
    this.#inputs = this.#inputs.slice(this.#answered, this.#limit);
    this.#first += this.#answered;
    this.#firstId += this.#answered;
    this.#answered = 0;
    this.#limit = this.#inputs.length;
  }

  extras(attempt: number, priority: number): TaskExtras {
    const usual = usualExtras(attempt, priority, this.owner.timeoutMs > 0);
    return {
      ...(usual === 0 ? {} : usual),
      isChunk: true,
      ...(this.owner.wantsEachMs ? { eachMs: true } : {}),
    };
  }

  timeMs(): number {
    return this.owner.timeoutMs;
  }

  event(event: WorkerEvent, worker: WorkerView): void {
    this.answeredAt = performance.now();
    if (event[0] === CHUNK_ITEMS) {
      const [, , first, packed, micros] = event;
      const values = unpack(packed);
      if (first !== this.#answered) return;
      const index = this.#first + first;
      this.#answered += values.length;
      this.owner.itemsCompleted(this, index, values, micros, worker);
    } else if (event[0] === CHUNK_ITEM_FAILED) {
      if (event[2] !== this.#answered) return;
      const index = this.#first + event[2];
      this.#answered++;
      this.owner.chunkItemFailed(this, index, event[3] / 1_000, event, worker);
    }
  }

  itemsBack(from: number): void {
    if (from >= this.#limit) return;
    const back = this.#inputs.slice(from, this.#limit);
    this.#limit = from;
    this.owner.chunkShortened(this, back, this.#first + from);
  }

  completed(_value: unknown, facts: RunFacts): void {
    this.owner.chunkEnded(this, undefined, facts, undefined);
  }

  failed(error: unknown, facts: RunFacts, ending: Ending | undefined): void {
    this.owner.chunkEnded(this, error, facts, ending);
  }

  end(error: unknown): void {
    this.owner.cancelUnit(this, error);
    this.owner.chunkEnded(this, error, NO_FACTS, { reason: "closed", error });
  }
}

/** The error of a chunk's item that threw. */
export function itemErrorOf(name: string, event: WorkerEvent): unknown {
  return event[0] === CHUNK_ITEM_FAILED ? errorOf(name, event[4], event[5]) : undefined;
}
