// What a worker of the cluster can be told.
import { ConfigError, type ProtocolError } from "../../protocol/errors.ts";
import { anything, func, milliseconds, positiveWholeNumber, type Rule, readOptions } from "../../protocol/options.ts";
import { type Places, readPlaces } from "./endpoint.ts";
import type { ClusterRequest } from "./records.ts";
import { DEFAULT_MESSAGE_BYTES, newIdentity, ROLE_RULES, type RoleOptions } from "./settings.ts";

/** @typeParam I what requests hold */
export interface ClusterWorkerOptions<I = unknown> extends RoleOptions {
  /** Where requests come from: one ventilator or several. */
  readonly requests: Places;
  /** Where results go. */
  readonly results: Places;
  /** Where commands come from; default nowhere. */
  readonly commands?: Places;
  /** Answers a request: a value, a promise of one, or an error that it throws. */
  readonly handler: (payload: I, request: ClusterRequest<I>) => unknown;
  /** Obeys commands of your own; what it gives, or throws, goes back to who sent the command. */
  readonly onCommand?: (name: string, data: unknown) => unknown;
  /** How many requests may run at once, default 1. More than one is for handlers that wait. */
  readonly slots?: number;
  /** Without a request for so long, `run` rejects with `ReceiveTimeoutError`; 0 is at once, and by default never. */
  readonly timeoutMs?: number;
  /**
   * How long the handler may keep this thread busy, so that nothing is heard of the worker, while its process lives. Default 60,000;
   * after that its requests go to others, as if it had died.
   */
  readonly blockMs?: number;
  /** How many results may wait for the sink, default 16,384. At that many no more requests are taken. */
  readonly maxUnacknowledged?: number;
  /** How long a worker that was told to end waits for what runs, and then for the sink, default 5,000 ms each. */
  readonly graceMs?: number;
}

type Handler = ClusterWorkerOptions["handler"];

/** Checks the options of a worker, and fills in the others. @throws ConfigError */
export function readWorkerOptions(options: ClusterWorkerOptions): {
  readonly places: {
    readonly requests: ReturnType<typeof readPlaces>;
    readonly results: ReturnType<typeof readPlaces>;
    readonly commands: ReturnType<typeof readPlaces> | undefined;
  };
  readonly id: string;
  readonly handler: Handler;
  readonly onCommand: ((name: string, data: unknown) => unknown) | undefined;
  readonly slots: number;
  readonly timeoutMs: number | undefined;
  readonly blockMs: number;
  readonly graceMs: number;
  readonly maxUnacknowledged: number;
  readonly maxMessageBytes: number;
  readonly onWarning: ((error: ProtocolError) => void) | undefined;
} {
  const given = readOptions("ClusterWorker", options, {
    ...ROLE_RULES,
    requests: anything,
    results: anything,
    commands: anything,
    handler: func as Rule<Handler>,
    onCommand: func as Rule<(name: string, data: unknown) => unknown>,
    slots: positiveWholeNumber,
    timeoutMs: milliseconds,
    blockMs: milliseconds,
    graceMs: milliseconds,
    maxUnacknowledged: positiveWholeNumber,
  });
  const { handler } = given;
  if (handler === undefined) throw new ConfigError('Cannot make a ClusterWorker: option "handler" is missing');
  const { commands } = given;
  return {
    places: {
      requests: readPlaces('option "requests" of ClusterWorker', given.requests),
      results: readPlaces('option "results" of ClusterWorker', given.results),
      commands: commands === undefined ? undefined : readPlaces('option "commands" of ClusterWorker', commands),
    },
    id: given.id ?? newIdentity(),
    handler,
    onCommand: given.onCommand,
    slots: given.slots ?? 1,
    timeoutMs: given.timeoutMs,
    blockMs: Math.min(given.blockMs ?? 60_000, 86_400_000),
    graceMs: given.graceMs ?? 5_000,
    maxUnacknowledged: given.maxUnacknowledged ?? 16_384,
    maxMessageBytes: given.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES,
    onWarning: given.onWarning,
  };
}
