// A stranger that speaks ZeroMQ's own protocol by hand, and announces more than it may send.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { until } from "../../src/testing/stage.ts";

/** Greets a ROUTER, announces a frame of so many bytes, sends a few of them, and resolves when it was cut off because of that. */
export async function announce(url: string, bytes: bigint): Promise<void> {
  // Who announces little is cut off when it has been silent for long; who announces much has to be so before.
  const modest = await open(url, 100_000n);
  try {
    await until(() => modest.bytesRead > 64, "hands to be shaken");
    const greedy = await open(url, bytes);
    await until(() => greedy.closed, "it to be cut off");
    assert.ok(!modest.closed, "it was cut off for its size, not for its silence");
  } finally {
    modest.destroy();
  }
}

async function open(url: string, bytes: bigint): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  const header = Buffer.alloc(9);
  header[0] = 2;
  header.writeBigUInt64BE(bytes, 1);
  socket.write(Buffer.concat([greeting(), ready(), header, Buffer.alloc(1_000)]));
  return socket;
}

/** The greeting of ZMTP 3.0 without security (RFC 23). */
function greeting(): Buffer {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[8] = 1;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes.write("NULL", 12);
  return bytes;
}

function ready(): Buffer {
  const property = (name: string, value: string): Buffer => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(value.length);
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), size, Buffer.from(value)]);
  };
  const body = Buffer.concat([Buffer.from("\x05READY"), property("Socket-Type", "DEALER")]);
  return Buffer.concat([Buffer.from([4, body.length]), body]);
}
