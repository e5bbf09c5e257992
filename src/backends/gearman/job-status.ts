// The status of a job: how it is asked for, and what is answered.
import { ConfigError } from "../../protocol/errors.ts";
import { show } from "../../protocol/options.ts";
import { numberOf } from "./client-link.ts";
import { uniqueName } from "./names.ts";
import { argumentsOf, PacketType } from "./packet.ts";

export interface JobStatus {
  /** The server has it: queued or running. One that is finished, or was never there, is not known. */
  readonly isKnown: boolean;
  readonly isRunning: boolean;
  /** What the worker has said of how far it is. */
  readonly numerator: number;
  readonly denominator: number;
  /** How many clients wait for it; only where the job was named by its unique. */
  readonly clients: number | undefined;
}

/** What to ask servers. */
export interface Question {
  readonly type: number;
  readonly answer: number;
  readonly key: string;
  readonly server: string | undefined;
}

/** @throws ConfigError at what names no job */
export function question(job: unknown): Question {
  const {
    handle,
    server,
    unique: key,
  } = (typeof job === "string" ? { handle: job } : Object(job)) as Record<string, unknown>;
  if (typeof handle === "string" && !handle.includes("\0") && (server === undefined || typeof server === "string"))
    return { type: PacketType.GET_STATUS, answer: PacketType.STATUS_RES, key: handle, server };
  if (typeof key !== "string" || key === "")
    throw new ConfigError(`Cannot ask for the status of ${show(job)}: expected a handle or a unique`);
  return {
    type: PacketType.GET_STATUS_UNIQUE,
    answer: PacketType.STATUS_RES_UNIQUE,
    key: uniqueName(key),
    server: undefined,
  };
}

export function statusOf(type: number, body: Buffer): JobStatus {
  const [, known, running, numerator, denominator, clients] = argumentsOf(type, body).map(numberOrText);
  return {
    isKnown: known === 1,
    isRunning: running === 1,
    numerator: numerator!,
    denominator: denominator!,
    clients,
  };
}

/** The first argument is a name; of the others each is a number. */
function numberOrText(text: Buffer, at: number): number {
  return at === 0 ? 0 : numberOf(text);
}
