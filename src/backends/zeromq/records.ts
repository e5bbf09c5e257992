// What handlers and readers of results get to see.

/** A request, as the handler of a worker gets it beside its payload. */
export interface ClusterRequest<T = unknown> {
  readonly payload: T;
  /** What `send` was given for it. */
  readonly metadata: unknown;
  /** The ventilator's id and the request's number: the same for every attempt. */
  readonly id: string;
  readonly ventilator: string;
  /** Counted from 0, in the order of `send`. */
  readonly number: number;
  /** 1, and more when it was with another worker before: it may have run there, wholly or in part. */
  readonly attempt: number;
  /** Aborted when the worker is terminated. */
  readonly signal: AbortSignal;
}

/** A result, as `Sink.receive({ metadata: true })` gives it. */
export interface ClusterResult<T = unknown> {
  readonly status: "success" | "fail";
  /** What the handler gave; undefined where it failed. */
  readonly payload: T | undefined;
  /** What the request was sent with, untouched. */
  readonly requestMetadata: unknown;
  readonly metadata: ResultMetadata;
  /** What the handler threw, with its class, message, properties, cause and the worker's stack; only where it failed. */
  readonly error?: unknown;
}

export interface ResultMetadata {
  /** The same for every copy of the result. */
  readonly id: string;
  readonly ventilator: string;
  readonly number: number;
  readonly attempt: number;
  /** Who answered. */
  readonly worker: string;
  readonly host: string;
  readonly pid: number;
  /** How long the handler took, in milliseconds. */
  readonly ms: number;
}

/** What a worker tells of itself when it is pinged. */
export interface PingReply {
  readonly role: "worker" | "sink";
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** When it was made, as an ISO 8601 date. */
  readonly startedAt: string;
  /** Requests answered by a worker; results taken from a sink. */
  readonly requests: number;
  /** Milliseconds that its handler took, all together; 0 for a sink. */
  readonly busyMs: number;
}
