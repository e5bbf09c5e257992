// The machines inside the roles, without sockets: what is sent to whom, what is kept, what counts as read. A failure prints its seed and path.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Appetite } from "../../src/backends/zeromq/roles/appetite.ts";
import { Backlog } from "../../src/backends/zeromq/roles/backlog.ts";
import { BodyReader, BodyWriter, Unreadable } from "../../src/backends/zeromq/roles/body.ts";
import { Deliveries } from "../../src/backends/zeromq/roles/deliveries.ts";
import { Dispatch, type Sending } from "../../src/backends/zeromq/roles/dispatch.ts";
import { Inbox } from "../../src/backends/zeromq/roles/inbox.ts";
import {
  type Assignment,
  readCommand,
  readReply,
  readReport,
  readResults,
  readTaken,
  readTasks,
  skipping,
  writeReport,
  writeResults,
  writeTasks,
} from "../../src/backends/zeromq/roles/messages.ts";
import { fromRuns, toRuns } from "../../src/backends/zeromq/roles/runs.ts";
import { SeenNumbers } from "../../src/backends/zeromq/roles/seen-numbers.ts";
import { Source } from "../../src/backends/zeromq/roles/source.ts";
import { fromErrorRecord } from "../../src/protocol/error-record.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { range } from "./cluster.ts";

const numbers = fc.array(fc.nat({ max: 60 }), { maxLength: 80, size: "max" });

describe("runs of numbers", () => {
  it("mean what they were made of", () => {
    fc.assert(fc.property(numbers, (list) => assert.deepEqual(fromRuns(toRuns(list)), list)));
    assert.deepEqual(toRuns(range(1_000)), [0, 1_000]);
  });

  it("that mean more than a message may, or are odd, are refused", () => {
    assert.throws(() => fromRuns([0, 1e9]), ProtocolError);
    assert.throws(() => fromRuns([1]), ProtocolError);
    assert.throws(() => fromRuns([Number.MAX_SAFE_INTEGER, 2]), ProtocolError);
  });
});

describe("numbers that were seen", () => {
  it("are a set", () => {
    fc.assert(
      fc.property(numbers, (list) => {
        const seen = new SeenNumbers();
        const model = new Set<number>();
        for (const number of list) {
          assert.equal(seen.add(number), !model.has(number));
          model.add(number);
        }
        for (const number of range(62)) assert.equal(seen.has(number), model.has(number));
        const ends = [...model].filter((number) => !model.has(number + 1)).length;
        assert.equal(seen.runs, ends, "in as many runs as there are gaps");
      }),
    );
  });

  it("take no memory for what came in order", () => {
    const seen = new SeenNumbers();
    for (const number of range(100_000)) seen.add(number);
    assert.equal(seen.runs, 1);
  });
});

