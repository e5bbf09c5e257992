import { wrongUsage } from "../complaint.ts";

/** Where a cluster is: the job servers of Gearman, or the port of a ZeroMQ pool. */
export type ClusterUrl =
  | { readonly engine: "gearman"; readonly text: string; readonly servers: string }
  | { readonly engine: "zeromq"; readonly text: string; readonly address: string };

const FORMS = "gearman://host[:port][,host…] or zmq+tcp://host:port";

/** Reads a `--connect`. */
export function parseClusterUrl(text: string): ClusterUrl {
  const [, scheme, rest = ""] = /^([a-z+]+):\/\/(.+)$/s.exec(text) ?? [];
  if (rest === "" || /\s/.test(rest)) throw wrongUsage(`Cannot connect to "${text}": give ${FORMS}`);
  if (scheme === "gearman") return { engine: "gearman", text, servers: text };
  if (scheme === "zmq+tcp" || scheme === "zmq+ipc") {
    return { engine: "zeromq", text, address: `${scheme.slice("zmq+".length)}://${rest}` };
  }
  throw wrongUsage(`Cannot connect to "${text}": give ${FORMS}`);
}
