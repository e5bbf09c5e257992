// Finds the functions of parties that have gone. gearmand keeps a function in its list until it is dropped, so that each look would
// read a longer one. Who is still spoken to has jobs; dropped with jobs, a function would take the server along.
import type { Sighting } from "./lookout.ts";

export class Sweep {
  readonly #goneMs: number;
  /** By function. */
  #goneSince = new Map<string, number>();

  /** @param goneMs how long nobody and nothing must have been there */
  constructor(goneMs: number) {
    this.#goneMs = goneMs;
  }

  /** What can be dropped of what was seen at the server. To be called with each look. */
  of(sightings: readonly Sighting[], now: number): readonly string[] {
    const goneSince = new Map<string, number>();
    const dropped: string[] = [];
    for (const { fn, isManned, jobs } of sightings) {
      if (isManned || jobs > 0) continue;
      const since = this.#goneSince.get(fn) ?? now;
      goneSince.set(fn, since);
      if (now - since >= this.#goneMs) dropped.push(fn);
    }
    this.#goneSince = goneSince;
    return dropped;
  }
}
