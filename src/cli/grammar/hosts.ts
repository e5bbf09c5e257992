import { wrongUsage } from "../complaint.ts";
import { parseCount } from "./count.ts";

/** This machine, among hosts. */
export const HERE = ":";

export interface GivenHost {
  /** `[user@]host`, a name of the configuration of ssh, or `HERE`. */
  readonly host: string;
  /** Workers there; undefined where that was not said. */
  readonly slots: number | undefined;
}

/** Reads the `[N/][user@]host` of every `-S`, several in one separated by commas. */
export function parseHosts(texts: readonly string[]): readonly GivenHost[] {
  return texts.flatMap((text) => text.split(",").map((one) => parseHost(one, text)));
}

function parseHost(one: string, text: string): GivenHost {
  const [, number, host = ""] = /^(?:([^/]*)\/)?(.*)$/s.exec(one) ?? [];
  // ssh would take a dash for an option.
  if (host === "" || host.startsWith("-") || /[\s/]/.test(host)) {
    throw wrongUsage(`Cannot read -S "${text}": give [N/][user@]host, or : for this machine`);
  }
  return { host, slots: number === undefined ? undefined : parseCount("-S", number, 1) };
}
