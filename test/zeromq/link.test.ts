// Sockets under channels, where the package `zeromq` is not as it should be.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { describe, it } from "node:test";
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

describe("a link", () => {
  it("goes without an observer where there can be none", { timeout: 10_000 }, async () => {
    const options = { maxMessageBytes: 1_000, heartbeatMs: 1_000, leaseMs: 5_000 };
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
      await hub.unbind();
    } finally {
      client.close();
      hub.close();
    }
  });
});
