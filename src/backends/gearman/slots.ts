// How many jobs a worker does at once, over all its servers, and whose turn it is to ask for the next.

/** Who would take a slot that comes free. */
export interface SlotSeeker {
  slotFree(): void;
}

export class Slots {
  #free: number;
  /** Who was refused, in order. */
  readonly #seekers = new Set<SlotSeeker>();

  constructor(count: number) {
    this.#free = count;
  }

  get free(): number {
    return this.#free;
  }

  /** Takes one, if there is one and nobody came before. Who is refused hears of the next that is free. */
  take(seeker: SlotSeeker): boolean {
    if (this.#free > 0) {
      this.#free--;
      this.#seekers.delete(seeker);
      return true;
    }
    this.#seekers.add(seeker);
    return false;
  }

  /** Gives one back. It goes to who has waited longest. */
  give(): void {
    this.#free++;
    for (const seeker of this.#seekers) {
      if (this.#free <= 0) return;
      this.#seekers.delete(seeker);
      seeker.slotFree();
    }
  }

  /** It wants none any more. */
  forget(seeker: SlotSeeker): void {
    this.#seekers.delete(seeker);
  }
}
