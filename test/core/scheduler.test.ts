import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exactly } from "./backend-specs.ts";
import { Driver } from "./driver.ts";
import { profile } from "./profiles.ts";

/** Completes whatever runs until nothing is left; answers the slots in the order in which they were sent. */
function drain(driver: Driver): number[] {
  const order: number[] = [];
  for (let sent = driver.sent(); sent.length > 0; sent = driver.sent()) {
    order.push(...sent);
    driver.complete(sent[0]!);
  }
  return order;
}

describe("the order of starting", () => {
  it("is priority, then insertion", () => {
    const driver = Driver.up();
    const [c, a, d, b] = [driver.add({}, 5), driver.add({}, -1), driver.add({}, 5), driver.add({}, 0)];
    driver.flush();
    assert.deepEqual(drain(driver), [a, b, c, d]);
  });

  it("follows a new priority, in the order of insertion among its new equals", () => {
    const driver = Driver.up();
    const running = driver.send();
    const [a, b, c] = [driver.add({}, 3), driver.add({}, 2), driver.add({}, 2)];
    assert.equal(driver.scheduler.setPriority(a, 2), true);
    assert.equal(driver.scheduler.setPriority(running, 2), false);
    driver.complete(running);
    assert.deepEqual(drain(driver), [a, b, c]);
  });

  it("puts what needs no series and what needs one into the same row", () => {
    const driver = Driver.up([{ series: [1, 2] }]);
    const [a, b, c] = [driver.add({ series: 2 }), driver.add(), driver.add({ series: 1 })];
    driver.flush();
    assert.deepEqual(drain(driver), [a, b, c]);
  });

  it("is not held up by a task that nobody serves", () => {
    const driver = Driver.up();
    driver.add({ series: 9 }, -100);
    const ordinary = driver.add();
    driver.flush();
    assert.deepEqual(driver.sent(), [ordinary]);
  });

  it("gives the worker that can do the least its choice first", () => {
    const driver = Driver.up([{ series: [1] }, {}]);
    const special = driver.add({ series: 1 });
    const ordinary = driver.add();
    driver.flush();
    assert.equal(driver.workerOf(special), 1);
    assert.equal(driver.workerOf(ordinary), 2);
  });

  it("begins on all workers before one of them has two", () => {
    const driver = Driver.up([{ size: exactly(3) }], 2);
    const slots = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    assert.deepEqual(new Set(slots.map((slot) => driver.workerOf(slot))), new Set([1, 2, 3]));
  });

  it("serves a series from the moment a worker is qualified", () => {
    const driver = Driver.up();
    const slot = driver.send({ series: 4 });
    assert.deepEqual(driver.sent(), []);
    driver.scheduler.qualify(1, 4);
    driver.flush();
    assert.deepEqual(driver.sent(1), [slot]);
  });
});

describe("a pause", () => {
  it("starts nothing until it ends, and lets run what runs", () => {
    const driver = Driver.up();
    const running = driver.send();
    driver.scheduler.pause();
    const waiting = driver.send();
    driver.complete(running);
    assert.deepEqual(driver.sent(), []);
    driver.scheduler.resume();
    driver.flush();
    assert.deepEqual(driver.sent(), [waiting]);
  });

  it("takes back what was sent ahead, which goes first afterwards", () => {
    const driver = Driver.up();
    driver.quicken(1);
    const [running, ...ahead] = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    assert.equal(driver.scheduler.worker(1)!.ahead, 2);
    driver.scheduler.pause();
    driver.flush((_, tickets) => tickets);
    assert.equal(driver.scheduler.worker(1)!.ahead, 0);
    assert.equal(driver.scheduler.queued, 2);
    driver.scheduler.resume();
    driver.complete(running!, 0);
    assert.deepEqual(driver.sent(), ahead);
    assert.equal(driver.scheduler.attemptOf(ahead[0]!), 1);
  });
});

