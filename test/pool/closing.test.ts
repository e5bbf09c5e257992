import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

describe("close", () => {
  it("keeps its process until the backends are gone, whatever they wait for", async () => {
    const file = fileURLToPath(new URL("../fixtures/closes-slowly.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, file]);
    assert.equal(stdout, "closed\n");
  });
});
