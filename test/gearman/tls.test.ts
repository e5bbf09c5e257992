// TLS from client to terminator, in front of a real server: Debian's gearmand has none of its own.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GearmanAdmin, GearmanError } from "../../src/backends/gearman/index.ts";
import { BackendUnavailableError } from "../../src/protocol/errors.ts";
import { rejectionOf, scratch } from "../../src/testing/stage.ts";
import { openClient, openWorker, reverse } from "./parties.ts";
import { startServer } from "./server.ts";
import { certificate, startTerminator } from "./terminator.ts";

describe("TLS", { timeout: 60_000 }, () => {
  it("carries jobs, with certificates on both sides", async (t) => {
    const folder = scratch(t);
    const [server, client] = [certificate(folder, "server"), certificate(folder, "client")];
    const address = await startTerminator(t, server, client.cert);
    const tls = { ca: server.cert, key: client.key, cert: client.cert };

    const worker = await openWorker(t, address, { reverse }, { tls });
    const large = Buffer.alloc(1_000_000, "0123456789");
    assert.deepEqual(await openClient(t, address, { tls }).submit("reverse", large), Buffer.from(large.toReversed()));
    assert.match(await new GearmanAdmin(address, { tls }).version(), /^1\./);
    await worker.close();
  });

  it("lets nobody in whom it does not know, and says why", async (t) => {
    const folder = scratch(t);
    const [server, client] = [certificate(folder, "server"), certificate(folder, "client")];
    const address = await startTerminator(t, server, client.cert);
    const submit = (tls: object | true): Promise<BackendUnavailableError> =>
      rejectionOf(BackendUnavailableError, openClient(t, address, { tls, connectTimeoutMs: 300 }).submit("f", "x"));

    assert.match((await submit(true)).message, /self-signed certificate/);
    assert.match((await submit({ ca: client.cert, key: client.key, cert: client.cert })).message, /certificate/);
    const without = await submit({ ca: server.cert });
    assert.match(without.message, /Cannot (?:connect to|go on with) server/);
    const error = await rejectionOf(GearmanError, new GearmanAdmin(address, { tls: true }).version());
    assert.match(error.message, /self-signed certificate/);
  });

  it("and plain TCP do not mix", async (t) => {
    const folder = scratch(t);
    const server = certificate(folder, "server");
    const address = await startTerminator(t, server, server.cert);
    await rejectionOf(BackendUnavailableError, openClient(t, address, { connectTimeoutMs: 300 }).submit("f", "x"));
    const plain = await startServer(t);
    const client = openClient(t, plain.address, { tls: { ca: server.cert }, connectTimeoutMs: 300 });
    await rejectionOf(BackendUnavailableError, client.submit("f", "x"));
  });
});
