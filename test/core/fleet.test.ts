import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exactly } from "./backend-specs.ts";
import { Driver } from "./driver.ts";

const between = (min: number, max: number, idleMs = 1_000) => ({ min, max, idleMs });

/** Starts are refused until the backend is given up; answers the commands of the end. */
function failUntilGivenUp(driver: Driver, cause: unknown): void {
  for (let turn = 0; turn < 10 && driver.scheduler.backend(0).failure === undefined; turn++) {
    for (const key of driver.scheduler.workerKeys()) driver.scheduler.workerDown(driver.now, key, { cause });
    driver.flush();
    if (driver.scheduler.backend(0).failure === undefined) driver.pass(1_000);
  }
}

describe("a fleet of a fixed size", () => {
  it("starts all its workers at once", () => {
    const driver = new Driver([{ size: exactly(3) }]);
    driver.flush();
    assert.deepEqual(driver.starts(), [1, 2, 3]);
    assert.deepEqual(driver.flush(), []);
  });

  it("starts none where the size is 0", () => {
    const driver = new Driver([{ size: exactly(0) }]);
    driver.add();
    assert.deepEqual(driver.flush(), []);
  });

  it("replaces a worker that dies at work, at once", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    const slot = driver.send();
    driver.down(driver.workerOf(slot)!);
    assert.deepEqual(driver.starts(), [3]);
  });

  it("gives a worker never a key that another one had", () => {
    const driver = Driver.up();
    for (let key = 1; key < 20; key++) {
      driver.complete(driver.send());
      driver.down(key);
      driver.pass(100);
      assert.deepEqual(driver.scheduler.workerKeys(), [key + 1]);
      driver.up(key + 1);
    }
  });

  it("is asked for tasks only once its workers are up", () => {
    const driver = new Driver([{ size: exactly(1) }]);
    const slot = driver.send();
    assert.deepEqual(driver.of("send"), []);
    driver.up(1);
    driver.flush();
    assert.deepEqual(driver.sent(1), [slot]);
  });
});

describe("starts that fail", () => {
  it("are tried again, later each time and one by one", () => {
    const driver = new Driver([{ size: exactly(3) }]);
    driver.flush();
    for (const key of [1, 2, 3]) driver.scheduler.workerDown(driver.now, key, { cause: "no such file" });
    assert.deepEqual(driver.flush(), []);
    assert.deepEqual(driver.pass(90), []);
    driver.pass(10);
    assert.deepEqual(driver.starts(), [4]);
    driver.down(4);
    assert.deepEqual(driver.pass(190), []);
    driver.pass(10);
    assert.deepEqual(driver.starts(), [5]);
  });

  it("are all made up for when one comes up", () => {
    const driver = new Driver([{ size: exactly(3) }]);
    driver.flush();
    for (const key of [1, 2, 3]) driver.scheduler.workerDown(driver.now, key, { cause: undefined });
    driver.pass(100);
    driver.up(4);
    driver.flush();
    assert.deepEqual(driver.starts(), [5, 6]);
  });

  it("count once where several fail together", () => {
    const driver = new Driver([{ size: exactly(8) }]);
    driver.flush();
    for (let key = 1; key <= 8; key++) driver.scheduler.workerDown(driver.now, key, { cause: undefined });
    driver.flush();
    assert.equal(driver.scheduler.backend(0).startFailures, 1);
    assert.equal(driver.scheduler.backend(0).failure, undefined);
  });

  it("end after three in a row: the backend is given up, and says so once", () => {
    const driver = new Driver();
    driver.flush();
    const told: unknown[] = [];
    for (let key = 1; key <= 3; key++) {
      driver.scheduler.workerDown(driver.now, key, { cause: `start ${key}` });
      driver.flush();
      told.push(...driver.of("backendFailed").map(({ cause }) => cause));
      driver.pass(1_000);
    }
    assert.deepEqual(told, ["start 3"]);
    assert.deepEqual(driver.pass(1e9), []);
    assert.equal(driver.scheduler.workerCount, 0);
  });

  it("settle what only that backend could run, with the cause, also what comes back later", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    const later = driver.send({ retries: 1, retryDelayMs: 60_000 });
    driver.fail(later);
    driver.down(1);
    driver.flush();
    const waiting = driver.add();
    const cause = new Error("broken");
    failUntilGivenUp(driver, cause);
    const settled = driver.of("settle");
    assert.deepEqual(
      settled.map(({ slot, reason, cause: why }) => [slot, reason, why]),
      [[waiting, "unavailable", cause]],
    );
    driver.pass(60_000);
    assert.deepEqual(
      driver.of("settle").map(({ slot, reason }) => [slot, reason]),
      [[later, "unavailable"]],
    );
    assert.equal(driver.scheduler.live, 0);
  });

  it("leave alone what another backend can run", () => {
    const driver = new Driver([{ series: [1] }, {}]);
    driver.flush();
    const [first, second] = driver.scheduler.workerKeys() as [number, number];
    driver.up(second);
    const ordinary = driver.add();
    const special = driver.add({ series: 1 });
    driver.flush();
    driver.scheduler.workerDown(driver.now, first, { cause: "a" });
    driver.flush();
    for (let turn = 0; turn < 3; turn++) {
      driver.pass(1_000);
      for (const key of driver.starts()) driver.down(key, { cause: "a" });
    }
    assert.notEqual(driver.scheduler.failureFor(1), undefined);
    assert.equal(driver.scheduler.failureFor(0), undefined);
    assert.equal(driver.scheduler.live, 1);
    assert.equal(driver.workerOf(ordinary), second);
    assert.equal(driver.workerOf(special), undefined);
  });

  it("are forgotten when one succeeds", () => {
    const driver = new Driver();
    driver.flush();
    for (let turn = 0; turn < 6; turn++) {
      driver.down(driver.scheduler.workerKeys()[0]!);
      driver.pass(1_000);
      const [key] = driver.starts() as [number];
      driver.up(key);
      // It did something before it died.
      driver.complete(driver.send());
      driver.down(key);
    }
    assert.equal(driver.scheduler.backend(0).failure, undefined);
  });

  it("are tried anew after a resize", () => {
    const driver = new Driver();
    driver.flush();
    failUntilGivenUp(driver, "broken");
    assert.equal(driver.scheduler.workerCount, 0);
    driver.scheduler.resize(driver.now, 0, exactly(2));
    driver.flush();
    assert.equal(driver.starts().length, 2);
  });

  it("that take too long are ended, and count", () => {
    const driver = new Driver([{ startTimeoutMs: 50 }]);
    driver.flush();
    driver.pass(49);
    assert.deepEqual(driver.of("kill"), []);
    driver.pass(1);
    assert.deepEqual(driver.of("kill"), [{ type: "kill", worker: 1 }]);
    driver.down(1);
    assert.equal(driver.scheduler.backend(0).startFailures, 1);
  });

  it("that took too long give no tasks to the one that is being ended", () => {
    const driver = new Driver([{ startTimeoutMs: 50 }]);
    driver.flush();
    driver.pass(50);
    driver.add();
    driver.up(1);
    driver.flush();
    assert.deepEqual(driver.sent(), []);
  });
});