describe("what is sent ahead", () => {
  it("goes in order behind what runs, and begins as answers come", () => {
    const driver = Driver.up();
    driver.quicken(1);
    const started: number[] = [];
    driver.scheduler.onStarted = (slot) => started.push(slot);
    const [a, b, c] = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    assert.deepEqual(driver.sent(1), [a, b, c]);
    assert.deepEqual(started, [a]);
    driver.complete(a, 0);
    assert.deepEqual(started, [a, b]);
    assert.equal(driver.scheduler.isRunning(b), true);
    assert.equal(driver.scheduler.isRunning(c), false);
  });

  it("is nothing where tasks are long, must not be repeated, or the backend takes none", () => {
    for (const [spec, task, isQuick] of [
      [{}, {}, false],
      [{}, { atMostOnce: true }, true],
      [{ sendsAhead: false }, {}, true],
    ] as const) {
      const driver = Driver.up([spec]);
      if (isQuick) driver.quicken(1);
      for (let i = 0; i < 4; i++) driver.add(task);
      driver.flush();
      assert.equal(driver.sent().length, 1);
    }
  });

  it("comes back from a worker that says nothing for some milliseconds, for another one", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    driver.quicken(1);
    const [long] = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    const behind = driver.sent(driver.workerOf(long!)).slice(1);
    assert.ok(behind.length > 0);
    driver.clock.advance(5);
    driver.flush();
    for (const slot of behind)
      assert.equal(driver.workerOf(slot), driver.workerOf(long!), "its answer may be on the way");
    driver.clock.advance(1);
    driver.flush((worker, tickets) => (worker === driver.workerOf(long!) ? tickets : []));
    for (const slot of behind) assert.notEqual(driver.workerOf(slot), driver.workerOf(long!));
  });

  it("is one chunk at most", () => {
    const driver = Driver.up();
    driver.quicken(1);
    for (let i = 0; i < 5; i++) driver.add({ isChunk: true });
    driver.flush();
    assert.equal(driver.sent().length, 2);
  });

  it("is recalled when it is cancelled, and its worker told where that came too late", () => {
    for (const isTooLate of [false, true]) {
      const driver = Driver.up();
      driver.quicken(1);
      driver.add();
      const ahead = driver.add();
      driver.flush();
      const ticket = driver.ticketOf(ahead);
      driver.scheduler.cancel(driver.now, ahead);
      driver.flush((_, tickets) => (isTooLate ? [] : tickets));
      assert.equal(driver.scheduler.live, 1);
      assert.equal(driver.scheduler.worker(1)!.orphans, isTooLate ? 1 : 0);
      assert.deepEqual(driver.of("abort"), isTooLate ? [{ type: "abort", worker: 1, ticket }] : []);
    }
  });
});

describe("an attempt that fails", () => {
  it("is final without retries", () => {
    const driver = Driver.up();
    const slot = driver.send();
    assert.equal(driver.fail(slot), -1);
    assert.equal(driver.scheduler.live, 0);
  });

  it("goes again as often as there are retries, later each time", () => {
    const driver = Driver.up();
    const slot = driver.send({ retries: 2, retryDelayMs: 100 });
    for (const [attempt, delayMs] of [
      [1, 100],
      [2, 200],
    ] as const) {
      assert.equal(driver.scheduler.attemptOf(slot), attempt);
      assert.equal(Math.round(driver.fail(slot)), delayMs);
      driver.pass(delayMs - 1);
      assert.deepEqual(driver.sent(), []);
      driver.pass(1);
      assert.deepEqual(driver.sent(), [slot]);
    }
    assert.equal(driver.scheduler.attemptOf(slot), 3);
    assert.equal(driver.fail(slot), -1);
  });

  it("goes again at once where there is no delay, at its old place", () => {
    const driver = Driver.up();
    const slot = driver.send({ retries: 5_000, retryDelayMs: 0 });
    driver.add();
    for (let attempt = 1; attempt <= 2_000; attempt++) {
      assert.equal(driver.fail(slot), 0);
      assert.deepEqual(driver.sent(), [slot]);
    }
  });

  it("is final where it is permanent, or must not be repeated", () => {
    const driver = Driver.up();
    assert.equal(driver.fail(driver.send({ retries: 5 }), "permanent"), -1);
    assert.equal(driver.fail(driver.send({ retries: 5, atMostOnce: true })), -1);
    const slot = driver.send({ retries: 5 });
    driver.scheduler.makeFinal(slot);
    assert.equal(driver.fail(slot), -1);
  });

  it("counts what the task has behind it from elsewhere", () => {
    const driver = Driver.up();
    const slot = driver.add({ retries: 2 });
    driver.scheduler.inherit(slot, 4, 2, 0, false);
    driver.flush();
    assert.equal(driver.scheduler.attemptOf(slot), 5);
    assert.equal(driver.fail(slot), -1);
  });
});

