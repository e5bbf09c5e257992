// The messages of the stdio protocol, version 1, as `docs/reference/stdio-protocol.md` describes them.
export const STDIO_VERSION = 1;

/** The environment variable that tells a worker which descriptor its messages go to, where it is not standard output. */
export const CHANNEL_VARIABLE = "MANYHANDS_CHANNEL";

/** How messages go after the hellos: lines of JSON, or frames in which a message may be MessagePack. */
export type StdioFormat = "json" | "msgpack";

export interface PoolHello {
  readonly type: "hello";
  readonly protocol: number;
  readonly workerId: string;
  readonly concurrency: number;
  readonly data?: unknown;
  readonly formats: readonly StdioFormat[];
  /** What the pool knows beside what the page asks of everybody: "columns". */
  readonly features: readonly string[];
}

/** A message from a worker. It may be anything: each member is looked at before it is used. */
export interface FromWorker {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly [member: string]: unknown;
}

export interface WorkerHello {
  readonly tasks: readonly string[];
  readonly concurrency: number;
  readonly features: ReadonlySet<string>;
  readonly format: StdioFormat;
  /** What it uses; 0 where it does not say. */
  readonly memoryBytes: number;
}
