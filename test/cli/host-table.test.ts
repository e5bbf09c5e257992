import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HostReport } from "../../src/backends/cluster-control.ts";
import { hostTable } from "../../src/cli/cluster/host-table.ts";

const report: HostReport = {
  id: "one-24160",
  host: "one",
  pid: 24160,
  hands: 8,
  pools: 1,
  workers: 8,
  running: 8,
  done: 9_978,
  failed: 22,
  runMs: 921_000,
  memoryBytes: 81 * 2 ** 20,
  startedAt: 1_000_000,
  version: "0.1.0",
  state: "serving",
};

describe("the table of hosts", () => {
  it("has a line each, in the order of their ids, below the titles", () => {
    const table = hostTable([{ ...report, id: "two-7", done: 0, failed: 0 }, report], 1_068_000);
    assert.equal(
      table,
      [
        "ID         HOST  PID    STATE    HANDS  POOLS  RUNNING  DONE  FAILED  MEAN    MEMORY  UP     VERSION",
        "one-24160  one   24160  serving  8      1      8        9978  22      92.1ms  81M     1m08s  0.1.0",
        "two-7      one   24160  serving  8      1      8        0     0       –       81M     1m08s  0.1.0",
        "",
      ].join("\n"),
    );
  });

  it("is nothing without hosts", () => {
    assert.equal(hostTable([], 0), "");
  });
});
