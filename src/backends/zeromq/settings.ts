// The options that all roles share, and what they are when nothing is said.

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { ProtocolError } from "../../protocol/errors.ts";
import { func, positiveMilliseconds, positiveWholeNumber, type Rule, text } from "../../protocol/options.ts";

export interface RoleOptions {
  /** What it calls itself; default its host, process and a random part. */
  readonly id?: string;
  /** A larger message is not taken, and its sender cut off. Default 64 MiB. */
  readonly maxMessageBytes?: number;
  /** Told of what was refused or dropped: garbage, strangers, wrong keys. Default: the first ten are warnings of the process. */
  readonly onWarning?: (error: ProtocolError) => void;
}

/** Options of the roles that others have sessions with. */
export interface HubRoleOptions extends RoleOptions {
  /** How often each side is to be heard, default 1,000 ms. */
  readonly heartbeatMs?: number;
  /** Who is silent for so long is lost, default 5,000 ms. */
  readonly leaseMs?: number;
}

export const DEFAULT_HEARTBEAT_MS = 1_000;
export const DEFAULT_LEASE_MS = 5_000;
export const DEFAULT_MESSAGE_BYTES: number = 64 * 1024 * 1024;

const identity: Rule<string> = (value, refuse) => {
  const id = text(value, refuse);
  return id.length <= 200 ? id : refuse("a text of at most 200 characters");
};

export const ROLE_RULES: {
  readonly id: Rule<string>;
  readonly maxMessageBytes: Rule<number>;
  readonly onWarning: Rule<(error: ProtocolError) => void>;
} = {
  id: identity,
  maxMessageBytes: positiveWholeNumber,
  onWarning: func as Rule<(error: ProtocolError) => void>,
};

export const HUB_RULES: {
  readonly heartbeatMs: Rule<number>;
  readonly leaseMs: Rule<number>;
} = { heartbeatMs: positiveMilliseconds, leaseMs: positiveMilliseconds };

export function newIdentity(): string {
  return `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`;
}

const LOUDEST = 10;

/** Where nobody listens the first warnings are the process's: a flood of garbage must not become a flood of lines. */
export function warner(onWarning: ((error: ProtocolError) => void) | undefined): (error: ProtocolError) => void {
  if (onWarning !== undefined) return onWarning;
  let said = 0;
  return (error) => {
    if (said++ < LOUDEST) process.emitWarning(error);
  };
}
