// Tells workers and sinks something, and hears from each that it obeyed.
import { fromErrorRecord } from "../../protocol/error-record.ts";
import { ConfigError, type ProtocolError } from "../../protocol/errors.ts";
import type { ErrorRecord } from "../../protocol/messages.ts";
import { anything, func, milliseconds, positiveWholeNumber, type Rule, readOptions } from "../../protocol/options.ts";
import { type Places, readPlaces } from "./endpoint.ts";
import { loadEngine } from "./engine.ts";
import { Hub } from "./hub.ts";
import type { PingReply } from "./records.ts";
import { type CommandReply, readReply, writeCommand } from "./roles/messages.ts";
import {
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  DEFAULT_MESSAGE_BYTES,
  newIdentity,
  ROLE_RULES,
  warner,
} from "./settings.ts";

export interface CommandAnswer {
  /** Who answers: the id of a worker or a sink. */
  readonly from: string;
  readonly isObeyed: boolean;
  /** What the command gave; undefined where it was not obeyed. */
  readonly value: unknown;
  /** Why it was not obeyed. */
  readonly error?: unknown;
}

export interface SendCommandOptions {
  /** What goes with the command, to `onCommand`; for `kill`, an error that makes the worker's exit code 1. */
  readonly data?: unknown;
  /** Resolves as soon as so many have answered. Default: where all endpoints connect, how many endpoints there are; else no number. */
  readonly expect?: number;
  /** Resolves after so long at the latest, default 5,000. Who comes within that time gets the command. */
  readonly timeoutMs?: number;
  /** Told of each answer. */
  readonly onAnswer?: (answer: CommandAnswer) => void;
  /** Told of what was refused or dropped. */
  readonly onWarning?: (error: ProtocolError) => void;
}

/**
 * Sends a command to all who listen at the places: `kill`, `restart` (workers only), `ping`, or one of your own. Each gets it once, however
 * late it joins. Resolves to how many have obeyed.
 * @throws ConfigError for wrong options, or where it cannot bind; NotSerializableError where `data` cannot be sent;
 *   BackendUnavailableError where the package `zeromq` is missing
 */
export async function sendCommand(
  commands: Places,
  command: string,
  options: SendCommandOptions = {},
): Promise<number> {
  const { data, expect, timeoutMs = 5_000, onAnswer, onWarning } = readOptions("sendCommand()", options, RULES);
  if (typeof command !== "string" || command === "" || command.length > 256) {
    throw new ConfigError("Cannot send command: it has to be a text of 1 to 256 characters");
  }
  const places = readPlaces('the places of "sendCommand()"', commands);
  const binds = places.some((place) => place.bind === true || typeof place.bind === "function");
  const wanted = expect ?? (binds ? Number.POSITIVE_INFINITY : places.length);
  const body = writeCommand({ name: command, data });
  const engine = await loadEngine();
  const names = new Map<string, string>();
  const answered = new Set<string>();
  let obeyed = 0;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const settings = {
    link: "commands",
    id: newIdentity(),
    heartbeatMs: DEFAULT_HEARTBEAT_MS,
    leaseMs: DEFAULT_LEASE_MS,
    maxMessageBytes: DEFAULT_MESSAGE_BYTES,
  };
  const hub: Hub = new Hub(engine, settings, {
    opened: (session, hello) => {
      const who = `${String(hello["id"])} ${String(hello["epoch"])}`;
      names.set(session, String(hello["id"]));
      // One whose session was lost is back, and has had it.
      if (answered.has(who)) return;
      answered.add(who);
      hub.send(session, body);
    },
    delivered: (session, reply) => {
      const answer = toAnswer(names.get(session) ?? "", readReply(reply));
      if (answer.isObeyed) obeyed += 1;
      onAnswer?.(answer);
      if (--open <= 0) finish();
    },
    lost: (session) => void names.delete(session),
    garbage: warner(onWarning),
  });
  let open = wanted;
  await hub.open(places);
  const timer = setTimeout(finish, timeoutMs);
  await finished;
  clearTimeout(timer);
  await hub.close(GOODBYE_MS);
  return obeyed;
}

/** Asks all who listen at the places how they are. Waits as `sendCommand` does. */
export async function ping(
  commands: Places,
  options: Pick<SendCommandOptions, "expect" | "timeoutMs"> = {},
): Promise<PingReply[]> {
  const replies: PingReply[] = [];
  await sendCommand(commands, "ping", {
    ...options,
    onAnswer: ({ isObeyed, value }) => {
      if (isObeyed) replies.push(value as PingReply);
    },
  });
  return replies;
}

const GOODBYE_MS = 500;

const RULES = {
  onWarning: ROLE_RULES.onWarning,
  data: anything,
  expect: positiveWholeNumber,
  timeoutMs: milliseconds,
  onAnswer: func as Rule<(answer: CommandAnswer) => void>,
};

function toAnswer(from: string, { isObeyed, value }: CommandReply): CommandAnswer {
  if (isObeyed) return { from, isObeyed, value };
  let error: unknown;
  try {
    error = fromErrorRecord(value as ErrorRecord);
  } catch (cause) {
    error = cause;
  }
  return { from, isObeyed, value: undefined, error };
}