describe("workers that die with nothing to do", () => {
  it("are replaced later each time, and the backend is given up after three in a row", () => {
    const driver = Driver.up();
    driver.down(1);
    assert.deepEqual(driver.starts(), []);
    driver.pass(100);
    driver.up(driver.starts()[0]!);
    driver.down(2);
    driver.pass(200);
    driver.up(driver.starts()[0]!);
    driver.down(3, { cause: "dies" });
    assert.deepEqual(driver.of("backendFailed"), [{ type: "backendFailed", backend: 0, cause: "dies" }]);
  });

  it("are forgotten by a task that is done", () => {
    const driver = Driver.up();
    for (let turn = 0; turn < 8; turn++) {
      driver.down(driver.scheduler.workerKeys()[0]!);
      driver.pass(1_000);
      driver.up(driver.starts()[0]!);
      driver.complete(driver.send());
      driver.down(driver.scheduler.workerKeys()[0]!);
      driver.pass(1_000);
      driver.upAll();
    }
    assert.equal(driver.scheduler.backend(0).failure, undefined);
  });
});

describe("an elastic fleet", () => {
  it("starts with its least", () => {
    const driver = new Driver([{ size: between(1, 4) }]);
    driver.flush();
    assert.equal(driver.starts().length, 1);
  });

  it("grows with what waits, and not beyond its most", () => {
    const driver = new Driver([{ size: between(0, 4) }]);
    assert.deepEqual(driver.flush(), []);
    driver.add();
    driver.add();
    driver.flush();
    assert.equal(driver.starts().length, 2);
    for (let i = 0; i < 10; i++) driver.add();
    driver.flush();
    assert.equal(driver.starts().length, 2);
    assert.equal(driver.scheduler.workerCount, 4);
  });

  it("does not grow for what it does not serve, nor for what is paused", () => {
    const driver = new Driver([{ size: between(0, 4), series: [1] }]);
    driver.add({ series: 2 });
    assert.deepEqual(driver.flush(), []);
    driver.scheduler.pause();
    driver.add({ series: 1 });
    assert.deepEqual(driver.flush(), []);
    driver.scheduler.resume();
    driver.flush();
    assert.equal(driver.starts().length, 1);
  });

  it("shrinks to its least once workers have idled", () => {
    const driver = Driver.up([{ size: between(1, 3, 500) }]);
    const slots = [driver.add(), driver.add(), driver.add()];
    driver.flush();
    driver.upAll();
    for (const slot of slots) driver.complete(slot);
    assert.deepEqual(driver.pass(499), []);
    driver.pass(1);
    assert.equal(driver.of("stop").length, 2);
    assert.equal(driver.pass(10_000).filter(({ type }) => type === "stop").length, 0);
  });

  it("keeps a worker that got something to do again", () => {
    const driver = Driver.up([{ size: between(0, 1, 500) }]);
    driver.flush();
    const first = driver.send();
    driver.upAll();
    driver.complete(first);
    driver.pass(400);
    const second = driver.send();
    driver.pass(1_000);
    assert.deepEqual(driver.of("stop"), []);
    driver.complete(second);
    driver.pass(500);
    assert.equal(driver.of("stop").length, 1);
  });
});

