// With plain ZeroMQ sockets of Python, through the devices; and with a worker in Python that was written from the protocol's page.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Publisher, Pull, Push } from "zeromq";
import { pythonWith } from "../../scripts/needs.mjs";
import { forwarder, streamer } from "../../src/backends/zeromq/index.ts";
import { ConfigError, PoolClosedError } from "../../src/protocol/errors.ts";
import { it, rejectionOf } from "../../src/testing/stage.ts";
import { anyPort, collect, fixture, launch, range, sink, start, until, ventilator } from "./cluster.ts";

const python = pythonWith("zmq") ?? "python3";

describe("a streamer", () => {
  it("passes messages from PUSH to PULL sockets of others", async (t) => {
    const device = await streamer(anyPort, anyPort);
    t.after(() => device.stop());
    const [front, back] = device.urls;
    const pull = launch(t, [python, fixture("plain.py"), "pull", back, "1000"]);
    const push = launch(t, [python, fixture("plain.py"), "push", front, "1000"]);
    assert.equal(await pull.ended, 0);
    assert.deepEqual(pull.lines, ["up", "499500"]);
    assert.equal(await push.ended, 0);
  });

  it("holds messages while it is paused", async (t) => {
    const device = await streamer(anyPort, anyPort);
    const push = new Push({ linger: 0 });
    const pull = new Pull({ linger: 0 });
    t.after(() => [push, pull].forEach((socket) => socket.close()));
    push.connect(device.urls[0]);
    pull.connect(device.urls[1]);
    await push.send("1");
    assert.equal(String((await pull.receive())[0]), "1");
    device.pause();
    await push.send("2");
    await push.send("3");
    let came = "";
    const second = pull.receive().then(([text]) => (came = String(text)));
    // Beside it, another device lets as much pass.
    const other = await streamer(anyPort, anyPort);
    t.after(() => other.stop());
    const [from, to] = [new Push({ linger: 0 }), new Pull({ linger: 0 })];
    t.after(() => [from, to].forEach((socket) => socket.close()));
    from.connect(other.urls[0]);
    to.connect(other.urls[1]);
    await from.send("beside");
    assert.equal(String((await to.receive())[0]), "beside");
    assert.equal(came, "");
    device.resume();
    await second;
    assert.equal(came, "2");
    assert.equal(String((await pull.receive())[0]), "3");
    await device.stop();
    await device.stop();
    assert.throws(() => device.pause(), PoolClosedError);
  });

  it("takes ready sockets of its types only", async (t) => {
    const publisher = new Publisher();
    t.after(() => publisher.close());
    const error = await rejectionOf(ConfigError, streamer(publisher, anyPort));
    assert.match(error.message, /^Cannot use a socket of type Publisher: this end of a streamer is a Pull$/);
    await rejectionOf(ConfigError, streamer(anyPort, "tcp://"));
    const pull = new Pull();
    await pull.bind("tcp://127.0.0.1:*");
    await (await streamer(pull, anyPort)).stop();
    assert.ok(pull.closed);
  });
});

describe("a forwarder", () => {
  it("passes on what is published to all who subscribe", async (t) => {
    const device = await forwarder(anyPort, anyPort);
    t.after(() => device.stop());
    const [front, back] = device.urls;
    const subscribers = range(2).map(() => launch(t, [python, fixture("plain.py"), "subscribe", back, "20"]));
    launch(t, [python, fixture("plain.py"), "publish", front]);
    assert.deepEqual(await Promise.all(subscribers.map(({ ended }) => ended)), [0, 0]);
    assert.deepEqual(
      subscribers.map(({ lines }) => lines),
      [
        ["up", "True"],
        ["up", "True"],
      ],
    );
  });
});

describe("a worker in Python, written from the protocol's page", () => {
  it("answers beside one in JavaScript, and what it had goes on when it is killed", async (t) => {
    const { ventilator: source, url: requests } = await ventilator(t);
    const { sink: end, url: results } = await sink(t);
    const program = launch(t, [python, fixture("worker.py"), requests, results]);
    await program.prints("up");
    await source.send(range(500));
    const got = await collect(end.receive<number>({ count: 500, metadata: true }));
    assert.deepEqual(
      got.map(({ payload }) => payload),
      range(500).map((n) => 2 * n),
    );
    assert.ok(got.every(({ metadata }) => metadata.worker === "python" && metadata.pid === program.pid));
    await source.idle();
    await source.send(range(50));
    await until(() => source.snapshot().sent > 0, "it to have some");
    program.kill();
    await start(t, "worker", { requests, results, handler: "echo" });
    assert.equal((await collect(end.receive({ count: 50 }))).length, 50);
    await source.close();
  });
});