describe("messages of the roles", () => {
  const value = fc.oneof(
    fc.anything({ withMap: true, withSet: true, withTypedArray: true, withBigInt: true }),
    // An invalid one is not equal to itself.
    fc.date({ noInvalidDate: true }),
    fc.constantFrom(undefined, Number.NaN, -0, "", null),
  );
  const copy = (one: unknown): unknown => structuredClone(one);

  it("give any values back as they were", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ payload: value, metadata: value, attempt: fc.integer({ min: 1, max: 3 }) })),
        (list) => {
          const requests = list.map((one, at) => ({ ...one, number: at * 2 }));
          const read = readTasks(
            writeTasks(requests, () => undefined),
            "peer",
          );
          assert.deepEqual(
            read,
            requests.map(({ number, attempt, payload, metadata }) => ({
              source: "peer",
              number,
              attempt,
              payload: copy(payload),
              metadata: copy(metadata),
              verdict: undefined,
            })),
          );
          const answers = requests.map(({ number, attempt, payload, metadata }) => ({
            number,
            attempt,
            isFailed: false,
            value: payload,
            micros: number,
            metadata,
          }));
          const batch = readResults(skipping(writeResults(7, "v", answers), 3));
          assert.deepEqual([batch.batch, batch.skip, batch.ventilator], [7, 3, "v"]);
          assert.deepEqual(
            batch.answers,
            answers.map((answer) => ({ ...answer, value: copy(answer.value), metadata: copy(answer.metadata) })),
          );
        },
      ),
    );
  });

  it("fail one by one where a value has no copy", () => {
    const requests = [1, () => {}, 3].map((payload, number) => ({ number, attempt: 1, payload, metadata: undefined }));
    const [first, second, third] = readTasks(
      writeTasks(requests, (at) => (at === 2 ? new RangeError("lost") : undefined)),
      0,
    );
    assert.deepEqual([first!.payload, first!.verdict], [1, undefined]);
    assert.match((fromErrorRecord(second!.verdict as never) as Error).message, /^Cannot send request 1: /);
    assert.ok(fromErrorRecord(third!.verdict as never) instanceof RangeError);
  });

  it("fail one by one where a piece cannot be read", () => {
    const body = new BodyWriter().values([new Map(), 1, new Set()], () => {}).finish();
    // The first byte of the first piece is V8's version.
    const broken = Buffer.from(body);
    broken[4 + broken.readUInt32LE(0) + 4] = 0x00;
    const [first, second, third] = new BodyReader("a body", broken).values(3);
    assert.ok(first instanceof Unreadable);
    assert.deepEqual([second, third], [1, new Set()]);
  });

  it("of any bytes are read, or refused with a ProtocolError", () => {
    const readers = [
      (bytes: Uint8Array) => readTasks(bytes, 0),
      readReport,
      readResults,
      readTaken,
      readCommand,
      readReply,
    ];
    const whole = [
      writeTasks([{ number: 1, attempt: 2, payload: new Map(), metadata: 1 }], () => undefined),
      writeReport({ credit: 3, done: [1, 2], returned: [9] }),
      writeResults(1, "v", [
        { number: 1, attempt: 1, isFailed: false, value: new Set([1]), micros: 3, metadata: undefined },
      ]),
    ];
    const mangled = fc
      .tuple(
        fc.constantFrom(...whole),
        fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { maxLength: 4 }),
        fc.nat({ max: 300 }),
      )
      .map(([body, changes, length]) => {
        const bytes = Buffer.from(body).subarray(0, length);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        return new Uint8Array(bytes);
      });
    const texts = fc.json().map((json) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(json));
      return new Uint8Array(Buffer.concat([length, Buffer.from(json)]));
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mangled, texts), (bytes) => {
        for (const read of readers) {
          try {
            read(bytes);
          } catch (error) {
            assert.ok(error instanceof ProtocolError, String(error));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

type Event =
  | { readonly type: "add" | "grant" | "done" | "return"; readonly who: number; readonly count: number }
  | { readonly type: "up" | "lost" | "left" | "late"; readonly who: number };

const WORKERS = 3;
const who = fc.nat({ max: WORKERS - 1 });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom("add" as const, "grant" as const, "done" as const, "return" as const),
      who,
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom("up" as const, "up" as const, "lost" as const, "left" as const, "late" as const),
      who,
    }),
  },
);

