// One connection, and what servers and networks do to it.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { Connection, type ConnectionOptions } from "../../src/backends/gearman/connection.ts";
import { GearmanError } from "../../src/backends/gearman/gearman-error.ts";
import { PacketType } from "../../src/backends/gearman/packet.ts";
import { readServers } from "../../src/backends/gearman/servers.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { seed } from "../../src/testing/random.ts";
import { until } from "../../src/testing/stage.ts";
import { startProxy } from "../support/chaos-proxy.ts";
import { startFake } from "./parties.ts";
import { freePort, startServer } from "./server.ts";

/** What a connection tells, in order. */
class Log {
  readonly connection: Connection;
  readonly events: string[] = [];
  readonly causes: Error[] = [];

  constructor(t: TestContext, address: string, options?: ConnectionOptions) {
    this.connection = new Connection(
      readServers(address)[0]!,
      {
        connected: () => void this.events.push("connected"),
        packet: (type) => void this.events.push(`packet ${type}`),
        lost: (cause) => {
          this.events.push("lost");
          this.causes.push(cause);
        },
      },
      options,
    );
    t.after(() => this.connection.destroy());
  }

  async has(event: string): Promise<void> {
    await until(() => this.events.includes(event), `"${event}" among ${this.events.join(", ")}`);
  }

  async echo(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const answered = (_: number, body: Buffer): void => resolve(Buffer.from(body));
      this.connection.ask({ answered, lost: reject }, PacketType.ECHO_REQ, bytes);
    });
  }

  /** The cause of its loss, which has been told once. */
  async cause(): Promise<GearmanError> {
    await this.has("lost");
    assert.equal(this.causes.length, 1);
    const [cause] = this.causes;
    assert.ok(cause instanceof GearmanError);
    assert.equal(cause.code, "CONNECTION_LOST");
    assert.equal(cause.server, this.connection.server.name);
    return cause;
  }
}

