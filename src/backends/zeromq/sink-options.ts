// What a sink can be told.
import type { ProtocolError } from "../../protocol/errors.ts";
import {
  anything,
  signal as aSignal,
  flag,
  milliseconds,
  type Rule,
  readOptions,
  wholeNumber,
} from "../../protocol/options.ts";
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

export interface SinkOptions extends HubRoleOptions {
  /** Where results come in. */
  readonly results: Places;
  /** Where commands come from; default nowhere. */
  readonly commands?: Places;
  /** How long `receive` waits for each result, where it is not told; by default for ever. */
  readonly timeoutMs?: number;
  /**
   * Ids (`result.metadata.id`) of results that an earlier sink has delivered: they are not delivered again. With this a sink that was
   * killed goes on where it was, if its reader has kept the ids.
   */
  readonly seen?: Iterable<string>;
}

export interface ReceiveOptions {
  /** Ends after so many results; default never. */
  readonly count?: number;
  /** How long to wait for each result: 0 is not at all. Default: that of the sink. */
  readonly timeoutMs?: number;
  /** Gives `ClusterResult` records, failures too, instead of what the handlers gave. Default false. */
  readonly metadata?: boolean;
  readonly signal?: AbortSignal;
}

const RECEIVE_RULES: {
  readonly count: Rule<number>;
  readonly timeoutMs: Rule<number>;
  readonly metadata: Rule<boolean>;
  readonly signal: Rule<AbortSignal>;
} = { count: wholeNumber, timeoutMs: milliseconds, metadata: flag, signal: aSignal };

/** Checks the options of `receive`. @throws ConfigError */
export function readReceiveOptions(options: ReceiveOptions): {
  readonly count: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly metadata: boolean | undefined;
  readonly signal: AbortSignal | undefined;
} {
  return readOptions("receive()", options, RECEIVE_RULES);
}

const ids: Rule<readonly string[]> = (value, refuse) => {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value))
    return refuse("a list of ids of results");
  const list: unknown[] = [...(value as Iterable<unknown>)];
  return list.every((id) => typeof id === "string" && /\/\d+$/.test(id))
    ? (list as string[])
    : refuse('ids of results, such as "ventilator/7"');
};

/** Checks the options of a sink, and fills in the others. @throws ConfigError */
export function readSinkOptions(options: SinkOptions): {
  readonly places: ReturnType<typeof readPlaces>;
  readonly commands: ReturnType<typeof readPlaces> | undefined;
  readonly id: string;
  readonly timeoutMs: number | undefined;
  readonly seen: readonly string[];
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly maxMessageBytes: number;
  readonly onWarning: ((error: ProtocolError) => void) | undefined;
} {
  const rules = {
    ...ROLE_RULES,
    ...HUB_RULES,
    results: anything,
    commands: anything,
    timeoutMs: milliseconds,
    seen: ids,
  };
  const given = readOptions("Sink", options, rules);
  const { commands } = given;
  return {
    places: readPlaces('option "results" of Sink', given.results),
    commands: commands === undefined ? undefined : readPlaces('option "commands" of Sink', commands),
    id: given.id ?? newIdentity(),
    timeoutMs: given.timeoutMs,
    seen: given.seen ?? [],
    heartbeatMs: given.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
    leaseMs: given.leaseMs ?? DEFAULT_LEASE_MS,
    maxMessageBytes: given.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES,
    onWarning: given.onWarning,
  };
}
