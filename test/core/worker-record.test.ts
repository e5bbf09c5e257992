import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BackendRecord } from "../../src/core/backend-record.ts";
import { RUNNING, STALLED, TaskTable } from "../../src/core/task-table.ts";
import { CELL_BITS, MAX_CELLS, WorkerRecord } from "../../src/core/worker-record.ts";
import { backendSpec } from "./backend-specs.ts";
import { profile } from "./profiles.ts";

const LATE = -1;
const ORPHAN = -2;

function newWorker(table: TaskTable, capacity: number, maxTasks = 0): WorkerRecord {
  const backend = new BackendRecord(0, backendSpec({ maxTasks }));
  const worker = new WorkerRecord({ key: 1, index: 0, backend }, table);
  worker.phase = "up";
  worker.capacity = capacity;
  return worker;
}

type Act =
  | { readonly act: "issue" }
  | { readonly act: "answer" | "orphan" | "stall" | "resume" | "answerOrphan"; readonly which: number }
  | { readonly act: "takeBack"; readonly most: number; readonly begun: number };

const which = fc.nat(1_000);
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ act: fc.constant("issue" as const) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      act: fc.constantFrom(
        "answer" as const,
        "orphan" as const,
        "stall" as const,
        "resume" as const,
        "answerOrphan" as const,
      ),
      which,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant("takeBack" as const), most: fc.nat(6), begun: fc.nat(3) }),
  },
);

interface Sent {
  readonly slot: number;
  readonly ticket: number;
}

/** A worker's record beside plain lists. */
class Pair {
  readonly table = new TaskTable();
  readonly record: WorkerRecord;
  /** In the order in which the worker begins them; the first `running` have begun. */
  readonly order: Sent[] = [];
  running = 0;
  readonly stalled: Sent[] = [];
  readonly orphans: number[] = [];
  readonly over = new Set<number>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.record = newWorker(this.table, capacity);
  }

  perform(act: Act): void {
    switch (act.act) {
      case "issue":
        this.#issue();
        break;
      case "answer":
        this.#answer(act.which);
        break;
      case "orphan":
        this.#orphan(act.which);
        break;
      case "answerOrphan":
        if (this.orphans.length > 0) this.#end(this.orphans.splice(act.which % this.orphans.length, 1)[0]!);
        break;
      case "stall":
        this.#stall(act.which);
        break;
      case "resume":
        this.#resume(act.which);
        break;
      case "takeBack":
        this.#takeBack(act.most, act.begun);
        break;
      default:
        act satisfies never;
    }
    this.#begin();
  }

  /** Both hold the same. */
  agree(): void {
    const { record, table } = this;
    assert.equal(record.running, this.running);
    assert.equal(record.count, this.order.length);
    assert.equal(record.ahead, this.order.length - this.running);
    assert.equal(record.stalled, this.stalled.length);
    assert.equal(record.orphans, this.orphans.length);
    assert.equal(record.isEmpty, this.order.length + this.stalled.length + this.orphans.length === 0);
    const unanswered = record.unanswered();
    assert.deepEqual(
      unanswered.slice(0, this.order.length),
      this.order.map(({ slot }) => slot),
    );
    assert.deepEqual(new Set(unanswered.slice(this.order.length)), new Set(this.stalled.map(({ slot }) => slot)));
    for (const { slot, ticket } of [...this.order, ...this.stalled]) assert.equal(record.slotOf(ticket), slot);
    for (const ticket of this.orphans) assert.equal(record.slotOf(ticket), ORPHAN);
    for (const ticket of this.over) assert.equal(record.slotOf(ticket), LATE);
    for (const [at, { slot }] of this.order.entries()) assert.equal(table.state[slot] === RUNNING, at < this.running);
    for (const { slot } of this.stalled) assert.equal(table.state[slot], STALLED);
  }

  #issue(): void {
    const slot = this.table.allocate();
    this.table.profile[slot] = profile();
    const ticket = this.record.issue(slot);
    assert.ok(!this.over.has(ticket), "a ticket was given out twice");
    this.order.push({ slot, ticket });
  }

  #begin(): void {
    while (this.running < this.#capacity && this.order.length > this.running) {
      assert.equal(this.record.startNext(7), this.order[this.running]!.slot);
      assert.equal(this.table.startedAt[this.order[this.running]!.slot], 7);
      this.running++;
    }
    assert.equal(this.record.startNext(7), -1);
  }

  #answer(at: number): void {
    const sent = this.#take(at, this.running);
    if (sent === undefined) return;
    this.record.unlink(sent.slot);
    this.#end(sent.ticket);
    this.table.release(sent.slot);
  }

  #orphan(at: number): void {
    const sent = this.#take(at, this.order.length);
    if (sent === undefined) return;
    this.record.orphan(sent.slot);
    this.table.release(sent.slot);
    this.orphans.push(sent.ticket);
  }

  #stall(at: number): void {
    if (this.running === 0) return;
    const [sent] = this.order.splice(at % this.running, 1) as [Sent];
    this.running--;
    this.record.stall(sent.slot);
    this.stalled.push(sent);
  }

  #resume(at: number): void {
    if (this.stalled.length === 0) return;
    const [sent] = this.stalled.splice(at % this.stalled.length, 1) as [Sent];
    this.record.resume(sent.slot);
    this.order.unshift(sent);
    this.running++;
  }

  #takeBack(most: number, begun: number): void {
    const ahead = this.order.slice(this.running);
    const newest = most === 0 ? [] : ahead.slice(-most);
    assert.deepEqual(this.record.aheadTickets(most), newest.map(({ ticket }) => ticket).toReversed());
    // The worker has begun the first of them meanwhile.
    for (const sent of newest.slice(begun)) {
      this.order.splice(this.order.indexOf(sent), 1);
      this.record.unlink(sent.slot);
      this.#end(sent.ticket);
      this.table.release(sent.slot);
    }
  }

  /** One of the first `among` in order, or a stalled one. */
  #take(at: number, among: number): Sent | undefined {
    const count = among + this.stalled.length;
    if (count === 0) return undefined;
    const chosen = at % count;
    if (chosen >= among) return this.stalled.splice(chosen - among, 1)[0];
    if (chosen < this.running) this.running--;
    return this.order.splice(chosen, 1)[0];
  }

  #end(ticket: number): void {
    this.record.answer(ticket);
    this.over.add(ticket);
  }
}