describe("a connection", { timeout: 60_000 }, () => {
  it("is there when the server has answered", async (t) => {
    const { address } = await startServer(t);
    const log = new Log(t, address);
    assert.equal(log.connection.isConnected, false);
    await log.has("connected");
    assert.equal(log.connection.isConnected, true);
    assert.deepEqual(await log.echo(Buffer.from("a\0b")), Buffer.from("a\0b"));
  });

  it("is lost once when it is closed here, after what was sent has left", async (t) => {
    const fake = await startFake(t, () => {});
    const log = new Log(t, fake.address);
    await log.has("connected");
    log.connection.send(PacketType.CAN_DO, "a");
    log.connection.end();
    assert.equal(log.connection.isConnected, false);
    await log.has("lost");
    log.connection.destroy();
    log.connection.send(PacketType.CAN_DO, "b");
    await assert.rejects(log.echo(Buffer.from("c")), /closed here/);
    assert.deepEqual(fake.got, ["OPTION_REQ", "CAN_DO"]);
    assert.deepEqual(log.events, ["connected", "lost"]);
  });

  it("says why there is none: nobody listens", async (t) => {
    const log = new Log(t, `127.0.0.1:${await freePort()}`);
    assert.match((await log.cause()).message, /Cannot connect to server "127.0.0.1:\d+": connect ECONNREFUSED/);
    assert.deepEqual(log.events, ["lost"]);
  });

  it("says why there is none: there is no such host", async (t) => {
    const log = new Log(t, "no-such-host.invalid");
    assert.match((await log.cause()).message, /ENOTFOUND|EAI_AGAIN/);
  });

  it("says why there is none: the server never answers", async (t) => {
    const fake = await startFake(t, () => {}, { greets: false });
    const log = new Log(t, fake.address, { connectTimeoutMs: 100 });
    assert.match((await log.cause()).message, /Cannot connect to server .*: it has not answered within 100 ms/);
    assert.deepEqual(log.events, ["lost"]);
  });

  it("is lost when the server is killed, and who asked is told before", async (t) => {
    const server = await startServer(t);
    const log = new Log(t, server.address);
    await log.has("connected");
    server.freeze();
    const echo = log.echo(Buffer.from("x")).catch((cause: Error) => void log.events.push(cause.message));
    await server.kill();
    await log.cause();
    await echo;
    assert.match(log.events.join("\n"), /^connected\n(?:Cannot go on with server.*\nlost|lost\nCannot go on with.*)$/);
  });

  it("is lost when the server falls silent, within twice the heartbeat", async (t) => {
    const server = await startServer(t);
    const log = new Log(t, server.address, { heartbeatMs: 100 });
    await log.has("connected");
    server.freeze();
    t.after(() => server.thaw());
    const since = performance.now();
    assert.match((await log.cause()).message, /Cannot go on with server .*: it has not answered for \d+ ms/);
    assert.ok(performance.now() - since < 2_000);
  });

  it("is lost when the network swallows everything", async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server, 1);
    const log = new Log(t, proxy.address, { heartbeatMs: 100 });
    await log.has("connected");
    proxy.treat({ kind: "swallow" });
    assert.match((await log.cause()).message, /has not answered/);
  });

  it("is lost when the network cuts it", async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server, 1);
    const log = new Log(t, proxy.address);
    await log.has("connected");
    proxy.cut();
    assert.match((await log.cause()).message, /ECONNRESET/);
  });

  it("is lost when the server closes its half", async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server, 1);
    const log = new Log(t, proxy.address);
    await log.has("connected");
    proxy.halfClose();
    assert.match((await log.cause()).message, /the server closed the connection/);
  });

  it("stands while an idle server answers, however short the heartbeat", async (t) => {
    const fake = await startFake(t, (name, connection, body) => {
      if (name === "ECHO_REQ") connection.send("ECHO_RES", body);
    });
    const log = new Log(t, fake.address, { heartbeatMs: 20 });
    await until(() => fake.got.filter((name) => name === "ECHO_REQ").length >= 5, "five heartbeats");
    assert.deepEqual(log.events, ["connected"]);
  });

  it("asks nothing of a silent server where it is told not to", async (t) => {
    const fake = await startFake(t, () => {});
    const [never, often] = [
      new Log(t, fake.address, { heartbeatMs: 0 }),
      new Log(t, fake.address, { heartbeatMs: 20 }),
    ];
    await never.has("connected");
    await often.has("lost");
    assert.deepEqual(never.events, ["connected"]);
    assert.equal(fake.got.filter((name) => name === "ECHO_REQ").length, 1);
  });

  it("stands while this process is busy for longer than the heartbeat allows", async (t) => {
    const { address } = await startServer(t);
    const log = new Log(t, address, { heartbeatMs: 50 });
    await log.has("connected");
    for (let i = 0; i < 3; i++) {
      const busyUntil = performance.now() + 150;
      while (performance.now() < busyUntil);
      assert.deepEqual(await log.echo(Buffer.from("still here")), Buffer.from("still here"));
    }
    assert.deepEqual(log.events, ["connected"]);
  });

  it("stands while a large packet crawls in either direction", async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server, 1);
    const log = new Log(t, proxy.address, { heartbeatMs: 150 });
    await log.has("connected");
    // 8 MiB in pieces that take longer than two heartbeats altogether.
    proxy.treat({ kind: "delay", maxMs: 20 });
    const large = Buffer.alloc(8 * 2 ** 20, "crawls");
    const since = performance.now();
    assert.ok((await log.echo(large)).equals(large));
    assert.ok(performance.now() - since > 300, `${performance.now() - since} ms are no crawl`);
    assert.deepEqual(log.events, ["connected"]);
  });

  it(`carries packets whole over a network that drips (seed ${seed()})`, async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server, seed());
    proxy.treat({ kind: "drip", maxBytes: 3 });
    const log = new Log(t, proxy.address);
    await log.has("connected");
    const texts = Array.from({ length: 50 }, (_, i) => Buffer.from(`${i}`.repeat(i)));
    assert.deepEqual(await Promise.all(texts.map((text) => log.echo(text))), texts);
  });

  it("carries 256 MiB, and gives back what it was", async (t) => {
    const { address } = await startServer(t);
    const log = new Log(t, address);
    await log.has("connected");
    const large = Buffer.alloc(256 * 2 ** 20, "0123456789abcde");
    const back = await log.echo(large);
    assert.ok(back.equals(large));
    assert.equal(log.connection.unsentBytes, 0);
  });

  it("sends what is said in one turn in one piece", async (t) => {
    const pieces: number[] = [];
    const fake = await startFake(t, () => {});
    const log = new Log(t, fake.address);
    await log.has("connected");
    fake.connections[0]!.socket.on("data", (bytes: Buffer) => pieces.push(bytes.length));
    for (let i = 0; i < 1_000; i++) log.connection.send(PacketType.CAN_DO, "f");
    await until(() => fake.got.length === 1_001, "all packets");
    assert.ok(pieces.length <= 3, `${pieces.length} pieces`);
  });

  const bad: readonly (readonly [what: string, bytes: Buffer, complaint: RegExp])[] = [
    ["another protocol", Buffer.from("SSH-2.0-OpenSSH_9\r\n"), /it is none .*begin with 53 53 48/],
    ["an unknown type", Buffer.from("\0RES\0\0\0\x63\0\0\0\0", "latin1"), /there is no type 99/],
    ["a packet larger than allowed", Buffer.from("\0RES\0\0\0\x0d\x10\0\0\0", "latin1"), /announces 268435456 bytes/],
    [
      "an answer that nobody asked for",
      Buffer.from("\0RES\0\0\0\x08\0\0\0\x01H", "latin1"),
      /JOB_CREATED: nobody asked/,
    ],
  ];
  for (const [what, bytes, complaint] of bad) {
    it(`is ended by ${what}`, async (t) => {
      const fake = await startFake(t, () => {});
      const log = new Log(t, fake.address, { maxPacketBytes: 1_000_000 });
      await log.has("connected");
      fake.connections[0]!.socket.write(bytes);
      const cause = await log.cause();
      assert.match(cause.message, complaint);
      assert.ok(cause.cause instanceof ProtocolError);
    });
  }

  it("is ended by an answer to another question", async (t) => {
    const fake = await startFake(t, (name, connection) => {
      if (name === "ECHO_REQ") connection.send("NO_JOB");
    });
    const log = new Log(t, fake.address, { heartbeatMs: 20 });
    assert.match((await log.cause()).message, /NO_JOB: it is no answer to ECHO_REQ/);
  });

  it("has packets no longer than its options say, by default 1 GiB", async (t) => {
    const fake = await startFake(t, () => {});
    const log = new Log(t, fake.address);
    await log.has("connected");
    fake.connections[0]!.socket.write(Buffer.from("\0RES\0\0\0\x0d\x40\0\0\x01", "latin1"));
    assert.match((await log.cause()).message, /announces 1073741825 bytes and may have 1073741824/);
  });

  it("sends a small packet at once, though the one before is not acknowledged", async (t) => {
    const fake = await startFake(t, (name, connection, body) => {
      if (name === "ECHO_REQ") connection.send("ECHO_RES", body);
    });
    const log = new Log(t, fake.address);
    await log.has("connected");
    const times: number[] = [];
    for (let i = 0; i < 61; i++) {
      log.connection.send(PacketType.CAN_DO, "f");
      await new Promise((resolve) => setImmediate(resolve));
      const since = performance.now();
      await log.echo(Buffer.from("x"));
      times.push(performance.now() - since);
    }
    // With Nagle's algorithm most of them take 40 ms, until the acknowledgement that the other side puts off.
    const median = times.toSorted((a, b) => a - b)[30]!;
    assert.ok(median < 30, `a round trip takes ${median} ms`);
  });

  it("does not keep the process alive when it is told so", async (t) => {
    const { port } = await startServer(t);
    // A plain socket shows that the server is there for others meanwhile.
    const other = connect(port, "127.0.0.1");
    t.after(() => other.destroy());
    const log = new Log(t, `127.0.0.1:${port}`);
    await log.has("connected");
    const active = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    const before = active();
    log.connection.unref();
    assert.equal(active(), before - 1);
    log.connection.ref();
    assert.equal(active(), before);
  });
});
