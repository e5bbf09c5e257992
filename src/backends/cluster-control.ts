// What every engine lets a person do with the hosts of a cluster.

/** One host, as it answers a ping. */
export interface HostReport {
  readonly id: string;
  /** The name of its machine. */
  readonly host: string;
  readonly pid: number;
  /** How many workers a pool may have there. */
  readonly hands: number;
  /** Pools that it works for now. */
  readonly pools: number;
  readonly workers: number;
  /** Tasks that its workers have and have not answered. */
  readonly running: number;
  /** Since it began. */
  readonly done: number;
  readonly failed: number;
  /** Time spent in tasks. */
  readonly runMs: number;
  /** The resident set of its process. */
  readonly memoryBytes: number;
  /** In milliseconds since the epoch. */
  readonly startedAt: number;
  /** Of this library. */
  readonly version: string;
  readonly state: "serving" | "leaving";
}

/** What a host, or a task on it, printed. */
export interface HostLine {
  readonly id: string;
  readonly host: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export const ASK_TIMEOUT_MS = 5_000;

export interface ControlOptions {
  /** Of the hosts that are meant, or `host:pid`, since an id may have been given twice; default all. */
  readonly ids?: readonly string[];
  /** How long to wait for answers, default 5,000 ms. */
  readonly timeoutMs?: number;
}

export interface ClusterControl {
  /** Asks hosts how they are: one report for each that answers. One that is leaving answers too. */
  ping(options?: ControlOptions): Promise<readonly HostReport[]>;
  /** Asks hosts to finish what they have and end with status 0. One report for each that has heard it. */
  quit(options?: ControlOptions): Promise<readonly HostReport[]>;
  /** The same with status 75, after which a supervisor starts them again. */
  restart(options?: ControlOptions): Promise<readonly HostReport[]>;
  /** Tells what hosts print until the signal is aborted. */
  logs(onLine: (line: HostLine) => void, options?: ControlOptions & { readonly signal?: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

type Named = Pick<HostReport, "id" | "host" | "pid">;

/** Whether a host is one of those that were named; without names all are meant. */
export function isMeant(host: Named, ids?: readonly string[]): boolean {
  return ids === undefined || ids.includes(host.id) || ids.includes(addressOf(host));
}

/** The one name that no two hosts have. */
export function addressOf({ host, pid }: Omit<Named, "id">): string {
  return `${host}:${pid}`;
}
