// The channel between pools and hosts: what it is called, and where it is.
import { ConfigError } from "../../protocol/errors.ts";
import { anything, flag, type Rule } from "../../protocol/options.ts";
import { type Curve, readPlaces } from "./endpoint.ts";

/** Sessions of hosts with pools, and of those who ask something of hosts. */
export const HANDS_LINK = "hands";
export const HANDS_MESSAGE_BYTES: number = 256 * 1024 * 1024;
/** A part of a thousand small tasks, of which the other end does some while this one sends others. */
export const HANDS_BODY_BYTES: number = 2 * 1024;
/** How long others may take to answer a goodbye. */
export const HANDS_GOODBYE_MS = 1_000;

export interface HandsSecurity {
  /** Keys for all places that have none of their own: with `allow` where they are bound, with `serverKey` where they are connected to. */
  readonly curve?: Curve;
  /** Allows to bind off loopback without CURVE: whoever reaches the port may then run tasks. Default false. */
  readonly insecure?: boolean;
}

export const SECURITY_RULES: { readonly curve: Rule<unknown>; readonly insecure: Rule<boolean> } = {
  curve: anything,
  insecure: flag,
};

interface Security {
  readonly curve: unknown;
  readonly insecure: boolean | undefined;
}

/**
 * Where a pool or a host is to be: bound, or connected to.
 *
 * @param what which function's options these are, for messages
 * @throws ConfigError unless one of the two is given
 */
export function handsPlaces(
  what: string,
  { bind, connect, ...security }: Security & { readonly bind: unknown; readonly connect: unknown },
): ReturnType<typeof readPlaces> {
  if ((bind === undefined) === (connect === undefined))
    throw new ConfigError(`Cannot use ${what}: give one of "bind" and "connect"`);
  return bind === undefined
    ? connectedPlaces(`option "connect" of ${what}`, connect, security)
    : boundPlaces(`option "bind" of ${what}`, bind, security);
}

/**
 * Where to bind: what is given is to be bound, whatever it says.
 * @param what how the option is called, for messages
 */
function boundPlaces(what: string, places: unknown, security: Security): ReturnType<typeof readPlaces> {
  const { insecure } = security;
  const more = { bind: true, ...(insecure === true ? { insecure } : {}) };
  return readPlaces(
    what,
    each(places, (place) => ({ ...secured(place, security), ...more })),
  );
}

/** Where to connect to. */
export function connectedPlaces(what: string, places: unknown, security: Security): ReturnType<typeof readPlaces> {
  return readPlaces(
    what,
    each(places, (place) => secured(place, security)),
  );
}

function secured(place: object, { curve }: Security): object {
  return { ...(curve === undefined ? {} : { curve }), ...place };
}

/** Descriptions are changed; what is a ready socket, or nothing at all, stays what it is. */
function each(places: unknown, change: (place: object) => object): unknown {
  if (Array.isArray(places)) return places.map((place: unknown) => each(place, change));
  if (typeof places === "string") return change({ url: places });
  const isPlain = typeof places === "object" && places !== null && Object.getPrototypeOf(places) === Object.prototype;
  return isPlain ? change(places) : places;
}
