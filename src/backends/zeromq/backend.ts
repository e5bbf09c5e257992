// The backend of a pool whose workers are on hosts that ZeroMQ reaches: its options, and what it is put together from.
import { ConfigError } from "../../protocol/errors.ts";
import {
  anything,
  milliseconds,
  positiveMilliseconds,
  positiveWholeNumber,
  readOptions,
  seriesNames,
  show,
} from "../../protocol/options.ts";
import type { Backend } from "../backend.ts";
import { RemoteHands } from "../remote-hands.ts";
import { HubCarrier } from "./carrier.ts";
import type { Place, Places } from "./endpoint.ts";
import {
  boundPlaces,
  connectedPlaces,
  HANDS_HEARTBEAT_MS,
  HANDS_LEASE_MS,
  HANDS_LINK,
  HANDS_MESSAGE_BYTES,
  type HandsSecurity,
  SECURITY_RULES,
} from "./hands-link.ts";
import { type HubRoleOptions, newIdentity, ROLE_RULES, warner } from "./settings.ts";

export interface ZeromqOptions extends HubRoleOptions, HandsSecurity {
  /** Where hosts connect to. */
  readonly bind?: Places;
  /** Hosts that bind. One of the two has to be given. */
  readonly connect?: Places;
  /** Series of its workers beside `zeromq` and `remote`. */
  readonly series?: string | readonly string[];
  /** Tasks at once in one worker, default 1. */
  readonly concurrency?: number;
  /** How long a worker may take to load the module and set up, default 30,000 ms. */
  readonly startTimeoutMs?: number;
  /** Replaces a worker after so many tasks; default never. */
  readonly maxTasks?: number;
}

const START_TIMEOUT_MS = 30_000;

/**
 * Workers on other machines, whose hosts find this pool, or are found by it: `manyhands worker --connect zmq+tcp://host:5555 ./tasks.js`.
 * Each host lends as many workers as it has hands. Tasks wait as long as there is none.
 *
 * @throws ConfigError for a wrong option, and for a port that others can reach without CURVE
 */
export function zeromq(options: ZeromqOptions): Backend {
  const given = readOptions("zeromq()", options, {
    ...ROLE_RULES,
    ...SECURITY_RULES,
    bind: anything,
    connect: anything,
    series: seriesNames,
    concurrency: positiveWholeNumber,
    startTimeoutMs: milliseconds,
    maxTasks: positiveWholeNumber,
    heartbeatMs: positiveMilliseconds,
    leaseMs: positiveMilliseconds,
  });
  const { bind, connect } = given;
  if ((bind === undefined) === (connect === undefined)) {
    throw new ConfigError('Cannot use zeromq(): give one of "bind" and "connect"');
  }
  const places =
    bind === undefined
      ? connectedPlaces('option "connect" of zeromq()', connect, given)
      : boundPlaces('option "bind" of zeromq()', bind, given);
  const { heartbeatMs = HANDS_HEARTBEAT_MS, leaseMs = HANDS_LEASE_MS } = given;
  if (leaseMs <= heartbeatMs) {
    throw new ConfigError(
      `Cannot use option "leaseMs" of zeromq(): ${leaseMs} is no longer than a heartbeat of ${heartbeatMs}`,
    );
  }
  const carrier = new HubCarrier(places, {
    link: HANDS_LINK,
    role: "pool",
    id: given.id ?? newIdentity(),
    heartbeatMs,
    leaseMs,
    maxMessageBytes: given.maxMessageBytes ?? HANDS_MESSAGE_BYTES,
    warn: warner(given.onWarning),
  });
  return new RemoteHands({
    name: "zeromq",
    subject: shown(bind ?? connect),
    plan: {
      size: { min: 0, max: 0, idleMs: 0 },
      concurrency: given.concurrency ?? 1,
      series: ["zeromq", "remote", ...(given.series ?? [])],
      startTimeoutMs: given.startTimeoutMs ?? START_TIMEOUT_MS,
      maxTasks: given.maxTasks ?? 0,
      maxRssMb: 0,
    },
    carrier,
  });
}

function shown(places: unknown): string {
  const [first] = (Array.isArray(places) ? places : [places]) as readonly Place[];
  if (typeof first === "string") return first;
  return typeof first === "object" && "url" in first ? String(first.url) : show(first);
}
