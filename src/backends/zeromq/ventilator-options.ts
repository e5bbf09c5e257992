// What a ventilator can be told.
import type { ProtocolError } from "../../protocol/errors.ts";
import { anything, signal as aSignal, positiveWholeNumber, type Rule, readOptions } from "../../protocol/options.ts";
import { type Places, readPlaces } from "./endpoint.ts";
import {
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  DEFAULT_MESSAGE_BYTES,
  HUB_RULES,
  type HubRoleOptions,
  newIdentity,
  ROLE_RULES,
} from "./settings.ts";

export interface VentilatorOptions extends HubRoleOptions {
  /** Where workers fetch requests: an endpoint, a URL to connect to, a ready `Router` or `Dealer`, or several. */
  readonly requests: Places;
  /**
   * What it calls itself, default another name each time. Requests are known by this and their number, counted from 0: one that is
   * started again under the same id, and sends the same requests, has no result delivered twice.
   */
  readonly id?: string;
  /** After so many workers were lost that had nothing but this request, it fails with `WorkerLostError`. Default 3. */
  readonly poisonLimit?: number;
  /** How many requests are read ahead of what workers have asked for, default 1,024. */
  readonly readAhead?: number;
}

export interface SendOptions {
  /** One value for each request, which comes back with its result: a list, or anything that can be iterated in step. */
  readonly metadata?: Iterable<unknown> | AsyncIterable<unknown>;
  /** Ends reading; what was read before is sent all the same. */
  readonly signal?: AbortSignal;
}

const iterable: Rule<Iterable<unknown> | AsyncIterable<unknown>> = (value, refuse) =>
  typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
    ? (value as Iterable<unknown>)
    : refuse("a list or something to iterate");

/** Checks the options of `send`. @throws ConfigError */
export function readSendOptions(options: SendOptions): {
  readonly metadata: Iterable<unknown> | AsyncIterable<unknown> | undefined;
  readonly signal: AbortSignal | undefined;
} {
  return readOptions("send()", options, { metadata: iterable, signal: aSignal });
}

/** Checks the options of a ventilator, and fills in the others. @throws ConfigError */
export function readVentilatorOptions(options: VentilatorOptions): {
  readonly places: ReturnType<typeof readPlaces>;
  readonly id: string;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly maxMessageBytes: number;
  readonly poisonLimit: number;
  readonly readAhead: number;
  readonly onWarning: ((error: ProtocolError) => void) | undefined;
} {
  const rules = {
    requests: anything,
    ...ROLE_RULES,
    ...HUB_RULES,
    poisonLimit: positiveWholeNumber,
    readAhead: positiveWholeNumber,
  };
  const given = readOptions("Ventilator", options, rules);
  return {
    places: readPlaces('option "requests" of Ventilator', given.requests),
    id: given.id ?? newIdentity(),
    heartbeatMs: given.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
    leaseMs: given.leaseMs ?? DEFAULT_LEASE_MS,
    maxMessageBytes: given.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES,
    poisonLimit: given.poisonLimit ?? 3,
    readAhead: given.readAhead ?? 1_024,
    onWarning: given.onWarning,
  };
}