describe("the record of a worker", () => {
  it("agrees with plain lists, whatever is sent, answered, taken back, left or stalled", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(acts, { maxLength: 120 }), (capacity, row) => {
        const pair = new Pair(capacity);
        for (const act of row) {
          pair.perform(act);
          pair.agree();
        }
      }),
      { numRuns: 400 },
    );
  });

  it("takes no late answer for the one that uses the same cell now", () => {
    const table = new TaskTable();
    const worker = newWorker(table, 1);
    const slot = table.allocate();
    const first = worker.issue(slot);
    worker.unlink(slot);
    worker.answer(first);
    const second = worker.issue(slot);
    assert.equal(first & (MAX_CELLS - 1), second & (MAX_CELLS - 1));
    assert.equal(worker.slotOf(first), LATE);
    assert.equal(worker.slotOf(second), slot);
  });

  it("gives tickets of 30 bits whose stamp begins again after 262,143, at 1", () => {
    const table = new TaskTable();
    const worker = newWorker(table, 1);
    const slot = table.allocate();
    let before = 0;
    for (let use = 1; use <= 262_143 + 3; use++) {
      const ticket = worker.issue(slot);
      const stamp = ticket >> CELL_BITS;
      assert.equal(stamp, use <= 262_143 ? use : use - 262_143);
      assert.ok(ticket > 0 && ticket < 2 ** 30);
      assert.equal(worker.slotOf(before), LATE);
      worker.unlink(slot);
      worker.answer(ticket);
      before = ticket;
    }
  });

  it("knows no ticket of cells that it never had", () => {
    const worker = newWorker(new TaskTable(), 1);
    for (const ticket of [0, 1, 4_095, 4_096, 2 ** 30 - 1, -1, -4_096]) assert.equal(worker.slotOf(ticket), LATE);
  });

  it("takes no more than the cells of its table", () => {
    const table = new TaskTable();
    const worker = newWorker(table, 1);
    for (let i = 0; i < MAX_CELLS; i++) {
      assert.ok(worker.accepts(0));
      const slot = table.allocate();
      table.profile[slot] = profile();
      worker.issue(slot);
    }
    assert.equal(worker.accepts(0), false);
    const [slot] = worker.unanswered() as [number];
    worker.unlink(slot);
    worker.answer(table.ticket[slot]!);
    assert.ok(worker.accepts(0));
  });

  it("accepts nothing while it starts, stops, rests, goes alone, waits for an orphan or for a pinned task", () => {
    const table = new TaskTable();
    const refusing: readonly ((worker: WorkerRecord) => void)[] = [
      (worker) => (worker.phase = "starting"),
      (worker) => (worker.phase = "stopping"),
      (worker) => (worker.phase = "down"),
      (worker) => (worker.busyUntil = 11),
      (worker) => (worker.isExclusive = true),
      (worker) => worker.pinned.push(3),
      (worker) => {
        const slot = table.allocate();
        worker.issue(slot);
        worker.orphan(slot);
      },
    ];
    for (const refuse of refusing) {
      const worker = newWorker(table, 2);
      assert.ok(worker.accepts(10));
      refuse(worker);
      assert.equal(worker.accepts(10), false);
    }
  });

  it("takes as many tasks as it may do before it is replaced, and not one more", () => {
    const table = new TaskTable();
    const worker = newWorker(table, 10, 3);
    worker.done = 1;
    worker.failed = 1;
    assert.ok(worker.accepts(0));
    worker.issue(table.allocate());
    assert.equal(worker.accepts(0), false);
  });

  it("lets a resumed stream go on at once, beyond its capacity", () => {
    const table = new TaskTable();
    const worker = newWorker(table, 1);
    const [stream, other, third] = [table.allocate(), table.allocate(), table.allocate()] as const;
    for (const slot of [stream, other, third]) worker.issue(slot);
    assert.equal(worker.startNext(0), stream);
    worker.stall(stream);
    assert.equal(worker.startNext(1), other);
    worker.resume(stream);
    assert.equal(worker.running, 2);
    assert.equal(worker.startNext(2), -1);
    worker.unlink(other);
    assert.equal(worker.startNext(3), -1, "the stream has the only hand");
    worker.unlink(stream);
    assert.equal(worker.startNext(4), third);
  });
});