describe("a task that puts itself off", () => {
  it("goes to the back of its priority and is charged nothing", () => {
    const driver = Driver.up();
    const [a, b, c] = [driver.add(), driver.add(), driver.add({}, 1)];
    driver.flush();
    assert.equal(driver.scheduler.deferred(driver.now, 1, driver.ticketOf(a), undefined, 0), a);
    driver.flush();
    assert.deepEqual(drain(driver), [b, a, c]);
  });

  it("takes another priority with it", () => {
    const driver = Driver.up();
    const [a, b, c] = [driver.add(), driver.add({}, 1), driver.add({}, 2)];
    driver.flush();
    driver.scheduler.deferred(driver.now, 1, driver.ticketOf(a), 1, 0);
    driver.flush();
    assert.deepEqual(drain(driver), [b, a, c]);
    assert.equal(driver.scheduler.live, 0);
  });

  it("waits as long as it said, holding no worker", () => {
    const driver = Driver.up();
    const [a, b] = [driver.add(), driver.add()];
    driver.flush();
    driver.scheduler.deferred(driver.now, 1, driver.ticketOf(a), undefined, 5_000);
    driver.flush();
    assert.deepEqual(driver.sent(), [b]);
    driver.complete(b);
    driver.pass(4_999);
    assert.deepEqual(driver.sent(), []);
    driver.pass(1);
    assert.deepEqual(driver.sent(), [a]);
  });

  it("does not spin where it does so again and again", () => {
    const driver = Driver.up();
    const slot = driver.send();
    let turns = 0;
    for (const until = driver.now + 100; driver.now < until && turns < 1_000; turns++) {
      driver.scheduler.deferred(driver.now, 1, driver.ticketOf(slot), undefined, 0);
      driver.flush();
      while (driver.workerOf(slot) === undefined) driver.pass(0.5);
    }
    assert.ok(turns <= 202, `${turns} turns in 100 ms`);
  });
});

describe("a worker that says that it is busy", () => {
  it("gets nothing until it has rested, and the task goes to another at once, uncharged", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    const slot = driver.send({ retries: 0 });
    const busy = driver.workerOf(slot)!;
    driver.scheduler.refused(driver.now, busy, driver.ticketOf(slot), 1_000);
    driver.flush();
    const other = driver.workerOf(slot);
    assert.notEqual(other, busy);
    const next = driver.send();
    assert.equal(driver.workerOf(next), undefined);
    driver.pass(999);
    assert.equal(driver.workerOf(next), undefined);
    driver.pass(1);
    assert.equal(driver.workerOf(next), busy);
  });
});

