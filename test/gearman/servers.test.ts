import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readServers } from "../../src/backends/gearman/servers.ts";
import { ConfigError } from "../../src/protocol/errors.ts";

describe("addresses of servers", () => {
  const good: readonly (readonly [given: unknown, names: readonly string[]])[] = [
    ["localhost", ["localhost:4730"]],
    ["localhost:4731", ["localhost:4731"]],
    ["10.0.0.1", ["10.0.0.1:4730"]],
    ["[::1]", ["[::1]:4730"]],
    ["[fe80::1%eth0]:1", ["[fe80::1%eth0]:1"]],
    ["a,b:65535", ["a:4730", "b:65535"]],
    [
      ["a", "b:1"],
      ["a:4730", "b:1"],
    ],
    ["gearman://h1:4730,h2", ["h1:4730", "h2:4730"]],
    ["GEARMAN://h1/", ["h1:4730"]],
    [
      ["gearman://h1", "[::1]:2"],
      ["h1:4730", "[::1]:2"],
    ],
    [" a , b ", ["a:4730", "b:4730"]],
  ];
  for (const [given, names] of good) {
    it(`are read from ${JSON.stringify(given)}`, () => {
      assert.deepEqual(
        readServers(given).map(({ name }) => name),
        names,
      );
    });
  }

  it("have a host that a socket takes", () => {
    assert.deepEqual(readServers("[::1]:4731"), [{ host: "::1", port: 4731, name: "[::1]:4731" }]);
  });

  const bad: readonly (readonly [given: unknown, complaint: RegExp])[] = [
    ["", /server "": it is empty/],
    ["a,", /server "": it is empty/],
    ["gearman://", /it is empty/],
    [[], /the list is empty/],
    [7, /server 7: expected a text/],
    [undefined, /server undefined/],
    ["::1", /"::1": an IPv6 address stands in brackets/],
    ["a:b:c", /brackets/],
    ["a:", /"" is no port/],
    ["a:x", /"x" is no port/],
    ["a:0", /port 0 is not between/],
    ["a:65536", /port 65536/],
    ["a b", /"a b" is no host/],
    ["[x]:1", /"x" is no host/],
    ["[::1", /it is no address|brackets/],
    ["http://a", /expected gearman:\/\/, got http:\/\//],
    ["gearman://a/b", /is no host/],
    [["a", "a:4730"], /"a:4730": it is named twice/],
  ];
  for (const [given, complaint] of bad) {
    it(`that are wrong are refused: ${JSON.stringify(given)}`, () => {
      assert.throws(
        () => readServers(given),
        (error) => error instanceof ConfigError && complaint.test(error.message),
      );
    });
  }
});