describe("a resize", () => {
  it("upwards starts what is missing", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    driver.scheduler.resize(driver.now, 0, exactly(4));
    driver.flush();
    assert.equal(driver.starts().length, 3);
  });

  it("downwards ends those that are starting first, then those with the least to do", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    const slot = driver.send();
    driver.scheduler.resize(driver.now, 0, exactly(3));
    driver.flush();
    driver.scheduler.resize(driver.now, 0, exactly(1));
    driver.flush();
    assert.deepEqual(driver.of("kill"), [{ type: "kill", worker: 3 }]);
    assert.equal(driver.of("stop").length, 1);
    assert.notEqual(driver.of("stop")[0]!.worker, driver.workerOf(slot));
  });

  it("lets a worker finish what it has", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    const slot = driver.send();
    driver.scheduler.resize(driver.now, 0, exactly(0));
    driver.flush();
    assert.deepEqual(driver.commands, []);
    driver.complete(slot);
    assert.deepEqual(driver.of("stop"), [{ type: "stop", worker: 1 }]);
  });

  it("takes back what a worker that is to end has not begun", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    for (const key of [1, 2]) driver.quicken(key);
    const slots = Array.from({ length: 12 }, () => driver.add());
    driver.flush();
    driver.scheduler.resize(driver.now, 0, exactly(1));
    driver.flush((_, tickets) => tickets);
    const staying = driver.scheduler.workerKeys().find((key) => driver.scheduler.worker(key)!.phase === "up")!;
    assert.equal(
      slots.filter((slot) => driver.workerOf(slot) !== staying && driver.workerOf(slot) !== undefined).length,
      1,
    );
  });

  it("to nothing and back serves what waited meanwhile", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    driver.scheduler.resize(driver.now, 0, exactly(0));
    driver.flush();
    driver.down(1);
    const slot = driver.send();
    assert.deepEqual(driver.commands, []);
    driver.scheduler.resize(driver.now, 0, exactly(1));
    driver.flush();
    driver.up(driver.starts()[0]!);
    driver.flush();
    assert.deepEqual(driver.sent(), [slot]);
  });
});