describe("a timeout", () => {
  it("counts from the start, not from adding", () => {
    const driver = Driver.up();
    const first = driver.send();
    const slot = driver.send({ timeoutMs: 50 });
    driver.pass(1_000);
    driver.complete(first);
    driver.pass(49);
    assert.deepEqual(driver.of("settle"), []);
    driver.pass(1);
    assert.deepEqual(
      driver.of("settle").map(({ slot: settled, reason, worker }) => [settled, reason, worker]),
      [[slot, "timeout", 1]],
    );
  });

  it("tells the worker, and kills it where it goes on", () => {
    const driver = Driver.up([{}], 1, { abortGraceMs: 30 });
    const slot = driver.send({ timeoutMs: 50 });
    const ticket = driver.ticketOf(slot);
    driver.pass(50);
    assert.deepEqual(driver.of("abort"), [{ type: "abort", worker: 1, ticket }]);
    driver.pass(29);
    assert.deepEqual(driver.of("kill"), []);
    driver.pass(1);
    assert.deepEqual(driver.of("kill"), [{ type: "kill", worker: 1 }]);
  });

  it("kills nobody who answers within the grace, and that answer is too late", () => {
    const driver = Driver.up([{}], 1, { abortGraceMs: 30 });
    const slot = driver.send({ timeoutMs: 50 });
    const ticket = driver.ticketOf(slot);
    driver.pass(50);
    const next = driver.send();
    assert.equal(driver.workerOf(next), undefined, "its hand is not free");
    assert.equal(driver.scheduler.completed(driver.now, 1, ticket, 50), -1);
    driver.flush();
    assert.equal(driver.workerOf(next), 1);
    driver.pass(1_000);
    assert.deepEqual(driver.of("kill"), []);
  });

  it("gives each of several its own grace", () => {
    const driver = Driver.up([{}], 2, { abortGraceMs: 100 });
    const first = driver.send({ timeoutMs: 10 });
    const firstTicket = driver.ticketOf(first);
    driver.send({ timeoutMs: 100 });
    driver.pass(100);
    driver.scheduler.completed(driver.now, 1, firstTicket, 100);
    driver.flush();
    driver.pass(99);
    assert.deepEqual(driver.of("kill"), []);
    driver.pass(1);
    assert.equal(driver.of("kill").length, 1);
  });

  it("is charged against the retries", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    const slot = driver.send({ timeoutMs: 50, retries: 1, retryDelayMs: 0 });
    driver.pass(50);
    assert.deepEqual(
      driver.of("retrying").map(({ slot: again, reason }) => [again, reason]),
      [[slot, "timeout"]],
    );
    assert.equal(driver.scheduler.attemptOf(slot), 2);
    driver.pass(50);
    assert.deepEqual(
      driver.of("settle").map(({ slot: settled, reason }) => [settled, reason]),
      [[slot, "timeout"]],
    );
  });

  it("begins anew with each answered item of a chunk", () => {
    const driver = Driver.up();
    const slot = driver.send({ timeoutMs: 50, isChunk: true });
    for (let item = 0; item < 5; item++) {
      driver.pass(49);
      driver.scheduler.progressed(driver.now, 1, slot, 1, 49);
    }
    assert.deepEqual(driver.of("settle"), []);
    driver.pass(50);
    assert.equal(driver.of("settle").length, 1);
  });

  it("does not run while a stream waits for its reader", () => {
    const driver = Driver.up();
    const slot = driver.send({ timeoutMs: 50 });
    driver.scheduler.stall(slot, driver.now);
    driver.pass(10_000);
    assert.deepEqual(driver.of("settle"), []);
    driver.scheduler.resumeStream(slot, driver.now);
    driver.pass(50);
    assert.equal(driver.of("settle").length, 1);
  });
});

describe("a deadline", () => {
  it("covers the time in the queue, in delays and at a worker", () => {
    const cases: readonly ((driver: Driver) => number)[] = [
      (driver) => {
        driver.add();
        return driver.send({ deadlineMs: 100 });
      },
      (driver) => driver.send({ deadlineMs: 100 }),
      (driver) => driver.scheduler.addLater(driver.now, 0, profile({ deadlineMs: 100 }), 1_000),
      (driver) => {
        driver.quicken(1);
        driver.add();
        return driver.send({ deadlineMs: 100 });
      },
    ];
    for (const begin of cases) {
      const driver = Driver.up();
      const slot = begin(driver);
      driver.pass(99);
      assert.deepEqual(driver.of("settle"), []);
      driver.pass(1);
      assert.deepEqual(
        driver.of("settle").map(({ slot: settled, reason }) => [settled, reason]),
        [[slot, "deadline"]],
      );
    }
  });

  it("is not moved by retries", () => {
    const driver = Driver.up();
    const slot = driver.send({ deadlineMs: 100, retries: 100, retryDelayMs: 0 });
    driver.pass(60);
    driver.fail(slot);
    driver.pass(39);
    assert.deepEqual(driver.of("settle"), []);
    driver.pass(1);
    assert.equal(driver.of("settle").length, 1);
  });
});

