import type { ImapOptions } from "../../index.ts";
import type { MapSettings } from "./settings.ts";

/** What the pool is asked for. Everything that was not given is left to the pool's own defaults. */
export function mapOptions(
  settings: MapSettings,
  onSettled: NonNullable<ImapOptions["onSettled"]>,
): ImapOptions & { readonly onError: "collect" } {
  const { subject, isOrdered, window, retries, retryDelayMs, timeout } = settings;
  return {
    ordered: isOrdered,
    onError: "collect",
    onSettled,
    ...(window === undefined ? {} : { window }),
    ...(retries === undefined ? {} : { retries }),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
    ...(timeout?.kind === "fixed" ? { timeoutMs: timeout.ms } : {}),
    // A limit that follows the median is watched item by item, so each needs a start of its own. A program has one anyway.
    ...(timeout?.kind === "median" || subject.kind === "command" ? { chunkSize: 1 } : {}),
  };
}
