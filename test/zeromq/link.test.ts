// Sockets under channels, where the package `zeromq` is not as it should be.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import * as zeromq from "zeromq";
import { readPlaces } from "../../src/backends/zeromq/endpoint.ts";
import { Link, type LinkEars } from "../../src/backends/zeromq/link.ts";

/** Observers of these cannot be made, as when libzmq knows an earlier one of the same name. */
class Router extends zeromq.Router {}
class Dealer extends zeromq.Dealer {}
for (const { prototype } of [Router, Dealer]) {
  Object.defineProperty(prototype, "events", {
    get: () => {
      throw Object.assign(new Error("Address already in use"), { code: "EADDRINUSE" });
    },
  });
}
const unobserved = { ...zeromq, Router, Dealer };

class Ears extends EventEmitter implements LinkEars {
  message: LinkEars["message"] = (route, bytes) => void this.emit("message", route, Buffer.from(bytes).toString());
  up: LinkEars["up"] = (route) => void this.emit("up", route);
  down: LinkEars["down"] = (route) => void this.emit("down", route);
  garbage: LinkEars["garbage"] = (error) => assert.fail(error);
}

const FILE = join(tmpdir(), `manyhands-link-${process.pid}`);
const options = { maxMessageBytes: 1_000, heartbeatMs: 1_000, leaseMs: 5_000 };

describe("a link", () => {
  it("goes without an observer where there can be none", { timeout: 10_000 }, async () => {
    const [hubEars, clientEars] = [new Ears(), new Ears()];
    const hub = new Link(unobserved, options, hubEars);
    const client = new Link(unobserved, options, clientEars);
    try {
      const [url] = await hub.open(readPlaces("a test", { url: "tcp://127.0.0.1:*", bind: true }));
      const up = once(clientEars, "up");
      await client.open(readPlaces("a test", url));
      const [route] = await up;
      const said = once(hubEars, "message");
      client.send(route, Buffer.from("hello"), () => assert.fail("nobody is there"));
      assert.equal((await said)[1], "hello");
      await hub.close();
    } finally {
      await client.close();
      await hub.close();
    }
  });

  it("is closed while its peers go, 400 times, and the process lives on", { timeout: 100_000 }, () => {
    const program = fileURLToPath(new URL("fixtures/closes-while-peers-go.ts", import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8", timeout: 90_000 });
    assert.deepEqual([status, stdout, stderr], [0, "closed\n", ""]);
  });

  for (const place of ["tcp://127.0.0.1:*", "inproc://again", `ipc://${FILE}`]) {
    it(`that was closed leaves its place to the next: ${place.split("/")[0]}`, { timeout: 20_000 }, async () => {
      let url = place;
      for (let round = 0; round < 50; round++) {
        const hub = new Link(zeromq, options, new Ears());
        const client = new Link(zeromq, options, new Ears());
        [url = ""] = await hub.open(readPlaces("a test", { url, bind: true }));
        await client.open(readPlaces("a test", url));
        await Promise.all([hub.close(), client.close()]);
      }
    });
  }

  it("leaves no file behind, and takes none from who has bound there since", { timeout: 10_000 }, async () => {
    const place = readPlaces("a test", { url: `ipc://${FILE}`, bind: true });
    const [first, second] = [new Link(zeromq, options, new Ears()), new Link(zeromq, options, new Ears())];
    await first.open(place);
    await second.open(place);
    await first.close();
    assert.ok(existsSync(FILE));
    await second.close();
    assert.ok(!existsSync(FILE));
  });
});