describe("a lost worker", () => {
  it("sends its one task again alone, twice where no retries are given", () => {
    const driver = Driver.up([{ size: exactly(1) }], 1, { poisonLimit: 99 });
    const slot = driver.send();
    for (let loss = 1; loss <= 2; loss++) {
      driver.down(driver.workerOf(slot)!);
      assert.deepEqual(
        driver.of("retrying").map(({ slot: again, reason }) => [again, reason]),
        [[slot, "lost"]],
      );
      driver.pass(1_000);
      driver.upAll();
      assert.notEqual(driver.workerOf(slot), undefined);
    }
    const last = driver.workerOf(slot)!;
    driver.down(last, { cause: "killed" });
    assert.deepEqual(driver.of("settle"), [{ type: "settle", slot, reason: "lost", worker: last, cause: "killed" }]);
  });

  it("is charged against retries where they are given", () => {
    for (const retries of [0, 1, 3]) {
      const driver = Driver.up([{ size: exactly(1) }], 1, { poisonLimit: 99 });
      const slot = driver.send({ retries });
      let losses = 0;
      for (; driver.scheduler.live > 0; losses++) {
        driver.down(driver.workerOf(slot)!);
        driver.pass(1_000);
        driver.upAll();
      }
      assert.equal(losses, retries + 1);
    }
  });

  it("is lost to one task at most as often as the poison limit says", () => {
    const driver = Driver.up([{ size: exactly(1) }], 1, { poisonLimit: 3 });
    const slot = driver.send({ retries: 100 });
    let losses = 0;
    for (; driver.scheduler.live > 0; losses++) {
      driver.down(driver.workerOf(slot)!);
      driver.pass(1_000);
      driver.upAll();
    }
    assert.equal(losses, 3);
  });

  it("charges none of several tasks: each goes again alone", () => {
    const driver = Driver.up([{ size: exactly(1) }], 3);
    const slots = [driver.add({ retries: 0 }), driver.add({ retries: 0 }), driver.add({ retries: 0 })];
    driver.flush();
    driver.down(1);
    assert.equal(driver.of("settle").length, 0);
    driver.pass(1_000);
    driver.upAll(3);
    assert.deepEqual(drainAlone(driver, slots), slots);
  });

  it("condemns the poison task alone, and its neighbours run", () => {
    const driver = Driver.up([{ size: exactly(2) }], 4);
    const slots = Array.from({ length: 20 }, () => driver.add({ retries: 0 }));
    const poison = slots[7]!;
    driver.flush();
    const settled = new Map<number, string>();
    for (let turn = 0; turn < 200 && driver.scheduler.live > 0; turn++) {
      const killed = driver.workerOf(poison);
      if (killed !== undefined && !settled.has(poison)) driver.down(killed);
      else {
        const slot = slots.find((one) => !settled.has(one) && driver.workerOf(one) !== undefined);
        if (slot !== undefined) {
          driver.complete(slot);
          settled.set(slot, "completed");
        }
      }
      for (const { slot, reason } of driver.of("settle")) settled.set(slot, reason);
      driver.pass(1_000);
      driver.upAll(4);
    }
    assert.equal(settled.get(poison), "lost");
    assert.equal([...settled.values()].filter((how) => how === "completed").length, 19);
  });

  it("gives back uncharged what it had not begun, where that is known", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    driver.quicken(1);
    const [begun, waiting] = [driver.add({ retries: 1 }), driver.add({ retries: 0 })];
    driver.flush();
    const ticket = driver.ticketOf(begun);
    driver.down(1, { hasBegun: (one) => one === ticket });
    assert.deepEqual(
      driver.of("retrying").map(({ slot }) => slot),
      [begun],
    );
    assert.equal(driver.scheduler.attemptOf(waiting), 0);
    driver.pass(1_000);
    driver.upAll();
    assert.equal(driver.scheduler.attemptOf(waiting), 0, "the other one goes first, and alone");
    driver.complete(begun);
    assert.equal(driver.scheduler.attemptOf(waiting), 1);
  });

  it("does not send again what must run at most once, if it may have begun", () => {
    for (const [hasBegun, ending] of [
      [true, 1],
      [undefined, 1],
      [false, 0],
    ] as const) {
      const driver = Driver.up();
      driver.send({ atMostOnce: true });
      driver.down(1, hasBegun === undefined ? {} : { hasBegun: () => hasBegun });
      assert.equal(driver.of("settle").length, ending);
    }
  });

  it("charges nobody but the task that it was killed for", () => {
    const driver = Driver.up([{}], 2, { abortGraceMs: 10 });
    const neighbour = driver.add({ retries: 0 });
    driver.add({ retries: 0, timeoutMs: 50 });
    driver.flush();
    driver.pass(60);
    assert.equal(driver.of("kill").length, 1);
    driver.down(1);
    assert.deepEqual([...driver.of("settle"), ...driver.of("retrying")], []);
    driver.upAll(2);
    assert.equal(driver.workerOf(neighbour), 2);
    assert.equal(driver.scheduler.attemptOf(neighbour), 2);
  });
});

