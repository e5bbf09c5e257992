// Where a socket binds or connects to, as plain data: it can be written down, and handed to a thread or a process.
import type { Socket } from "zeromq";
import { ConfigError } from "../../protocol/errors.ts";
import { flag, type Rule, type Rules, readOptions, show, text } from "../../protocol/options.ts";

/** Keys of CURVE, each 40 characters of Z85. `makeKeyPair` makes a pair. */
export interface Curve {
  readonly publicKey: string;
  readonly secretKey: string;
  /** Where the endpoint connects: the public key of who binds. */
  readonly serverKey?: string;
  /** Where it binds: the public keys of those who may come in. */
  readonly allow?: readonly string[];
}

export interface EndpointOptions {
  /** `tcp://host:port` (`*` for all interfaces or any free port), `ipc:///path`, or `inproc://name` within one process. */
  readonly url: string;
  /** Whether to bind, default false: connect. Either end of a channel may do either. */
  readonly bind?: boolean;
  /** Options of the socket, by the names of the package `zeromq`, such as `tcpKeepalive` or `ipv6`. */
  readonly options?: Readonly<Record<string, string | number | boolean>>;
  /** Encrypts, and lets only those in whose keys are listed. */
  readonly curve?: Curve;
  /** Allows to bind off loopback without CURVE: whoever reaches the port may then send requests and read results. Default false. */
  readonly insecure?: boolean;
}

export interface Endpoint extends EndpointOptions {
  readonly bind: boolean;
}

/** What a role takes for a channel: an endpoint, a URL to connect to, a socket of the package `zeromq` that is ready, or several. */
export type Place = string | EndpointOptions | Socket;
export type Places = Place | readonly Place[];

/**
 * Checks and completes the description of an endpoint.
 * @throws ConfigError for what is wrong in it, and for binding off loopback without `curve` or `insecure: true`
 */
export function endpoint(options: string | EndpointOptions): Endpoint {
  const read = readOptions("endpoint()", typeof options === "string" ? { url: options } : options, RULES);
  const { url, bind = false, curve, insecure = false, options: more } = read;
  if (url === undefined) throw new ConfigError('Cannot use endpoint: option "url" is missing');
  if (curve !== undefined) checkRole(url, bind, curve);
  else if (bind && !insecure && !isLocal(url)) {
    throw new ConfigError(
      `Cannot bind "${url}" without CURVE: others on the network could send requests; give "curve", or say "insecure: true"`,
    );
  }
  return {
    url,
    bind,
    ...(curve === undefined ? {} : { curve }),
    ...(more === undefined ? {} : { options: more }),
    ...(insecure ? { insecure } : {}),
  };
}

function checkRole(url: string, bind: boolean, curve: Curve): void {
  if (bind && curve.allow === undefined) {
    throw new ConfigError(
      `Cannot bind "${url}" with CURVE: "curve.allow" has to list the public keys that may come in`,
    );
  }
  if (!bind && curve.serverKey === undefined) {
    throw new ConfigError(`Cannot connect to "${url}" with CURVE: "curve.serverKey" is missing`);
  }
}

/** Whether only this machine can reach it. */
function isLocal(url: string): boolean {
  const [, transport, rest = ""] = /^(\w+):\/\/(.*)$/s.exec(url) ?? [];
  if (transport !== "tcp") return true;
  // An address may name where it binds before a semicolon; that is for connecting.
  const host = rest.slice(0, rest.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || host === "::1" || host === "lo" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

const URL_SHAPE = /^(?:tcp:\/\/.+:(?:\*|\d{1,5})|ipc:\/\/.+|inproc:\/\/.+)$/s;
const KEY_SHAPE = /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/;
/** What the library itself has to decide. */
const OWN_OPTIONS = new Set([
  "linger",
  "routingId",
  "mandatory",
  "handover",
  "context",
  "zapDomain",
  "sendTimeout",
  "receiveTimeout",
  "receiveHighWaterMark",
  "sendHighWaterMark",
  "maxMessageSize",
]);

const key: Rule<string> = (value, refuse) =>
  typeof value === "string" && KEY_SHAPE.test(value) ? value : refuse("a key of 40 characters of Z85");

const RULES = {
  url: ((value, refuse) =>
    typeof value === "string" && URL_SHAPE.test(value)
      ? value
      : refuse("tcp://host:port, ipc://path or inproc://name")) as Rule<string>,
  bind: flag,
  insecure: flag,
  options: ((value, refuse) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse("an object");
    for (const [name, one] of Object.entries(value)) {
      if (OWN_OPTIONS.has(name) || name.startsWith("curve"))
        return refuse(`no "${name}" in it, which the library sets itself`);
      if (!["string", "number", "boolean"].includes(typeof one)) return refuse(`a text, number or flag as "${name}"`);
    }
    return { ...value };
  }) as Rule<Readonly<Record<string, string | number | boolean>>>,
  curve: ((value) => {
    const read = readOptions('option "curve" of endpoint()', value, CURVE_RULES);
    for (const name of ["publicKey", "secretKey"] as const) {
      if (read[name] === undefined)
        throw new ConfigError(`Cannot use option "curve" of endpoint(): "${name}" is missing`);
    }
    return Object.fromEntries(Object.entries(read).filter(([, one]) => one !== undefined)) as unknown as Curve;
  }) as Rule<Curve>,
} satisfies Rules;

const CURVE_RULES = {
  publicKey: key,
  secretKey: ((value) => {
    if (typeof value === "string" && KEY_SHAPE.test(value)) return value;
    // What is wrong with a secret is not shown.
    throw new ConfigError('Cannot use option "secretKey" of a CURVE endpoint: expected 40 characters of Z85');
  }) as Rule<string>,
  serverKey: key,
  allow: ((value, refuse) =>
    Array.isArray(value) && value.every((one) => typeof one === "string" && KEY_SHAPE.test(one))
      ? [...(value as string[])]
      : refuse("a list of keys of 40 characters of Z85")) as Rule<readonly string[]>,
} satisfies Rules;

/** Whether a place is a ready socket rather than a description. */
export function isSocket(place: Place | Endpoint): place is Socket {
  return typeof place === "object" && typeof Reflect.get(place, "bind") === "function";
}

/** The places of a channel, each checked. @param what how the option is called, for messages */
export function readPlaces(what: string, places: unknown): readonly (Endpoint | Socket)[] {
  const list: readonly unknown[] = Array.isArray(places) ? places : [places];
  if (list.length === 0) throw new ConfigError(`Cannot use ${what}: the list is empty`);
  return list.map((place) => {
    if (typeof place === "string") return endpoint({ url: text(place, wrong(what, place)) });
    if (typeof place !== "object" || place === null) return wrong(what, place)("an endpoint, a URL or a socket");
    return isSocket(place as Place) ? (place as Socket) : endpoint(place as EndpointOptions);
  });
}

function wrong(what: string, value: unknown): (wanted: string) => never {
  return (wanted) => {
    throw new ConfigError(`Cannot use ${what}: expected ${wanted}, got ${show(value)}`);
  };
}
