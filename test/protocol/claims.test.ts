// The worker and the pool at one cell, in every order. A call may also come between two steps of the other side's: it is made from
// within, whenever that one takes up the next of its atomic operations.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CLAIM_BYTES, Claims } from "../../src/protocol/claims.ts";

const CELL_BITS = 12;
const LAST_STAMP = 2 ** 18 - 1;
const NONE = Number.MAX_SAFE_INTEGER;

function newClaims(): Claims {
  return new Claims(new SharedArrayBuffer(CLAIM_BYTES));
}

function ticketOf(stamp: number, cell = 5): number {
  return (stamp << CELL_BITS) | cell;
}

/** Makes the call, and the other one before its atomic operation number `step`. False where the call has no such step. */
function interrupt(call: () => void, step: number, other: () => void): boolean {
  const real = globalThis.Atomics;
  let steps = 0;
  globalThis.Atomics = new Proxy(real, {
    get(_, name) {
      if (steps++ === step) {
        globalThis.Atomics = real;
        other();
      }
      return Reflect.get(real, name) as unknown;
    },
  });
  try {
    call();
  } finally {
    globalThis.Atomics = real;
  }
  return steps > step;
}

const MAX_STEPS = 4;

type Act = "claim" | "issue" | { readonly recall: number };

/** An act, and maybe another one before its step number `step`. */
interface Move {
  readonly act: Act;
  readonly meanwhile?: Act;
  readonly step?: number;
}

/** What became of the tickets of one cell, which the pool gives out one after another. */
class Cell {
  readonly #claims = newClaims();
  readonly #tickets: readonly number[];
  readonly #wasClaimed: (boolean | undefined)[] = [];
  readonly #wasRecalled: boolean[] = [];
  #issued = 1;
  /** The next one that the worker comes to. */
  #next = 0;

  constructor(tickets: readonly number[]) {
    this.#tickets = tickets;
  }

