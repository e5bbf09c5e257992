import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { LIBRARY_VERSION } from "../../src/protocol/version.ts";

it("the library says the version of its package", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  assert.equal(LIBRARY_VERSION, version);
});