/** Completes them one by one, seeing that never two are sent at once; answers the order. */
function drainAlone(driver: Driver, slots: readonly number[]): number[] {
  const order: number[] = [];
  while (driver.scheduler.live > 0) {
    const sent = slots.filter((slot) => !order.includes(slot) && driver.workerOf(slot) !== undefined);
    assert.equal(sent.length, 1);
    order.push(sent[0]!);
    driver.complete(sent[0]!);
  }
  return order;
}

describe("an answer", () => {
  it("counts once, whatever comes afterwards", () => {
    const driver = Driver.up();
    const slot = driver.send();
    const ticket = driver.ticketOf(slot);
    driver.complete(slot);
    assert.equal(driver.scheduler.completed(driver.now, 1, ticket, 1), -1);
    assert.equal(driver.scheduler.failed(driver.now, 1, ticket, 1, "thrown").slot, -1);
    assert.equal(driver.scheduler.deferred(driver.now, 1, ticket, undefined, 0), -1);
    assert.equal(driver.scheduler.refused(driver.now, 1, ticket, 1_000), -1);
    assert.equal(driver.scheduler.slotOf(1, ticket), -1);
    const next = driver.send();
    assert.equal(driver.workerOf(next), 1, "a late refusal makes nobody rest");
  });

  it("of a worker that is gone, or never was, is nothing", () => {
    const driver = Driver.up();
    const slot = driver.send();
    const ticket = driver.ticketOf(slot);
    assert.equal(driver.scheduler.completed(driver.now, 99, ticket, 1), -1);
    driver.down(1);
    assert.equal(driver.scheduler.completed(driver.now, 1, ticket, 1), -1);
    driver.scheduler.workerDown(driver.now, 1, { cause: undefined });
    assert.equal(driver.scheduler.live, 1);
  });
});

describe("a slot", () => {
  it("that a command settles is not given out before the command was read", () => {
    const driver = Driver.up();
    const slot = driver.send({ timeoutMs: 10 });
    driver.clock.advance(10);
    driver.scheduler.advance(driver.now);
    const commands = driver.scheduler.takeCommands();
    assert.ok(commands.some((command) => command.type === "settle" && command.slot === slot));
    assert.notEqual(driver.add(), slot);
    driver.scheduler.takeCommands();
    driver.scheduler.takeCommands();
    assert.equal(driver.add(), slot);
  });
});

