// Strangers at the ports: they are refused, that is said, and nobody else is harmed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, type TestContext } from "node:test";
import fc from "fast-check";
import { Dealer, Request } from "zeromq";
import { type Curve, type KeyPair, makeKeyPair, type Sink, type Ventilator } from "../../src/backends/zeromq/index.ts";
import { ConfigError, ProtocolError } from "../../src/protocol/errors.ts";
import { DATA, HELLO, readFrame, writeFrame } from "../../src/protocol/session/frame.ts";
import { readJson, writeJson } from "../../src/protocol/session/json-body.ts";
import { it, rejectionOf } from "../../src/testing/stage.ts";
import { announce } from "./announce.ts";
import { collect, range, sink, until, ventilator, worker } from "./cluster.ts";

interface Stage {
  readonly source: Ventilator;
  readonly end: Sink;
  readonly requests: string;
  readonly results: string;
  /** What the ventilator and the sink said. */
  readonly warnings: string[];
  /** All still works. */
  works(): Promise<void>;
}

async function stage(t: TestContext, curve?: { readonly server: Curve; readonly client: Curve }): Promise<Stage> {
  const warnings: string[] = [];
  const onWarning = (error: ProtocolError): void => {
    assert.ok(error instanceof ProtocolError);
    warnings.push(error.message);
  };
  const place = { url: "tcp://127.0.0.1:*", bind: true, ...(curve === undefined ? {} : { curve: curve.server }) };
  const { ventilator: source, url: requests } = await ventilator(t, {
    requests: place,
    onWarning,
    maxMessageBytes: 1_000_000,
  });
  const { sink: end, url: results } = await sink(t, { results: place, onWarning, maxMessageBytes: 1_000_000 });
  const client = curve === undefined ? {} : { curve: curve.client };
  worker(t, {
    requests: { url: requests, ...client },
    results: { url: results, ...client },
    handler: (n: number) => n,
  });
  return {
    source,
    end,
    requests,
    results,
    warnings,
    works: async () => {
      await source.send(range(20));
      assert.equal((await collect(end.receive({ count: 20, timeoutMs: 10_000 }))).length, 20);
      await source.idle();
    },
  };
}

describe("CURVE", () => {
  async function keys(): Promise<{ readonly server: KeyPair; readonly client: KeyPair; readonly stranger: KeyPair }> {
    const [server, client, stranger] = await Promise.all([makeKeyPair(), makeKeyPair(), makeKeyPair()]);
    return { server, client, stranger };
  }

  it("lets in whose key is listed, and nobody else", async (t) => {
    const { server, client, stranger } = await keys();
    const serverKey = server.publicKey;
    const all = await stage(t, { server: { ...server, allow: [client.publicKey] }, client: { ...client, serverKey } });
    await all.works();
    const heard: string[] = [];
    const options = {
      results: all.results,
      handler: (n: number) => n,
      onWarning: ({ message }: Error) => void heard.push(message),
    };
    const curves: Curve[] = [
      { ...stranger, serverKey },
      { ...client, serverKey: stranger.publicKey },
    ];
    for (const curve of curves) worker(t, { ...options, requests: { url: all.requests, curve } });
    worker(t, { ...options, requests: all.requests });
    await until(
      () => all.warnings.some((one) => /its key is not listed/.test(one)),
      "the stranger's key to be refused",
    );
    await until(() => all.warnings.some((one) => /Cannot shake hands/.test(one)), "the plain client to be refused");
    await until(() => heard.some((one) => /Cannot shake hands with/.test(one)), "the refused ones to know");
    assert.equal(all.source.snapshot().workers, 1);
    await all.works();
  });

  it("keeps two ventilators of one process apart", async (t) => {
    const { server, client, stranger } = await keys();
    const serverKey = server.publicKey;
    const one = await stage(t, { server: { ...server, allow: [client.publicKey] }, client: { ...client, serverKey } });
    const two = await stage(t, {
      server: { ...server, allow: [stranger.publicKey] },
      client: { ...stranger, serverKey },
    });
    await Promise.all([one.works(), two.works()]);
  });

  it("needs keys that are keys, and never shows a secret", async () => {
    const { server } = await keys();
    const bad = { ...server, secretKey: `${server.secretKey}x`, allow: [] };
    const { Ventilator } = await import("../../src/backends/zeromq/index.ts");
    assert.throws(
      () => new Ventilator({ requests: { url: "tcp://127.0.0.1:*", bind: true, curve: bad } }),
      (error) => error instanceof ConfigError && !error.message.includes(server.secretKey),
    );
  });
});