describe("dispatch", () => {
  /** Workers as the machine should see them. */
  class Model {
    readonly dispatch = new Dispatch(1_000);
    readonly held = new Map<string, number[]>();
    readonly credit = new Map<string, number>();
    readonly sent = new Map<number, number>();
    readonly done = new Set<number>();
    added = 0;

    send(): void {
      for (const { worker, parcels } of this.dispatch.dispatch()) {
        const credit = this.credit.get(worker)!;
        assert.ok(parcels.length <= credit, "no more than was asked for");
        this.credit.set(worker, credit - parcels.length);
        for (const { number, attempt } of parcels) {
          assert.ok(!this.done.has(number), "nothing that is done");
          for (const numbers of this.held.values())
            assert.ok(!numbers.includes(number), "nothing that is with somebody");
          assert.ok(attempt >= 1);
          this.sent.set(number, (this.sent.get(number) ?? 0) + 1);
          this.held.get(worker)!.push(number);
        }
      }
    }

    apply(one: Event): void {
      const worker = `w${one.who}`;
      const held = this.held.get(worker);
      switch (one.type) {
        case "add":
          for (let n = 0; n < one.count; n++) assert.equal(this.dispatch.add(this.added, undefined), this.added++);
          break;
        case "up":
          if (held !== undefined) return;
          this.held.set(worker, []);
          this.credit.set(worker, 0);
          this.dispatch.workerUp(worker);
          break;
        case "grant":
          if (held === undefined) return;
          this.credit.set(worker, this.credit.get(worker)! + one.count);
          this.dispatch.grant(worker, one.count);
          break;
        case "done": {
          const taken = held?.splice(0, one.count) ?? [];
          for (const number of taken) this.done.add(number);
          this.dispatch.taken([...taken, ...taken]);
          break;
        }
        case "return":
          this.dispatch.returned(worker, held?.splice(-one.count) ?? []);
          break;
        case "late": {
          // The sink has what came from a worker that was thought lost; the request waits, or is with another one.
          const number = [...this.sent.keys()].find(
            (one) => !this.done.has(one) && one % WORKERS === this.sent.size % WORKERS,
          );
          if (number === undefined) return;
          this.done.add(number);
          for (const [name, list] of this.held)
            this.held.set(
              name,
              list.filter((one) => one !== number),
            );
          this.dispatch.taken([number]);
          break;
        }
        case "lost":
        case "left":
          this.held.delete(worker);
          this.dispatch.workerDown(worker, one.type === "lost");
      }
      this.send();
      const under = [...this.held.values()].reduce((sum, list) => sum + list.length, 0);
      assert.equal(this.dispatch.done, this.done.size);
      assert.equal(this.dispatch.pending, this.added - this.done.size);
      assert.ok(this.dispatch.queued >= this.added - this.done.size - under, "everything is somewhere");
    }
  }

  it("sends nothing twice at a time, nothing without credit, and loses nothing", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120, size: "max" }), (events) => {
        const model = new Model();
        for (const one of events) model.apply(one);
        // All others leave; one good worker does the rest.
        for (const n of range(WORKERS)) model.apply({ type: "left", who: n });
        model.apply({ type: "up", who: 0 });
        for (let rounds = 0; model.dispatch.pending > 0; rounds++) {
          assert.ok(rounds < 5_000, `${model.dispatch.pending} never come`);
          model.apply({ type: "grant", who: 0, count: 8 });
          model.apply({ type: "done", who: 0, count: 8 });
        }
        assert.equal(model.done.size, model.added);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps the order of sending where nothing is lost", () => {
    const dispatch = new Dispatch(3);
    for (const n of range(100)) dispatch.add(n, undefined);
    dispatch.workerUp("a");
    dispatch.grant("a", 30);
    dispatch.grant("a", 70);
    assert.deepEqual(numbersOf(dispatch.dispatch()), range(100));
  });

  it("shares what there is among those who are free", () => {
    const dispatch = new Dispatch(3);
    for (const n of range(10)) dispatch.add(n, undefined);
    for (const worker of ["a", "b"]) {
      dispatch.workerUp(worker);
      dispatch.grant(worker, 100);
    }
    assert.deepEqual(
      dispatch.dispatch().map(({ parcels }) => parcels.length),
      [5, 5],
    );
  });

  it("condemns the one request that kills workers, after a few losses, and none of its neighbours", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), fc.integer({ min: 1, max: 4 }), (count, which, limit) => {
        const poison = which % count;
        const dispatch = new Dispatch(limit);
        for (const n of range(count)) dispatch.add(n, undefined);
        const failed: number[] = [];
        let deaths = 0;
        while (dispatch.pending > 0) {
          dispatch.workerUp(`w${deaths}`);
          dispatch.grant(`w${deaths}`, 1_000);
          let isDead = false;
          for (;;) {
            const [sending] = dispatch.dispatch();
            if (sending === undefined) break;
            const parcels = sending.parcels;
            if (parcels.some(({ number, verdict }) => number === poison && verdict === undefined)) {
              isDead = true;
              break;
            }
            failed.push(...parcels.filter(({ verdict }) => verdict !== undefined).map(({ number }) => number));
            dispatch.taken(parcels.map(({ number }) => number));
            dispatch.grant(`w${deaths}`, parcels.length);
          }
          dispatch.workerDown(`w${deaths}`, isDead);
          if (isDead) deaths += 1;
          assert.ok(deaths <= limit + 5, `${deaths} workers died`);
        }
        assert.deepEqual(failed, [poison]);
      }),
    );
  });
});

