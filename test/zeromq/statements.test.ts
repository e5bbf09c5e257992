// The capabilities of the ZeroMQ cluster, statement by statement; and the faults of the system that they come from, which are none here.
// What happens when programs are killed, stopped and started again, thousands of times, is in faults.test.ts.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  ClusterWorker,
  endpoint,
  makeKeyPair,
  ping,
  ReceiveTimeoutError,
  Sink,
  sendCommand,
  Ventilator,
} from "../../src/backends/zeromq/index.ts";
import { ConfigError, NotSerializableError, PoolClosedError, WorkerLostError } from "../../src/protocol/errors.ts";
import { it, rejectionOf, scratch } from "../../src/testing/stage.ts";
import { anyPort, collect, fixture, freeUrl, quick, range, sink, start, until, ventilator, worker } from "./cluster.ts";

describe("zmq_cluster", () => {
  it("C1 send sets up, sends keep order, results come wrapped or not, and a count ends the receive", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const requests = await freeUrl();
    worker(t, { requests, results, handler: (n: number) => 2 * n });
    const source = new Ventilator({ requests: { url: requests, bind: true }, ...quick });
    t.after(() => source.terminate());
    const counts = await Promise.all([
      source.send([0, 1, 2]),
      source.send([3, 4], { metadata: ["three", new Map([["four", 4]])] }),
      source.send(new Set([5])),
    ]);
    assert.deepEqual(counts, [3, 2, 1]);
    assert.deepEqual(await collect(end.receive({ count: 3 })), [0, 2, 4]);
    const wrapped = await collect(end.receive({ count: 2, metadata: true }));
    assert.deepEqual(
      wrapped.map(({ status, payload, requestMetadata }) => [status, payload, requestMetadata]),
      [
        ["success", 6, "three"],
        ["success", 8, new Map([["four", 4]])],
      ],
    );
    const { metadata } = wrapped[0]!;
    assert.deepEqual(
      [metadata.pid, metadata.number, metadata.attempt, metadata.ventilator],
      [process.pid, 3, 1, source.id],
    );
    assert.ok(metadata.ms >= 0 && metadata.host !== "");
    assert.deepEqual(await collect(end.receive({ count: 1 })), [10]);
    assert.deepEqual(await collect(end.receive({ count: 0 })), []);
  });

  it("C1 requests are read as they are asked for, from endless sources too, and metadata of another length is an error", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t, { readAhead: 10 });
    let read = 0;
    let isClosed = false;
    async function* endless(): AsyncGenerator<number> {
      try {
        for (;;) yield read++;
      } finally {
        isClosed = true;
      }
    }
    const stop = new AbortController();
    const sending = source.send(endless(), { signal: stop.signal });
    await until(() => read === 10, "what may be read ahead");
    worker(t, { requests, results, handler: (n: number) => n, maxUnacknowledged: 20 });
    assert.deepEqual(await collect(end.receive({ count: 100 })), range(100));
    assert.ok(read < 300, `${read} were read`);
    stop.abort(new Error("enough"));
    await assert.rejects(sending, /enough/);
    await until(() => isClosed, "the source to be closed");
    await rejectionOf(ConfigError, source.send([1, 2], { metadata: [1] }));
    const uneven = await rejectionOf(ConfigError, source.send([1, 2], { metadata: new Set([1]) }));
    assert.match(
      uneven.message,
      /^Cannot send 1 or more requests with 1 values of metadata: there has to be one for each$/,
    );
    await rejectionOf(ConfigError, source.send([1], { metadata: new Set([1, 2]) }));
  });

  it("C2 a receive timeout is per wait: 0 is at once, and the next receive goes on", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const error = await rejectionOf(ReceiveTimeoutError, collect(end.receive({ timeoutMs: 0 })));
    assert.match(error.message, /^Cannot receive result: none came within 0 ms$/);
    await rejectionOf(ReceiveTimeoutError, collect(end.receive({ timeoutMs: 30 })));
    worker(t, { requests, results, handler: (ms: number) => delay(ms, ms) });
    await source.send([700, 700, 700]);
    // Together they take longer than the timeout; each wait does not.
    assert.deepEqual(await collect(end.receive({ count: 2, timeoutMs: 1_390 })), [700, 700]);
    assert.deepEqual(await collect(end.receive({ count: 1 })), [700]);
  });

  it("C2 a worker without requests ends with ReceiveTimeoutError", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const { exit } = worker(t, { requests, results, timeoutMs: 1_000, handler: (ms: number) => delay(ms, ms) });
    await source.send([1_100, 1]);
    assert.deepEqual(await collect(end.receive({ count: 2 })), [1_100, 1]);
    const error = await rejectionOf(ReceiveTimeoutError, exit);
    assert.match(error.message, /no request for 1000 ms/);
    const program = await start(t, "worker", { requests, results, handler: "echo", timeoutMs: 50, id: "idle" });
    assert.equal(await program.ended, 3);
    assert.deepEqual(program.lines, ["up", 'ReceiveTimeoutError: Cannot go on as worker "idle": no request for 50 ms']);
  });

  it("C3 a handler that throws, a request that cannot be read and a result that has no copy are failures, and the worker goes on", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    worker(t, {
      requests,
      results,
      handler: (what: unknown) => {
        if (what === "throw") throw Object.assign(new RangeError("too far", { cause: new Error("why") }), { by: 3 });
        if (what === "reject") return Promise.reject(new TypeError("no"));
        if (what === "copyless") return () => {};
        return what;
      },
    });
    await source.send(["throw", 1, "reject", "copyless", () => {}, 2], { metadata: range(6) });
    const got = await collect(end.receive({ count: 6, metadata: true }));
    assert.deepEqual(
      got
        .map(({ status, payload, requestMetadata }) => [status, payload, requestMetadata])
        .toSorted((a, b) => Number(a[2]) - Number(b[2])),
      [
        ["fail", undefined, 0],
        ["success", 1, 1],
        ["fail", undefined, 2],
        ["fail", undefined, 3],
        ["fail", undefined, 4],
        ["success", 2, 5],
      ],
    );
    const byNumber = new Map(got.map((result) => [result.metadata.number, result.error]));
    const thrown = byNumber.get(0) as RangeError & { by: number; host: string; pid: number };
    assert.ok(thrown instanceof RangeError);
    assert.deepEqual(
      [thrown.message, thrown.by, (thrown.cause as Error).message, thrown.pid],
      ["too far", 3, "why", process.pid],
    );
    assert.match(thrown.stack ?? "", /statements\.test/);
    assert.ok(byNumber.get(2) instanceof TypeError);
    assert.ok(byNumber.get(3) instanceof NotSerializableError);
    assert.match((byNumber.get(4) as Error).message, /^Cannot send request 4: .*could not be cloned/);
  });

  it("C3 unwrapped, a failure is thrown, and the next receive goes on after it", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    worker(t, {
      requests,
      results,
      handler: (n: number) => {
        if (n === 1) throw new RangeError("one");
        return n;
      },
    });
    await source.send([0, 1, 2]);
    const got: number[] = [];
    const error = await rejectionOf(
      RangeError,
      (async () => {
        for await (const n of end.receive<number>()) got.push(n);
      })(),
    );
    assert.equal(error.message, "one");
    assert.deepEqual([...got, ...(await collect(end.receive({ count: 1 })))], [0, 2]);
    await source.idle();
  });

  for (const transport of ["tcp", "ipc", "inproc"]) {
    for (const [requestsBy, resultsBy] of [
      ["ventilator", "sink"],
      ["worker", "worker"],
      ["worker", "sink"],
      ["ventilator", "worker"],
    ] as const) {
      it(`C4 over ${transport} the ${requestsBy} may bind for requests and the ${resultsBy} for results, in any order`, async (t) => {
        const name = (what: string): Promise<string> | string =>
          transport === "tcp"
            ? freeUrl()
            : transport === "ipc"
              ? `ipc://${join(scratch(t), what)}`
              : `inproc://${what}-${requestsBy}-${resultsBy}`;
        const [requests, results] = [await name("requests"), await name("results")];
        const source = new Ventilator({ requests: { url: requests, bind: requestsBy === "ventilator" }, ...quick });
        const end = new Sink({ results: { url: results, bind: resultsBy === "sink" }, ...quick });
        t.after(() => Promise.all([source.terminate(), end.close()]));
        // The worker first: nobody is there yet.
        worker(t, {
          requests: { url: requests, bind: requestsBy === "worker" },
          results: { url: results, bind: resultsBy === "worker" },
          handler: (n: number) => n + 1,
        });
        await source.send(range(50));
        assert.deepEqual(await collect(end.receive({ count: 50 })), range(51).slice(1));
        await source.close();
      });
    }
  }

  it("C4 a ready socket of the right type does as well, and another is refused", async (t) => {
    const zeromq = await import("zeromq");
    const router = new zeromq.Router();
    await router.bind("tcp://127.0.0.1:*");
    const dealer = new zeromq.Dealer();
    dealer.connect(router.lastEndpoint!);
    // How long their maker would have waited is nothing to who reads them from now on.
    for (const one of [router, dealer]) one.receiveTimeout = 0;
    const { sink: end, url: results } = await sink(t);
    const source = new Ventilator({ requests: router, ...quick });
    t.after(() => source.terminate());
    worker(t, { requests: dealer, results, handler: (n: number) => n });
    await source.send([1, 2]);
    assert.deepEqual(await collect(end.receive({ count: 2 })), [1, 2]);
    const push = new zeromq.Push();
    t.after(() => push.close());
    const wrong = new Ventilator({ requests: push });
    const error = await rejectionOf(ConfigError, wrong.open());
    assert.match(
      error.message,
      /^Cannot use a socket of type Push: a channel takes a Router where it is bound, a Dealer where it is connected$/,
    );
  });

  it("C5 what a worker held that is killed goes to others, and comes once", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const doomed = await start(t, "worker", { requests, results, handler: "sleep" });
    await source.send([{ ms: 60_000 }, ...range(9).map(() => ({ ms: 1 }))]);
    await until(() => source.snapshot().sent > 0, "the doomed one to have a request");
    doomed.kill();
    const other = await start(t, "worker", { requests, results, handler: "pid" });
    const got = await collect(end.receive({ count: 10, metadata: true }));
    assert.deepEqual(
      got.map(({ metadata }) => metadata.number).toSorted((a, b) => a - b),
      range(10),
    );
    assert.ok(got.every(({ metadata }) => metadata.pid === other.pid));
    assert.equal(got.find(({ metadata }) => metadata.number === 0)!.metadata.attempt, 2);
    await source.idle();
    assert.deepEqual(source.snapshot(), { ...source.snapshot(), queued: 0, sent: 0, done: 10 });
  });

  it("C5 a request leaves the ventilator only when the sink's reader has its result; a sink that starts again gets the rest", async (t) => {
    const results = await freeUrl();
    const place = { url: results, bind: true };
    const first = new Sink({ results: place, ...quick });
    const { ventilator: source, url: requests } = await ventilator(t);
    worker(t, { requests, results, handler: (n: number) => n });
    const waiting = first.receive<number>();
    await source.send(range(100));
    for (const n of range(40)) assert.equal((await waiting.next()).value, n);
    // The fortieth is not finished with.
    await until(() => source.snapshot().done === 39, "39 to be done");
    assert.equal(source.snapshot().sent, 61);
    await waiting.return?.();
    await first.close();
    assert.equal(source.snapshot().queued + source.snapshot().sent, 60);
    const { sink: second } = await sink(t, { results: place });
    assert.deepEqual(await collect(second.receive({ count: 60 })), range(100).slice(40));
    await source.close();
  });

  it("C5 a late sink and a late worker lose nothing", async (t) => {
    const { ventilator: source, url: requests } = await ventilator(t);
    const results = await freeUrl();
    await source.send(range(10));
    worker(t, { requests, results, handler: (n: number) => n });
    await until(() => source.snapshot().sent > 0, "the worker to have begun");
    const { sink: end } = await sink(t, { results: { url: results, bind: true } });
    assert.deepEqual(await collect(end.receive({ count: 10 })), range(10));
    await source.close();
  });

  it("C5 a request that kills its workers fails alone, with WorkerLostError", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t, { poisonLimit: 2 });
    let isOver = false;
    const keepUp = async (): Promise<void> => {
      while (!isOver) await (await start(t, "worker", { requests, results, handler: "fatal" })).ended;
    };
    // One that has just been started when all is done is killed with the test, before it says that it is up.
    for (const keeper of [keepUp(), keepUp()]) {
      keeper.catch((error: unknown) => {
        if (!isOver) throw error;
      });
    }
    t.after(() => (isOver = true));
    await source.send(range(30).map((n) => (n === 7 ? { kill: true } : { n })));
    const got = await collect(end.receive({ count: 30, metadata: true }));
    const failed = got.filter(({ status }) => status === "fail");
    assert.deepEqual(
      failed.map(({ metadata }) => metadata.number),
      [7],
    );
    assert.ok(failed[0]!.error instanceof WorkerLostError);
    assert.match(
      (failed[0]!.error as Error).message,
      /^Cannot run request 7 of ".*": 2 workers were lost that had nothing else$/,
    );
    isOver = true;
    await source.idle();
  });

  it("C6 work goes to who is free: a worker of 50 ms takes few of 400, one of 1 ms the rest", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const slow = await start(t, "worker", { requests, results, handler: "slow", ms: 50 });
    const fast = await start(t, "worker", { requests, results, handler: "slow", ms: 1 });
    await until(() => source.snapshot().workers === 2, "both workers");
    const startedAt = performance.now();
    await source.send(range(400));
    const got = await collect(end.receive<[number, number]>({ count: 400 }));
    const ms = performance.now() - startedAt;
    const shares = [slow, fast].map(({ pid }) => got.filter(([by]) => by === pid).length);
    t.diagnostic(`${shares.join(" and ")} of 400, in ${Math.round(ms)} ms`);
    // Dealt out in turn, each would have 200, and all would take ten seconds.
    assert.ok(shares[0]! <= 2 + ms / 50, `${shares[0]} in ${ms} ms`);
    assert.ok(shares[1]! > 300);
  });

  it("C6 who joins late gets a share at once", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const first = await start(t, "worker", { requests, results, handler: "slow", ms: 20 });
    await source.send(range(60));
    const reading = end.receive<[number, number]>();
    for (const _ of range(5)) await reading.next();
    const late = await start(t, "worker", { requests, results, handler: "slow", ms: 20 });
    const counts = new Map([
      [first.pid, 5],
      [late.pid, 0],
    ]);
    for (const _ of range(55)) {
      const { value } = await reading.next();
      counts.set(value[0], counts.get(value[0])! + 1);
    }
    assert.ok(counts.get(late.pid)! > 5, `the late one had ${counts.get(late.pid)}`);
    await reading.return?.();
    await source.idle();
  });

  it("C7 a worker that is stopped is noticed and its work done elsewhere; when it goes on, it is back", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const stopped = await start(t, "worker", { requests, results, handler: "slow", ms: 50 });
    await source.send(range(3));
    await until(() => source.snapshot().sent > 0, "a request to be under way");
    stopped.kill("SIGSTOP");
    const other = await start(t, "worker", { requests, results, handler: "pid" });
    const got = await collect(end.receive({ count: 3, metadata: true }));
    assert.ok(got.every(({ metadata }) => metadata.pid === other.pid));
    await until(() => source.snapshot().workers === 1, "the stopped one to be lost");
    stopped.kill("SIGCONT");
    await until(() => source.snapshot().workers === 2, "it to be back");
    await source.idle();
  });

  it("C7 a worker whose handler keeps the thread busy is not taken for dead", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    await start(t, "worker", { requests, results, handler: "spin" });
    await source.send([{ ms: 5 * quick.leaseMs }]);
    const [got] = await collect(end.receive({ count: 1, metadata: true }));
    assert.equal(got!.metadata.attempt, 1);
    await source.idle();
    assert.equal(source.snapshot().requeued, 0);
  });

  it("C7 a worker finds a ventilator that starts again, and what was not acknowledged is sent again", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const requests = await freeUrl();
    const options = { requests: { url: requests, bind: true }, id: "same", count: 300, ...quick };
    const program = await start(t, "worker", { requests, results, handler: "slow", ms: 2 });
    const first = await start(t, "ventilator", options);
    const reading = end.receive({ metadata: true });
    const numbers: number[] = [];
    for (const _ of range(50)) numbers.push((await reading.next()).value.metadata.number);
    first.kill();
    await first.ended;
    const second = await start(t, "ventilator", options);
    while (numbers.length < 300) numbers.push((await reading.next()).value.metadata.number);
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      range(300),
    );
    await reading.return?.();
    assert.equal(await second.ended, 0);
    assert.deepEqual(second.lines, ["up", "done"]);
    assert.equal(program.lines.length, 1);
  });

  it("C8 off loopback nothing binds without CURVE, unless it is insecure on purpose", async () => {
    for (const url of [
      "tcp://*:5555",
      "tcp://0.0.0.0:5555",
      "tcp://192.168.1.2:5555",
      "tcp://[::]:5555",
      "tcp://eth0:5555",
      "tcp://127.example.com:1",
    ]) {
      assert.throws(() => endpoint({ url, bind: true }), /^ConfigError: Cannot bind ".*" without CURVE/);
      assert.equal(endpoint({ url, bind: true, insecure: true }).insecure, true);
      assert.equal(endpoint({ url }).bind, false);
    }
    for (const url of ["tcp://127.0.0.1:5555", "tcp://localhost:*", "tcp://[::1]:5555", "ipc:///tmp/x", "inproc://x"]) {
      assert.equal(endpoint({ url, bind: true }).url, url);
    }
    const keys = await makeKeyPair();
    assert.equal(endpoint({ url: "tcp://*:5555", bind: true, curve: { ...keys, allow: [] } }).bind, true);
    assert.throws(() => endpoint({ url: "tcp://*:5555", bind: true, curve: keys }), /"curve.allow" has to list/);
    assert.throws(() => endpoint({ url: "tcp://h:5555", curve: keys }), /"curve.serverKey" is missing/);
  });

  it("C9 ventilators share workers, and results never mix", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const sources = await Promise.all(["a", "b", "c"].map((id) => ventilator(t, { id })));
    for (const _ of range(2))
      worker(t, { requests: sources.map(({ url }) => url), results, handler: (text: string) => `${text}!` });
    await Promise.all(sources.map(({ ventilator: source }) => source.send(range(200).map((n) => `${source.id}${n}`))));
    const got = await collect(end.receive<string>({ count: 600, metadata: true }));
    for (const { payload, metadata } of got) assert.equal(payload, `${metadata.ventilator}${metadata.number}!`);
    assert.equal(new Set(got.map(({ metadata }) => metadata.id)).size, 600);
    await Promise.all(sources.map(({ ventilator: source }) => source.close()));
  });

  it("C9 a worker that binds is shared by ventilators that connect", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const requests = await freeUrl();
    worker(t, { requests: { url: requests, bind: true }, results, handler: (n: number) => n });
    const sources = await Promise.all(["a", "b"].map((id) => ventilator(t, { id, requests })));
    await Promise.all(sources.map(({ ventilator: source }) => source.send(range(100))));
    const got = await collect(end.receive({ count: 200, metadata: true }));
    assert.equal(new Set(got.map(({ metadata }) => metadata.id)).size, 200);
    await Promise.all(sources.map(({ ventilator: source }) => source.close()));
  });
});