  moves(): Move[] {
    const recalls = Array.from({ length: this.#issued }, (_, recall) => ({ recall }));
    const moves: Move[] = recalls.map((act) => ({ act }));
    const last = this.#issued - 1;
    const isDecided = this.#wasRecalled[last] === true || this.#wasClaimed[last] === true;
    if (isDecided && this.#issued < this.#tickets.length) moves.push({ act: "issue" });
    if (this.#next === this.#issued) return moves;
    moves.push({ act: "claim" });
    for (const recall of recalls) {
      for (let step = 0; step < MAX_STEPS; step++) {
        moves.push({ act: "claim", meanwhile: recall, step }, { act: recall, meanwhile: "claim", step });
      }
    }
    return moves;
  }

  /** False where the move cannot be made: its act has fewer steps. */
  make({ act, meanwhile, step }: Move): boolean {
    if (meanwhile !== undefined)
      return interrupt(
        () => this.#act(act),
        step!,
        () => this.#act(meanwhile),
      );
    this.#act(act);
    return true;
  }

  check(): void {
    for (const [at, ticket] of this.#tickets.entries()) {
      const wasClaimed = this.#wasClaimed[at];
      const wasRecalled = this.#wasRecalled[at] === true;
      assert.ok(!(wasClaimed === true && wasRecalled), `both have ticket ${at}`);
      assert.ok(!(wasClaimed === false && !wasRecalled), `nobody has ticket ${at}`);
      if (wasRecalled) assert.equal(this.#claims.hasBegun(ticket), false, `ticket ${at} was taken back, and has begun`);
      if (at === this.#issued - 1) assert.equal(this.#claims.hasBegun(ticket), wasClaimed === true, `ticket ${at}`);
    }
  }

  #act(act: Act): void {
    if (act === "issue") {
      this.#issued++;
    } else if (act === "claim") {
      const at = this.#next++;
      this.#wasClaimed[at] = this.#claims.claim(this.#tickets[at]!);
    } else if (this.#claims.recall(this.#tickets[act.recall]!)) {
      this.#wasRecalled[act.recall] = true;
    }
  }
}

/** Plays every row of so many moves, looks at the cell after each, and answers how many there were. */
function playAll(tickets: readonly number[], length: number): number {
  const rows: (readonly Move[])[] = [[]];
  let played = 0;
  for (let row = rows.pop(); row !== undefined; row = rows.pop()) {
    const cell = new Cell(tickets);
    if (!row.every((move) => cell.make(move))) continue;
    played++;
    try {
      cell.check();
    } catch (cause) {
      throw new Error(`after ${JSON.stringify(row)}`, { cause });
    }
    if (row.length < length) for (const move of cell.moves()) rows.push([...row, move]);
  }
  return played;
}

describe("a claim", () => {
  const stamps: Readonly<Record<string, readonly number[]>> = {
    "the first tickets": [1, 2, 3],
    "tickets that begin again": [LAST_STAMP - 1, LAST_STAMP, 1],
    "tickets about the half": [2 ** 17 - 1, 2 ** 17, 2 ** 17 + 1],
  };
  for (const [what, row] of Object.entries(stamps)) {
    it(`is decided once, in every order of claims and recalls: ${what}`, (t) => {
      const tickets = row.map((stamp) => ticketOf(stamp));
      t.diagnostic(`${playAll(tickets, 5)} orders`);
    });
  }

  it("does not hold for another cell", () => {
    const claims = newClaims();
    assert.ok(claims.recall(ticketOf(1, 0)));
    assert.ok(claims.claim(ticketOf(1, 1)));
    assert.ok(claims.claim(ticketOf(1, 4_095)));
    assert.equal(claims.hasBegun(ticketOf(1, 0)), false);
    assert.equal(claims.hasBegun(ticketOf(1, 1)), true);
  });

  it("may be made twice, to the same effect", () => {
    const claims = newClaims();
    assert.ok(claims.recall(ticketOf(1)));
    assert.ok(claims.recall(ticketOf(1)));
    assert.ok(claims.claim(ticketOf(2)));
    assert.ok(claims.claim(ticketOf(2)));
    assert.equal(claims.recall(ticketOf(2)), false);
  });

  it("stays decided for an old ticket, however far the pool is ahead", () => {
    const claims = newClaims();
    for (let stamp = 1; stamp <= 1_000; stamp++) assert.ok(claims.recall(ticketOf(stamp)));
    for (let stamp = 1; stamp <= 1_000; stamp++) assert.equal(claims.claim(ticketOf(stamp)), false);
    assert.ok(claims.claim(ticketOf(1_001)));
  });

  it("holds all the way around the stamps", () => {
    const claims = newClaims();
    for (let use = 0; use < LAST_STAMP + 1_000; use++) {
      const ticket = ticketOf((use % LAST_STAMP) + 1);
      const isRecalled = use % 3 === 0;
      if (isRecalled) assert.ok(claims.recall(ticket));
      assert.equal(claims.claim(ticket), !isRecalled);
      assert.equal(claims.recall(ticket), isRecalled);
    }
  });
});

describe("the items of a chunk", () => {
  const chunk = ticketOf(3);
  const next = ticketOf(4);
  const ITEMS = 3;

  /** The worker goes through the items until one is refused; answers how many it began. */
  function goThrough(claims: Claims, ticket: number, from: number, until = ITEMS): number {
    let item = from;
    while (item < until && claims.claimItem(ticket, item)) item++;
    return item - from;
  }

  it("are the worker's, each one, until the pool takes back the rest", () => {
    for (let begun = 0; begun <= ITEMS; begun++) {
      const claims = newClaims();
      assert.ok(claims.claim(chunk));
      assert.equal(goThrough(claims, chunk, 0, begun), begun);
      assert.equal(claims.closeItems(chunk), begun);
      assert.equal(goThrough(claims, chunk, begun), 0);
    }
  });

  it("are begun or taken back, each one, where one side comes between two steps of the other", () => {
    for (let item = 0; item < ITEMS; item++) {
      for (let step = 0; step < MAX_STEPS; step++) {
        for (const isWithinWork of [true, false]) {
          const claims = newClaims();
          claims.claim(chunk);
          let begun = goThrough(claims, chunk, 0, item);
          let left = -1;
          const work = (): void => void (begun += goThrough(claims, chunk, item, item + 1));
          const close = (): void => void (left = claims.closeItems(chunk));
          if (!interrupt(isWithinWork ? work : close, step, isWithinWork ? close : work)) continue;
          begun += goThrough(claims, chunk, begun);
          assert.equal(begun, left, `item ${item}, step ${step}`);
        }
      }
    }
  });

  it("are taken back once: asking again gives the same", () => {
    const claims = newClaims();
    claims.claim(chunk);
    goThrough(claims, chunk, 0, 2);
    assert.equal(claims.closeItems(chunk), 2);
    assert.equal(claims.closeItems(chunk), 2);
  });

  it("are not taken back from a chunk that has not begun, was taken back, or is over", () => {
    const claims = newClaims();
    assert.equal(claims.closeItems(chunk), NONE);
    assert.ok(claims.recall(chunk));
    assert.equal(claims.closeItems(chunk), NONE);
    assert.ok(claims.claim(next));
    assert.equal(claims.closeItems(chunk), NONE);
    assert.equal(goThrough(claims, next, 0), ITEMS);
  });

  it("are a chunk's own, though the last one in its cell was closed", () => {
    const claims = newClaims();
    claims.claim(chunk);
    claims.closeItems(chunk);
    assert.ok(claims.claim(next));
    assert.equal(goThrough(claims, next, 0), ITEMS);
  });

  it("end early, and for good, where the closing of the last chunk comes through only now", () => {
    for (let step = 0; step < MAX_STEPS; step++) {
      const claims = newClaims();
      claims.claim(chunk);
      goThrough(claims, chunk, 0);
      const goOn = (): void => {
        claims.claim(next);
        assert.equal(goThrough(claims, next, 0, 1), 1);
      };
      if (!interrupt(() => claims.closeItems(chunk), step, goOn)) continue;
      const begun = 1 + goThrough(claims, next, 1);
      if (begun < ITEMS) assert.equal(goThrough(claims, next, begun), 0, `step ${step}`);
      assert.equal(claims.closeItems(next), begun, `step ${step}`);
    }
  });
});
