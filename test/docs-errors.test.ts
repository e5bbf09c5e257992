// Every error has a section in docs/reference/errors.md, under its code: what it means, its cause, what to do.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as api from "../src/index.ts";

const page = readFileSync(new URL("../docs/reference/errors.md", import.meta.url), "utf8");

/** Complete, for it would not compile otherwise. */
const CLASSES: Record<api.ErrorCode, string> = {
  ERR_CONFIG: "ConfigError",
  ERR_BACKEND_UNAVAILABLE: "BackendUnavailableError",
  ERR_UNKNOWN_TASK: "UnknownTaskError",
  ERR_NOT_SERIALIZABLE: "NotSerializableError",
  ERR_TASK_TIMEOUT: "TaskTimeoutError",
  ERR_TASK_CANCELLED: "TaskCancelledError",
  ERR_WORKER_LOST: "WorkerLostError",
  ERR_POOL_CLOSED: "PoolClosedError",
  ERR_QUEUE_FULL: "QueueFullError",
  ERR_NO_SUCH_TASK: "NoSuchTaskError",
  ERR_RECEIVE_TIMEOUT: "ReceiveTimeoutError",
  ERR_PROTOCOL: "ProtocolError",
};

describe("docs/reference/errors.md", () => {
  const sections = new Map(
    page
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split("\n")[0] ?? "", section]),
  );

  it("has a section for each code, and for no other", () => {
    assert.deepEqual([...sections.keys()], ["`PoolError`", ...Object.keys(CLASSES)]);
  });

  for (const [code, name] of Object.entries(CLASSES)) {
    it(`tells of ${name} under ${code}`, () => {
      const section = sections.get(code) ?? "";
      assert.ok(section.includes(`\n\`${name}\``), "its class");
      for (const part of ["**Means:**", "**Cause:**", "**What to do:**"]) assert.ok(section.includes(part), part);
    });
  }

  it("leaves no exported class out", () => {
    const exported = Object.keys(api).filter((name) => name.endsWith("Error"));
    assert.deepEqual(exported.toSorted(), [...Object.values(CLASSES), "PoolError"].toSorted());
  });

  it("names what each error has besides", () => {
    const errors = [
      new api.TaskTimeoutError("", { taskId: 1, timeoutMs: 1 }),
      new api.TaskCancelledError("", { taskId: 1 }),
      new api.WorkerLostError(""),
    ];
    for (const error of errors) {
      const section = sections.get(error.code) ?? "";
      const own = Object.keys(error).filter((key) => key !== "code");
      assert.deepEqual(
        own.filter((key) => !section.includes(`\`${key}\``)),
        [],
        error.name,
      );
    }
  });
});