describe("the end of a worker", () => {
  it("is ordered once it has answered everything, and forced after the grace", () => {
    const driver = Driver.up([{ size: exactly(1) }], 1, { graceMs: 300 });
    driver.scheduler.stopWorker(driver.now, 1);
    driver.flush();
    assert.deepEqual(driver.commands, [{ type: "stop", worker: 1 }]);
    driver.pass(299);
    assert.deepEqual(driver.commands, []);
    driver.pass(1);
    assert.deepEqual(driver.commands, [{ type: "kill", worker: 1 }]);
  });

  it("makes its backend smaller where it was stopped for good", () => {
    const driver = Driver.up([{ size: exactly(2) }]);
    driver.scheduler.stopWorker(driver.now, 1);
    driver.flush();
    driver.down(1);
    assert.deepEqual(driver.starts(), []);
    assert.deepEqual(driver.scheduler.workerKeys(), [2]);
  });

  it("brings a new one where it is recycled", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    driver.scheduler.recycle(driver.now, 1);
    driver.flush();
    assert.deepEqual(driver.of("stop"), [{ type: "stop", worker: 1 }]);
    assert.deepEqual(driver.starts(), [2]);
  });

  it("comes after so many tasks, failed ones included", () => {
    const driver = Driver.up([{ size: exactly(1), maxTasks: 3 }]);
    driver.complete(driver.send());
    driver.fail(driver.send(), "permanent");
    const third = driver.send();
    const fourth = driver.send();
    assert.deepEqual(driver.sent(), []);
    driver.complete(third);
    assert.deepEqual(driver.of("stop"), [{ type: "stop", worker: 1 }]);
    assert.deepEqual(driver.starts(), [2]);
    driver.up(2);
    driver.flush();
    assert.deepEqual(driver.sent(2), [fourth]);
  });

  it("is taken for granted where a killed one does not go", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    driver.scheduler.killWorker(driver.now, 1);
    driver.flush();
    assert.deepEqual(driver.of("kill"), [{ type: "kill", worker: 1 }]);
    driver.pass(9_999);
    assert.deepEqual(driver.of("abandon"), []);
    driver.pass(1);
    assert.deepEqual(driver.of("abandon"), [{ type: "abandon", worker: 1 }]);
  });

  it("is ordered once, however often it is asked for", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    for (let turn = 0; turn < 3; turn++) {
      driver.scheduler.stopWorker(driver.now, 1);
      driver.scheduler.killWorker(driver.now, 1);
    }
    driver.flush();
    assert.equal(driver.of("kill").length, 1);
    assert.ok(driver.of("stop").length <= 1);
  });

  it("waits for what is pinned to it", () => {
    const driver = Driver.up([{ size: exactly(1) }]);
    const running = driver.send();
    const pinned = driver.scheduler.addPinned(driver.now, 1, { ...PINNED });
    driver.scheduler.stopWorker(driver.now, 1);
    driver.flush();
    assert.deepEqual(driver.of("stop"), []);
    driver.complete(running);
    assert.deepEqual(driver.sent(1), [pinned]);
    driver.complete(pinned);
    assert.deepEqual(driver.of("stop"), [{ type: "stop", worker: 1 }]);
  });

  it("of a whole backend brings no new ones", () => {
    const driver = Driver.up([{ size: exactly(2) }, { size: exactly(1) }]);
    driver.scheduler.removeBackend(driver.now, 0);
    driver.flush();
    assert.equal(driver.of("stop").length, 2);
    for (const key of [1, 2]) driver.down(key);
    assert.deepEqual(driver.pass(100_000), []);
    assert.deepEqual(driver.scheduler.workerKeys(), [3]);
  });
});

const PINNED = {
  series: 0,
  retries: 0,
  retryDelayMs: 0,
  timeoutMs: 0,
  deadlineMs: 0,
  atMostOnce: true,
  isChunk: false,
};

describe("a backend whose room varies", () => {
  const cluster = { roomVaries: true, size: exactly(0) };

  it("keeps tasks waiting until there is room, and starts as many workers as there is", () => {
    const driver = new Driver([cluster]);
    const slot = driver.send();
    assert.deepEqual(driver.commands, []);
    driver.scheduler.grew(driver.now, 0, 2);
    driver.flush();
    assert.deepEqual(driver.starts(), [1, 2]);
    driver.upAll();
    driver.flush();
    assert.equal(driver.workerOf(slot), 1);
  });

  it("is not given up when its last worker is gone for good, and goes on where there is room again", () => {
    const driver = new Driver([cluster]);
    driver.scheduler.grew(driver.now, 0, 1);
    driver.flush();
    driver.upAll();
    const slot = driver.send();
    driver.scheduler.workerDown(driver.now, 1, { cause: "host gone", isForGood: true });
    driver.flush();
    assert.equal(driver.scheduler.backend(0).failure, undefined);
    assert.deepEqual(driver.of("settle"), []);
    assert.deepEqual(driver.starts(), []);
    driver.scheduler.grew(driver.now, 0, 1);
    driver.flush();
    driver.upAll();
    driver.flush();
    assert.equal(driver.workerOf(slot), 2);
  });

  it("replaces a worker that dies where its room is still there, while the pool closes too", () => {
    const driver = new Driver([cluster]);
    driver.scheduler.grew(driver.now, 0, 1);
    driver.flush();
    driver.upAll();
    driver.send();
    driver.scheduler.close(driver.now);
    driver.flush();
    driver.down(1);
    assert.deepEqual(driver.starts(), [2]);
    assert.deepEqual(driver.of("settle"), []);
  });

  it("fails what waits where none can be had, and takes tasks again once there is room", () => {
    const driver = new Driver([cluster]);
    const slot = driver.send();
    driver.scheduler.unavailable(0, "no server");
    driver.flush();
    assert.deepEqual(
      driver.of("settle").map(({ slot: settled, reason, cause }) => [settled, reason, cause]),
      [[slot, "unavailable", "no server"]],
    );
    driver.scheduler.grew(driver.now, 0, 1);
    driver.flush();
    driver.upAll();
    const next = driver.send();
    assert.equal(driver.workerOf(next), 1);
  });

  it("starts nothing for room that has gone again", () => {
    const driver = new Driver([cluster]);
    driver.scheduler.grew(driver.now, 0, 3);
    driver.scheduler.grew(driver.now, 0, -2);
    driver.flush();
    assert.equal(driver.scheduler.workerKeys().length, 1 + 2);
    assert.equal(driver.scheduler.backend(0).size.max, 1);
  });
});
