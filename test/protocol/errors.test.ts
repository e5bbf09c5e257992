import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import vm from "node:vm";
import * as errors from "../../src/protocol/errors.ts";
import {
  ConfigError,
  type ErrorCode,
  PoolError,
  ProtocolError,
  TaskTimeoutError,
  WorkerLostError,
} from "../../src/protocol/errors.ts";

/** One of each. A code that is missing here does not compile. */
function oneOfEach(from: typeof errors): Readonly<Record<ErrorCode, PoolError>> {
  return {
    ERR_TASK_TIMEOUT: new from.TaskTimeoutError("m", { taskId: 1, timeoutMs: 2 }),
    ERR_TASK_CANCELLED: new from.TaskCancelledError("m", { taskId: 1 }, { cause: "why" }),
    ERR_UNKNOWN_TASK: new from.UnknownTaskError("m"),
    ERR_RECEIVE_TIMEOUT: new from.ReceiveTimeoutError("m"),
    ERR_WORKER_LOST: new from.WorkerLostError("m", { exitCode: 3 }),
    ERR_POOL_CLOSED: new from.PoolClosedError("m"),
    ERR_QUEUE_FULL: new from.QueueFullError("m"),
    ERR_NO_SUCH_TASK: new from.NoSuchTaskError("m"),
    ERR_NOT_SERIALIZABLE: new from.NotSerializableError("m"),
    ERR_PROTOCOL: new from.ProtocolError("m"),
    ERR_CONFIG: new from.ConfigError("m"),
    ERR_BACKEND_UNAVAILABLE: new from.BackendUnavailableError("m"),
  };
}

const classes = Object.values(oneOfEach(errors)).map((error) => error.constructor as typeof PoolError);

/** The names of the classes that the error is an instance of. */
function kindsOf(error: unknown): string[] {
  return classes.filter((type) => error instanceof type).map(({ name }) => name);
}

function areTold(all: Readonly<Record<ErrorCode, PoolError>>): void {
  for (const [code, error] of Object.entries(all)) {
    assert.deepEqual(kindsOf(error), [error.name]);
    assert.ok(error instanceof PoolError);
    assert.deepEqual([error.code, error.message], [code, "m"]);
    assert.equal(error.name, error.constructor.name);
  }
}

describe("the errors of the pool", () => {
  it("each have a code, a name, and are instances of their own class and of PoolError", () => {
    areTold(oneOfEach(errors));
  });

  it("are all told here", () => {
    assert.deepEqual(new Set<unknown>(Object.values(errors)), new Set<unknown>([PoolError, ...classes]));
  });

  it("are told across copies of the library", async () => {
    // In one process a copy is a module under another address.
    const copy = (await import(new URL("../../src/protocol/errors.ts?copy", import.meta.url).href)) as typeof errors;
    assert.notEqual(copy.ConfigError, ConfigError);
    areTold(oneOfEach(copy));
  });

  it("are told across realms, by a brand that every version of the library gives them", () => {
    const brand = `Symbol.for("manyhands.errors"), { value: ["ConfigError", "PoolError"] }`;
    const foreign: unknown = vm.runInNewContext(`Object.defineProperty(new Error("m"), ${brand})`);
    assert.ok(!(foreign instanceof Error));
    assert.ok(foreign instanceof PoolError);
    assert.deepEqual(kindsOf(foreign), ["ConfigError"]);
  });

  it("are no others: neither look-alikes nor things", () => {
    const others = [
      new Error("m"),
      Object.assign(new Error("m"), { code: "ERR_CONFIG", name: "ConfigError" }),
      null,
      undefined,
      "ConfigError",
      { [Symbol.for("manyhands.errors")]: "ConfigError" },
      {},
    ];
    for (const other of others) {
      assert.deepEqual(kindsOf(other), []);
      assert.ok(!(other instanceof PoolError));
    }
  });

  it("may be extended: then both classes hold, and only for the right ones", () => {
    class Own extends ConfigError {}
    class Deeper extends Own {}
    const own = new Own("m");
    const deeper = new Deeper("m");
    assert.ok(own instanceof Own && own instanceof ConfigError && own instanceof PoolError && own instanceof Error);
    assert.ok(deeper instanceof Deeper && deeper instanceof Own && deeper instanceof ConfigError);
    assert.ok(!(own instanceof Deeper) && !(new ConfigError("m") instanceof Own) && !(own instanceof ProtocolError));
  });

  it("keep what they are about", () => {
    const cause = new Error("why");
    assert.equal(new ConfigError("m", { cause }).cause, cause);
    assert.ok(!Object.hasOwn(new ConfigError("m"), "cause"));
    const timeout = new TaskTimeoutError("m", { taskId: "a", timeoutMs: 7 });
    assert.deepEqual([timeout.taskId, timeout.timeoutMs], ["a", 7]);
    const lost = new WorkerLostError("m", {
      taskId: 1,
      attempt: 2,
      workerId: "w",
      exitCode: 3,
      signal: "SIGKILL",
      stderr: "x",
    });
    assert.deepEqual(
      [lost.taskId, lost.attempt, lost.workerId, lost.exitCode, lost.signal, lost.outOfMemory, lost.stderr],
      [1, 2, "w", 3, "SIGKILL", false, "x"],
    );
    assert.deepEqual([new WorkerLostError("m").exitCode, new WorkerLostError("m").stderr], [undefined, ""]);
  });

  it("show their name and code, and not how they are told", () => {
    const shown = inspect(new ConfigError("m"));
    assert.match(shown, /ConfigError: m/);
    assert.match(shown, /ERR_CONFIG/);
    assert.doesNotMatch(shown, /manyhands\.errors/);
    assert.deepEqual(Object.keys(new ConfigError("m")), ["code"]);
  });
});
