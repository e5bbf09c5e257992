// Background jobs in gearmand's durable queue, which outlive the server.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { scratch, until } from "../../src/testing/stage.ts";
import { openClient, openWorker } from "./parties.ts";
import { startServer } from "./server.ts";

describe("background jobs in a durable queue (C9)", { timeout: 60_000 }, () => {
  it("are all run after the server was killed and started again, those that ran at the time too", async (t) => {
    const database = join(scratch(t), "queue.db");
    const server = await startServer(t, { args: ["--queue-type", "libsqlite3", "--libsqlite3-db", database] });
    const client = openClient(t, server.address, { heartbeatMs: 100 });
    const names = Array.from({ length: 20 }, (_, n) => `job ${n}`);
    await Promise.all(names.map((name) => client.background("keep", name)));
    const stuck: string[] = [];
    const first = await openWorker(t, server.address, {
      keep: (payload) => {
        stuck.push(payload.toString());
        return new Promise(() => {});
      },
    });
    await until(() => stuck.length === 1, "a job to run");

    await server.kill();
    await first.terminate();
    await server.start();

    const done: string[] = [];
    await openWorker(t, server.address, { keep: (payload) => void done.push(payload.toString()) });
    await until(() => done.length === names.length, "all jobs to be done");
    assert.deepEqual(done.toSorted(), names.toSorted());
  });

  it("are gone with a server that keeps them in its memory", async (t) => {
    const server = await startServer(t);
    const client = openClient(t, server.address, { heartbeatMs: 100 });
    const { unique } = await client.background("keep", "x");
    assert.equal((await client.status({ unique })).isKnown, true);
    await server.restart();
    assert.equal((await client.status({ unique })).isKnown, false);
  });
});