describe("results on their way", () => {
  type Step = { readonly type: "make" | "read" | "sinkDies" | "linkBreaks" | "tell"; readonly count: number };
  const step: fc.Arbitrary<Step> = fc.record({
    type: fc.constantFrom(
      "make" as const,
      "make" as const,
      "read" as const,
      "read" as const,
      "tell" as const,
      "sinkDies" as const,
      "linkBreaks" as const,
    ),
    count: fc.integer({ min: 1, max: 8 }),
  });

  it("are each read once, and kept until they are, whatever dies", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const deliveries = new Deliveries<string>();
        let inbox = new Inbox<string>();
        const read: number[] = [];
        const done = new Set<number>();
        let session = "";
        let sessions = 0;
        let made = 0;
        const deliver = (outgoing: ReturnType<Deliveries<string>["add"]>): void => {
          for (const { peer, body } of outgoing) if (peer === session) inbox.add(peer, readResults(body));
        };
        const open = (): void => {
          session = `s${++sessions}`;
          deliver(deliveries.opened(session));
        };
        const tell = (): void => {
          for (const [peer, pairs] of inbox.tell()) {
            for (const list of deliveries.taken(peer, pairs).values()) {
              for (const number of list) {
                assert.ok(!done.has(number), "acknowledged once");
                assert.ok(read.includes(number), "acknowledged after it was read");
                done.add(number);
              }
            }
          }
        };
        const readSome = (count: number): void => {
          for (let n = 0; n < count; n++) {
            const reading = inbox.next();
            if (reading === undefined) return;
            read.push(reading.answer.number);
            inbox.done();
          }
        };
        open();
        for (const { type, count } of steps) {
          switch (type) {
            case "make": {
              const answers = range(count).map((n) => ({
                number: made + n,
                attempt: 1,
                isFailed: false,
                value: n,
                micros: 0,
                metadata: undefined,
              }));
              made += count;
              const batch = deliveries.nextBatch();
              const body = writeResults(batch, "v", answers);
              deliver(deliveries.add({ batch, ventilator: "v", numbers: answers.map(({ number }) => number), body }));
              break;
            }
            case "read":
              readSome(count);
              break;
            case "tell":
              tell();
              break;
            case "sinkDies":
              // The next one is told what this one's reader has.
              inbox = new Inbox<string>();
              for (const number of read) inbox.markRead("v", number);
              deliver(deliveries.lost(session));
              open();
              break;
            case "linkBreaks":
              deliver(deliveries.lost(session));
              inbox.drop(session);
              open();
          }
        }
        readSome(1_000);
        tell();
        assert.deepEqual(
          read.toSorted((a, b) => a - b),
          range(made),
        );
        assert.equal(deliveries.unacknowledged, 0);
        assert.equal(done.size, made);
      }),
    );
  });

  it("are not acknowledged while the reader is at them", () => {
    const inbox = new Inbox<string>();
    const answers = range(3).map((number) => ({
      number,
      attempt: 1,
      isFailed: false,
      value: 0,
      micros: 0,
      metadata: undefined,
    }));
    inbox.add("s", { batch: 1, skip: 0, ventilator: "v", answers });
    inbox.next();
    inbox.next();
    assert.deepEqual([...inbox.tell()], [["s", [1, 1]]]);
    inbox.done();
    assert.deepEqual([...inbox.tell()], [["s", [1, 2]]]);
  });

  it("of which another copy was read are acknowledged though nobody reads on, but not while the reader is at that copy", () => {
    const inbox = new Inbox<string>();
    const answer = { number: 7, attempt: 1, isFailed: false, value: 0, micros: 0, metadata: undefined };
    inbox.add("dead", { batch: 1, skip: 0, ventilator: "v", answers: [answer] });
    inbox.next();
    inbox.add("s", { batch: 1, skip: 0, ventilator: "v", answers: [answer] });
    assert.deepEqual([...inbox.tell()], []);
    inbox.done();
    assert.deepEqual(
      [...inbox.tell()],
      [
        ["dead", [1, 1]],
        ["s", [1, 1]],
      ],
    );
    // One behind the one that is read, in the same batch.
    inbox.add("s", { batch: 2, skip: 0, ventilator: "v", answers: [{ ...answer, number: 8 }, answer] });
    inbox.next();
    inbox.add("s", { batch: 3, skip: 0, ventilator: "w", answers: [answer] });
    assert.deepEqual([...inbox.tell()], []);
    inbox.done();
    assert.deepEqual([...inbox.tell()], [["s", [2, 2]]]);
    inbox.next();
    inbox.done();
    assert.deepEqual([...inbox.tell()], [["s", [3, 1]]]);
    inbox.add("late", { batch: 9, skip: 0, ventilator: "v", answers: [answer] });
    assert.deepEqual([...inbox.tell()], [["late", [9, 1]]]);
  });

  it("go to another sink without what the first one had", () => {
    const deliveries = new Deliveries<string>();
    const answers = range(5).map((number) => ({
      number,
      attempt: 1,
      isFailed: false,
      value: 0,
      micros: 0,
      metadata: undefined,
    }));
    deliveries.opened("first");
    deliveries.add({ batch: 1, ventilator: "v", numbers: range(5), body: writeResults(1, "v", answers) });
    deliveries.taken("first", [1, 2]);
    assert.deepEqual(deliveries.lost("first"), []);
    const [again] = deliveries.opened("second");
    assert.equal(readResults(again!.body).skip, 2);
    assert.deepEqual([...deliveries.taken("first", [1, 5])], []);
    assert.deepEqual([...deliveries.taken("second", [1, 5])], [["v", [2, 3, 4]]]);
  });

  it("of which more are acknowledged than there are make a ProtocolError", () => {
    const deliveries = new Deliveries<string>();
    deliveries.opened("s");
    deliveries.add({ batch: 1, ventilator: "v", numbers: [1], body: new Uint8Array(8) });
    assert.throws(() => deliveries.taken("s", [1, 2]), ProtocolError);
  });
});