describe("commands", () => {
  it("are obeyed by all who are expected, however late they join, and counted", async (t) => {
    const { ventilator: source, url: requests } = await ventilator(t);
    const { sink: end, url: results } = await sink(t);
    const commands = await freeUrl();
    const obeyed = sendCommand({ url: commands, bind: true }, "kill", { expect: 3, timeoutMs: 20_000 });
    const programs = await Promise.all(
      range(3).map(() => start(t, "worker", { requests, results, commands, handler: "echo" })),
    );
    assert.equal(await obeyed, 3);
    assert.deepEqual(await Promise.all(programs.map(({ ended }) => ended)), [0, 0, 0]);
    assert.deepEqual(
      programs.map(({ lines }) => lines.at(-1)),
      ["kill", "kill", "kill"],
    );
    void source;
    void end;
  });

  it("restart, kill with an error, ping and commands of one's own reach a worker that binds", async (t) => {
    const { ventilator: source, url: requests } = await ventilator(t);
    const { sink: end, url: results } = await sink(t);
    const commands = await freeUrl();
    const options = { requests, results, commands: { url: commands, bind: true }, handler: "echo", id: "w" };
    const program = await start(t, "worker", options);
    await source.send(range(5));
    await collect(end.receive({ count: 5 }));
    const [reply] = await ping(commands);
    const { host, startedAt, busyMs, ...rest } = reply!;
    assert.deepEqual(rest, { role: "worker", id: "w", pid: program.pid, requests: 5 });
    assert.ok(host !== "" && Date.parse(startedAt) <= Date.now() && busyMs >= 0);
    const answers: unknown[] = [];
    const onAnswer = ({ from, value, error }: { from: string; value: unknown; error?: unknown }): number =>
      answers.push([from, value, (error as Error | undefined)?.message]);
    assert.equal(await sendCommand(commands, "add", { data: [1, 2, 3], onAnswer }), 1);
    assert.equal(await sendCommand(commands, "subtract", { onAnswer }), 0);
    assert.deepEqual(answers, [
      ["w", 6, undefined],
      ["w", undefined, "no subtract here"],
    ]);
    assert.equal(await sendCommand(commands, "restart"), 1);
    assert.equal(await program.ended, 75);
    const again = await start(t, "worker", options);
    assert.equal(await sendCommand(commands, "kill", { data: "disk full" }), 1);
    assert.equal(await again.ended, 1);
  });

  it("that nobody obeys in time resolve to how many did", async () => {
    assert.equal(await sendCommand(await freeUrl(), "ping", { timeoutMs: 100 }), 0);
    assert.equal(await sendCommand(anyPort, "ping", { timeoutMs: 0 }), 0);
  });

  it("that cannot be sent are refused", async () => {
    await rejectionOf(NotSerializableError, sendCommand("tcp://127.0.0.1:1", "add", { data: () => {} }));
    await rejectionOf(ConfigError, sendCommand("tcp://127.0.0.1:1", ""));
  });

  it("a kill ends a receive cleanly, and the next one goes on where it stopped", async (t) => {
    const commands = await freeUrl();
    const { sink: end, url: results } = await sink(t, { commands: { url: commands, bind: true } });
    const { ventilator: source, url: requests } = await ventilator(t);
    worker(t, { requests, results, handler: (n: number) => n });
    await source.send([1]);
    const got = collect(end.receive());
    await until(() => source.snapshot().done === 1, "the reader to wait again");
    assert.equal(await sendCommand(commands, "kill"), 1);
    assert.deepEqual(await got, [1]);
    await source.send([2]);
    assert.deepEqual(await collect(end.receive({ count: 1 })), [2]);
    assert.equal((await ping(commands))[0]!.role, "sink");
    assert.equal(await sendCommand(commands, "restart"), 0);
  });

  it("a worker that is killed finishes what it runs and gives back what waits", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const commands = await freeUrl();
    const log = join(scratch(t), "log");
    const first = await start(t, "worker", {
      requests,
      results,
      commands: { url: commands, bind: true },
      handler: "slow",
      ms: 300,
      log,
    });
    await source.send(range(3));
    await until(
      () => source.snapshot().sent > 0 && readFileSync(log, { encoding: "utf8", flag: "a+" }) !== "",
      "it to have begun",
    );
    assert.equal(await sendCommand(commands, "kill"), 1);
    const second = await start(t, "worker", { requests, results, handler: "pid", log });
    const got = await collect(end.receive({ count: 3, metadata: true }));
    assert.equal(await first.ended, 0);
    const by = new Map(got.map(({ metadata }) => [metadata.number, [metadata.pid, metadata.attempt]]));
    assert.deepEqual(
      [by.get(0), by.get(1), by.get(2)],
      [
        [first.pid, 1],
        [second.pid, 1],
        [second.pid, 1],
      ],
    );
  });
});

