// Where Gearman servers are, as people write it.
import { ConfigError } from "../../protocol/errors.ts";
import { show } from "../../protocol/options.ts";

/** The port that Gearman has been given. */
export const GEARMAN_PORT = 4730;

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as messages name it. */
  readonly name: string;
}

/**
 * Reads one or several servers: `"host"`, `"host:4730"`, `"[::1]:4730"`, a list of these, or a URL
 * `"gearman://host1:4730,host2"`. Without a port it is 4730. Texts may hold several, separated by commas.
 * @throws ConfigError at what is none, at a server named twice, and where there is none
 */
export function readServers(given: unknown): readonly ServerAddress[] {
  const texts: readonly unknown[] = Array.isArray(given) ? given : [given];
  const servers = texts.flatMap((text) => {
    if (typeof text !== "string")
      throw new ConfigError(`Cannot use server ${show(text)}: expected a text such as "localhost:4730"`);
    return withoutScheme(text).split(",").map(readServer);
  });
  if (servers.length === 0) throw new ConfigError("Cannot use the servers: the list is empty");
  const names = new Set<string>();
  for (const { name } of servers) {
    if (names.has(name)) throw new ConfigError(`Cannot use server "${name}": it is named twice`);
    names.add(name);
  }
  return servers;
}

function withoutScheme(text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme === null) return text;
  if (scheme[1]!.toLowerCase() !== "gearman")
    throw new ConfigError(`Cannot use servers "${text}": expected gearman://, got ${scheme[0]}`);
  return text.slice(scheme[0].length).replace(/\/$/, "");
}

function readServer(text: string): ServerAddress {
  const refuse = (why: string): never => {
    throw new ConfigError(`Cannot use server "${text}": ${why}`);
  };
  const trimmed = text.trim();
  if (trimmed === "") return refuse("it is empty");
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::([^:]*))?$/.exec(trimmed);
  if (parts === null)
    return refuse(/:.*:/.test(trimmed) ? "an IPv6 address stands in brackets, as in [::1]:4730" : "it is no address");
  const [, address, name, port] = parts;
  const host = address ?? name!;
  if (address !== undefined ? !/^[0-9a-f:.]+(?:%[\w.-]+)?$/i.test(address) : !/^[\w.-]+$/.test(host))
    return refuse(`"${host}" is no host`);
  if (port !== undefined && !/^[0-9]{1,5}$/.test(port)) return refuse(`"${port}" is no port`);
  const number = port === undefined ? GEARMAN_PORT : Number(port);
  if (number < 1 || number > 65_535) return refuse(`port ${number} is not between 1 and 65535`);
  return { host, port: number, name: `${address === undefined ? host : `[${host}]`}:${number}` };
}