describe("what a worker has", () => {
  const from = (source: string, number: number): Assignment<string> => ({
    source,
    number,
    attempt: 1,
    payload: number,
    metadata: undefined,
    verdict: undefined,
  });

  it("waits in the order in which it came, and leaves with its source", () => {
    const backlog = new Backlog<string>();
    assert.equal(backlog.next(), undefined);
    backlog.add([from("a", 1), from("b", 1)]);
    assert.equal(backlog.next()?.source, "a");
    backlog.add([from("a", 2), from("b", 2), from("a", 3)]);
    assert.equal(backlog.size, 4);
    backlog.drop("b");
    assert.deepEqual([backlog.next()?.number, backlog.size], [2, 1]);
    backlog.add([from("b", 3)]);
    assert.deepEqual(
      backlog.takeAll().map(({ source, number }) => [source, number]),
      [
        ["a", 3],
        ["b", 3],
      ],
    );
    assert.deepEqual([backlog.size, backlog.next()], [0, undefined]);
  });

  it("is accounted for, source by source, and told once", () => {
    const source = new Source({}, "v");
    assert.equal(source.report(0), undefined);
    assert.deepEqual(source.report(3), { credit: 3, done: [], returned: [] });
    source.came(2);
    assert.equal(source.expected, 3);
    source.answered();
    source.done([7]);
    source.giveBack(8);
    assert.equal(source.expected, 1);
    assert.deepEqual(source.report(0), { credit: 0, done: [7], returned: [8] });
    assert.equal(source.report(0), undefined);
    // A session that was lost in between, or a ventilator that sends what it may not.
    source.came(5);
    assert.equal(source.expected, 5);
    source.isOver = true;
    source.done([9]);
    assert.equal(source.report(1), undefined);
  });
});

describe("an appetite", () => {
  it("is for what runs until it is known how long that takes, then for a few milliseconds of work", () => {
    const appetite = new Appetite(2);
    assert.equal(appetite.ask(0), 2);
    for (const _ of range(100)) appetite.add(0.01);
    assert.ok(appetite.size > 1_000 && appetite.size <= 4_098);
    for (const _ of range(100)) appetite.add(50);
    assert.equal(appetite.size, 2);
  });

  it("asks in bites that are worth a message", () => {
    const appetite = new Appetite(1);
    for (const _ of range(100)) appetite.add(0.1);
    const { size } = appetite;
    assert.equal(appetite.ask(size), 0);
    assert.equal(appetite.ask(size - 1), 0);
    assert.equal(appetite.ask(0), size);
    appetite.isStuck = true;
    assert.equal(appetite.ask(1), 0);
  });
});

function numbersOf(sendings: readonly Sending[]): number[] {
  return sendings.flatMap(({ parcels }) => parcels.map(({ number }) => number));
}