describe("the faults of zmq_cluster", () => {
  it("F1 what a dead worker had fetched is done by others, and no busy worker is fed", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    const log = join(scratch(t), "log");
    const dead = await start(t, "worker", { requests, results, handler: "sleep", log });
    await source.send([{ ms: 60_000 }, ...range(20).map(() => ({ ms: 1 }))]);
    await until(() => readFileSync(log, { encoding: "utf8", flag: "a+" }) !== "", "it to be busy");
    // It has the one that it runs, and no other.
    assert.equal(source.snapshot().sent, 1);
    dead.kill();
    await start(t, "worker", { requests, results, handler: "echo" });
    assert.equal((await collect(end.receive({ count: 21 }))).length, 21);
  });

  it("F2 no delay is anywhere in the product: no sleep, and commands are acknowledged", () => {
    const root = fileURLToPath(new URL("../../src/", import.meta.url));
    const inFolder = (folder: string): string[] =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
    const shared = inFolder("backends").filter((name) =>
      /^backends\/(cluster|control|hand|hands|remote|wire)[^/]*$/.test(name),
    );
    const files = [
      ...inFolder("backends/zeromq"),
      ...shared,
      ...inFolder("protocol/session"),
      ...inFolder("cli/cluster"),
    ];
    const sources = files.filter((name) => name.endsWith(".ts"));
    assert.ok(shared.length >= 6 && sources.length > 40, `${sources.length} files`);
    for (const file of sources) {
      const source = readFileSync(join(root, file), "utf8").replaceAll(/\/\/.*|\/\*[^]*?\*\//g, "");
      assert.doesNotMatch(source, /timers\/promises|\bsleep\(|setInterval/, file);
      if (/^protocol|\broles\b/.test(file)) {
        assert.doesNotMatch(
          source,
          /setTimeout|performance\.|Date\.|Math\.random|await |Promise/,
          `${file} is a pure machine`,
        );
      }
    }
  });

  it("F3 a first send is as quick as a later one", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    worker(t, { requests, results, handler: (n: number) => n });
    const times: number[] = [];
    for (const n of range(5)) {
      const startedAt = performance.now();
      await source.send([n]);
      await collect(end.receive({ count: 1 }));
      times.push(performance.now() - startedAt);
    }
    assert.ok(Math.max(...times) < 1_000, times.join(" "));
  });

  it("F4 a dead sink hangs nobody: the ventilator can be ended, and says what was dropped", async (t) => {
    const { ventilator: source, url: requests } = await ventilator(t);
    const results = await freeUrl();
    const dead = await start(t, "sink", {
      results: { url: results, bind: true },
      file: join(scratch(t), "file"),
      ...quick,
    });
    const { worker: one } = worker(t, { requests, results, handler: (n: number) => n, graceMs: 50 });
    dead.kill();
    await dead.ended;
    await source.send(range(100));
    await assert.rejects(source.idle({ signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
    const closing = source.close();
    assert.equal(await source.terminate(), 100);
    await closing;
    await one.close();
  });

  it("F5 nothing that comes off the wire is evaluated: prototypes stay what they are", async (t) => {
    const { sink: end, url: results } = await sink(t);
    const { ventilator: source, url: requests } = await ventilator(t);
    worker(t, { requests, results, handler: (value: unknown) => value });
    const hostile = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}');
    await source.send([hostile]);
    const [got] = await collect(end.receive<Record<string, unknown>>({ count: 1 }));
    assert.deepEqual(Object.keys(got!), ["__proto__", "constructor"]);
    assert.equal(({} as Record<string, unknown>)["isAdmin"], undefined);
    assert.equal(got!["isAdmin"], undefined);
  });

  it("F6 roles leave nothing, may be closed twice and before they opened, and say so when used afterwards", async () => {
    // By itself, so that what is left would keep it alive.
    const { status, stdout, stderr } = spawnSync(process.execPath, [fixture("opens-and-closes.ts")], {
      encoding: "utf8",
      timeout: 20_000,
    });
    assert.deepEqual([status, stdout, stderr], [0, "closed\n", ""]);
    const source = new Ventilator({ requests: anyPort });
    await source.close();
    await source.close();
    await rejectionOf(PoolClosedError, source.send([1]));
    const end = new Sink({ results: anyPort });
    await end.close();
    await end.close();
    await rejectionOf(PoolClosedError, collect(end.receive()));
    const one = new ClusterWorker({ requests: "tcp://127.0.0.1:1", results: "tcp://127.0.0.1:1", handler: () => 1 });
    await one.close();
    await rejectionOf(PoolClosedError, one.run());
  });

  it("F6 roles are closed when any call to close them resolves", async () => {
    const place = { url: await freeUrl(), bind: true };
    for (const make of [() => new Ventilator({ requests: place }), () => new Sink({ results: place })]) {
      for (let round = 0; round < 10; round++) {
        const role = make();
        await role.open();
        const first = role.close();
        await role.close();
        // Who binds there finds it free.
        const next = make();
        await next.open();
        await Promise.all([first, next.close()]);
      }
    }
  });
});
