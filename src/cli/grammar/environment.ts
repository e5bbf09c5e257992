import { wrongUsage } from "../complaint.ts";

/** Reads the `K=V` of every `--env`. */
export function parseEnvironment(pairs: readonly string[]): Record<string, string> {
  const environment: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw wrongUsage(`Cannot read --env "${pair}": give NAME=VALUE`);
    environment[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return environment;
}
