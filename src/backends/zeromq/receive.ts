import type { Readable, Socket } from "zeromq";

/**
 * The next message, however long it takes; undefined when the socket is closed.
 * @param socket its `receiveTimeout` is none
 */
export async function receive(socket: Socket & Readable): Promise<Buffer[] | undefined> {
  while (!socket.closed) {
    try {
      return await socket.receive();
    } catch (error) {
      // The socket was said to be readable, and what made it so is gone with its connection: the next one will come.
      if (!socket.closed && (error as { code?: unknown }).code !== "EAGAIN") throw error;
    }
  }
  return undefined;
}