describe("a pinned task", () => {
  it("goes to its worker before all others, and alone", () => {
    const driver = Driver.up([{ size: exactly(2) }], 2);
    const running = driver.send();
    const key = driver.workerOf(running)!;
    const pinned = driver.scheduler.addPinned(driver.now, key, profile({ atMostOnce: true }));
    const others = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    assert.equal(driver.workerOf(pinned), undefined, "it waits until the worker is between tasks");
    driver.complete(running);
    assert.deepEqual(driver.sent(key), [pinned]);
    driver.complete(pinned);
    assert.equal(driver.sent(key).length, 1);
    assert.equal(others.filter((slot) => driver.workerOf(slot) !== undefined).length, 3);
  });

  it("ends with its worker", () => {
    for (const isSent of [false, true]) {
      const driver = Driver.up();
      if (!isSent) driver.send();
      const pinned = driver.scheduler.addPinned(driver.now, 1, profile({ atMostOnce: true }));
      driver.flush();
      assert.equal(driver.workerOf(pinned) !== undefined, isSent);
      driver.down(1);
      assert.deepEqual(
        driver.of("settle").map(({ slot, reason }) => [slot, reason]),
        [[pinned, "lost"]],
      );
    }
  });

  it("can be cancelled before it is sent", () => {
    const driver = Driver.up();
    const running = driver.send();
    const pinned = driver.scheduler.addPinned(driver.now, 1, profile());
    const next = driver.add();
    driver.scheduler.cancel(driver.now, pinned);
    driver.complete(running);
    assert.deepEqual(driver.sent(), [next]);
  });
});

describe("closing", () => {
  it("finishes what is accepted, then stops the workers", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    const slots = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    driver.scheduler.close(driver.now);
    driver.flush();
    assert.deepEqual(driver.of("stop"), []);
    for (const slot of slots) driver.complete(slot);
    for (const key of [1, 2]) driver.down(key);
    assert.equal(driver.scheduler.live, 0);
    assert.equal(driver.scheduler.workerCount, 0);
    assert.equal(driver.scheduler.nextWakeup(), Number.POSITIVE_INFINITY);
  });

  it("ends a pause", () => {
    const driver = Driver.up();
    driver.scheduler.pause();
    const slot = driver.send();
    driver.scheduler.close(driver.now);
    driver.flush();
    assert.deepEqual(driver.sent(), [slot]);
  });

  it("settles what nobody can run: an unserved series, a fleet of none", () => {
    const driver = Driver.up([{ size: exactly(0) }]);
    const slots = [driver.add(), driver.add({ series: 3 })];
    driver.scheduler.close(driver.now);
    driver.flush();
    assert.deepEqual(
      driver.of("settle").map(({ slot, reason }) => [slot, reason]),
      slots.map((slot) => [slot, "closed"]),
    );
  });

  it("waits for what is delayed", () => {
    const driver = Driver.up();
    const slot = driver.send({ retries: 1, retryDelayMs: 500 });
    driver.fail(slot);
    driver.scheduler.close(driver.now);
    driver.flush();
    assert.deepEqual(driver.of("stop"), []);
    driver.pass(500);
    assert.deepEqual(driver.sent(), [slot]);
    driver.complete(slot);
    assert.equal(driver.of("stop").length, 1);
  });

  it("waits for hosts that may come, and no longer than its grace", () => {
    const driver = new Driver([{ roomVaries: true, size: exactly(0) }]);
    const slot = driver.send();
    driver.scheduler.close(driver.now);
    driver.pass(4_999);
    assert.deepEqual(driver.of("settle"), []);
    driver.pass(1);
    assert.deepEqual(
      driver.of("settle").map(({ slot: settled, reason }) => [settled, reason]),
      [[slot, "closed"]],
    );
  });

  it("by force settles everything at once and kills every worker", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    driver.quicken(1);
    const slots = [driver.add(), driver.add(), driver.add(), driver.add({ series: 5 })];
    slots.push(driver.scheduler.addLater(driver.now, 0, profile(), 1_000));
    slots.push(driver.scheduler.addPinned(driver.now, 1, profile()));
    driver.flush();
    driver.scheduler.terminate(driver.now);
    driver.flush();
    assert.deepEqual(
      driver
        .of("settle")
        .map(({ slot }) => slot)
        .toSorted((a, b) => a - b),
      slots.toSorted((a, b) => a - b),
    );
    assert.equal(driver.of("kill").length, 2);
    for (const key of [1, 2]) driver.down(key);
    assert.equal(driver.scheduler.workerCount, 0);
    assert.deepEqual(driver.pass(100_000), []);
  });
});
