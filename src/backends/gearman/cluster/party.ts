// Who is on the bus: pools and hosts, each with a function of its own, by which it is found in a server's list and reached.
import { randomBytes } from "node:crypto";
import { ConfigError } from "../../../protocol/errors.ts";
import { type Rule, show } from "../../../protocol/options.ts";

/** Of the names of all functions of a cluster, if nothing else is said. */
export const NAMESPACE = "manyhands";

/** What pool and host talk about, in HELLO. */
export const HANDS_LINK = "hands";

export type PartyKind = "host" | "pool";

const NAME = /^[\w:-]+(?:\.[\w:-]+)*$/;
const ID = /^[\w:-]+$/;
/** With the rest of a function's name that is within what servers and their lists take. */
const MAX_NAME_LENGTH = 48;

/** What functions of one cluster begin with: letters, digits, `_`, `-`, `:`, and dots between them. */
export const namespaceName: Rule<string> = (value, refuse) =>
  typeof value === "string" && value.length <= MAX_NAME_LENGTH && NAME.test(value)
    ? value
    : refuse("1 to 48 letters, digits, dots, colons, dashes");

/** @throws ConfigError at what cannot stand in the name of a function */
export function partyId(value: unknown): string {
  if (typeof value === "string" && value.length <= MAX_NAME_LENGTH && ID.test(value)) return value;
  throw new ConfigError(`Cannot use id ${show(value)}: expected 1 to 48 letters, digits, colons, dashes`);
}

/** Different for each party there is. */
export function newId(): string {
  return randomBytes(6).toString("hex");
}

/** The function by which somebody is reached. */
export function functionOf(namespace: string, kind: PartyKind, id: string): string {
  return `${namespace}.${kind}.${id}`;
}

/** Whether the function is one of the cluster's parties of that kind. */
export function isParty(namespace: string, kind: PartyKind, fn: string): boolean {
  const prefix = `${namespace}.${kind}.`;
  return fn.startsWith(prefix) && ID.test(fn.slice(prefix.length));
}

/** By which of so many servers a host speaks to a pool, rather than by the others: any of them for any two, always the same. */
export function homeOf(host: string, pool: string, servers: number): number {
  // FNV-1a.
  let hash = 0x811c9dc5;
  for (const character of `${host} ${pool}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return (hash >>> 0) % servers;
}

/** Eight characters of a byte each. */
export function newSessionId(): string {
  return randomBytes(8).toString("latin1");
}
