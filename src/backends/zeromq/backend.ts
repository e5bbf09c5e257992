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
import { planOfHands, RemoteHands } from "../remote-hands.ts";
import { HubCarrier } from "./carrier.ts";
import type { Place, Places } from "./endpoint.ts";
import { HANDS_LINK, HANDS_MESSAGE_BYTES, type HandsSecurity, handsPlaces, SECURITY_RULES } from "./hands-link.ts";
import {
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  type HubRoleOptions,
  newIdentity,
  ROLE_RULES,
  warner,
} from "./settings.ts";

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
  const places = handsPlaces("zeromq()", given);
  const { heartbeatMs = DEFAULT_HEARTBEAT_MS, leaseMs = DEFAULT_LEASE_MS } = given;
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
    plan: planOfHands("zeromq", given),
    carrier,
  });
}

function shown(places: unknown): string {
  const [first] = (Array.isArray(places) ? places : [places]) as readonly Place[];
  if (typeof first === "string") return first;
  return typeof first === "object" && "url" in first ? String(first.url) : show(first);
}
