// A stranger that speaks ZeroMQ's own protocol by hand, and announces more than it may send.
import { once } from "node:events";
import { connect } from "node:net";

/** Greets a ROUTER, announces a frame of so many bytes, sends a few of them, and resolves when it was cut off. */
export async function announce(url: string, bytes: bigint): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  await once(socket, "connect");
  const closed = once(socket, "close");
  socket.on("error", () => {});
  socket.resume();
  const header = Buffer.alloc(9);
  header[0] = 2;
  header.writeBigUInt64BE(bytes, 1);
  socket.write(Buffer.concat([greeting(), ready(), header, Buffer.alloc(1_000)]));
  await closed;
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