describe("a port that anybody may reach", () => {
  it("drops what is no frame, and says so", async (t) => {
    const all = await stage(t);
    const socket = new Dealer({ linger: 0 });
    const request = new Request({ linger: 0 });
    t.after(() => [socket, request].forEach((one) => one.close()));
    for (const one of [socket, request]) {
      one.connect(all.requests);
      one.connect(all.results);
    }
    await request.send("hello");
    const samples = fc.sample(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string()), { numRuns: 100, seed: 1 });
    for (const sample of samples) await socket.send(typeof sample === "string" ? sample : Buffer.from(sample));
    for (const sample of samples)
      await socket.send([typeof sample === "string" ? sample : Buffer.from(sample), "more"]);
    await until(() => all.warnings.length > 150, "complaints");
    assert.ok(all.warnings.some((one) => /not of this protocol/.test(one)));
    assert.ok(all.warnings.some((one) => /it has 3 parts/.test(one)));
    await all.works();
  });

  it("refuses a client whose bodies mean nothing, and tells it why", async (t) => {
    const all = await stage(t);
    for (const [url, link, complaint] of [
      [all.requests, "requests", /^Cannot read REPORT: /],
      [all.results, "results", /^Cannot read RESULTS: /],
    ] as const) {
      for (const body of ["", "\xff\xff\xff\xff", "\x02\0\0\0[]", "\x09\0\0\0[1,[5,1e9"]) {
        const socket = new Dealer({ linger: 0 });
        socket.connect(url);
        const session = `${Math.random()}`.padEnd(10, "0").slice(2, 10);
        await socket.send(
          Buffer.from(writeFrame(HELLO, session, 0, 0, writeJson({ link, id: "bad", epoch: session }))),
        );
        await socket.send(Buffer.from(writeFrame(DATA, session, 1, 0, Buffer.from(body, "latin1"))));
        const types: number[] = [];
        let why = "";
        while (why === "") {
          const [bytes] = await socket.receive();
          const frame = readFrame(bytes!);
          types.push(frame.type);
          if (frame.type === 9) why = String(readJson(frame.body, "REFUSE")["why"]);
        }
        assert.match(why, complaint);
        socket.close();
      }
    }
    await until(() => all.source.snapshot().workers === 1, "only the good one");
    await all.works();
  });

  it("cuts off who announces a frame of 1 GiB", async (t) => {
    const all = await stage(t);
    for (const url of [all.requests, all.results]) await announce(url, 2n ** 30n);
    assert.ok(process.memoryUsage().rss < 2 ** 30, "nobody has made room for it");
    await all.works();
  });

  it("shuts nobody out because of one who never shakes hands, or speaks HTTP", async (t) => {
    const all = await stage(t);
    const port = Number(new URL(all.requests).port);
    const silent = connect({ host: "127.0.0.1", port });
    t.after(() => silent.destroy());
    await once(silent, "connect");
    const http = connect({ host: "127.0.0.1", port });
    t.after(() => http.destroy());
    http.on("error", () => {});
    http.resume();
    http.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".padEnd(100, "x"));
    await all.works();
  });

  it("tells a worker that is at the wrong end so, and ends it", async (t) => {
    const all = await stage(t);
    const { exit } = worker(t, { requests: all.results, results: all.requests, handler: () => 0 });
    const error = await rejectionOf(ProtocolError, exit);
    assert.match(
      error.message,
      /^Cannot join: refused with "Cannot join: this is the link "re(sults|quests)", not "re(quests|sults)""$/,
    );
    await all.works();
  });

  it("makes a failure of a request or a result that is larger than a message may be", async (t) => {
    const all = await stage(t);
    await all.source.send(["x".repeat(2_000_000), 1]);
    const got = await collect(all.end.receive({ count: 2, metadata: true }));
    const failed = got.find(({ status }) => status === "fail")!;
    assert.match(
      (failed.error as Error).message,
      /^Cannot send request 0: it takes \d+ bytes, and a message holds 1000000$/,
    );
    await all.source.idle();
  });
});
