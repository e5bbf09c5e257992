// The way to a server: TCP, or TLS above it.
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions as TlsOptions } from "node:tls";
import type { Rule } from "../../protocol/options.ts";
import type { ServerAddress } from "./servers.ts";

export type { TlsOptions };

/** Idle for so long, a connection is probed by the kernel. */
const KEEP_ALIVE_MS = 10_000;

/**
 * Opens a connection. Nagle's algorithm is off: it would hold up every small packet by 40 ms.
 * @param onOpen the connection stands, and with TLS is secured
 */
export function openSocket(server: ServerAddress, tls: TlsOptions | undefined, onOpen: () => void): Socket {
  const { host, port } = server;
  const socket = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...servername(host), ...tls });
  socket.once(tls === undefined ? "connect" : "secureConnect", onOpen);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

/** `true`, or options as `tls.connect` of Node takes them. */
export const tlsOptions: Rule<TlsOptions> = (value, refuse) => {
  if (value === true) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse("true, or an object with options of tls.connect");
  return value as TlsOptions;
};

/** Addresses are no names to ask for. */
function servername(host: string): { servername?: string } {
  return /^[0-9.]+$|:/.test(host) ? {} : { servername: host };
}
