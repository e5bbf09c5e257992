// The errors that the pool itself raises. Branded with `Symbol.for`, so that `instanceof` holds across realms and copies.

export type ErrorCode =
  | "ERR_TASK_TIMEOUT"
  | "ERR_TASK_CANCELLED"
  | "ERR_UNKNOWN_TASK"
  | "ERR_RECEIVE_TIMEOUT"
  | "ERR_WORKER_LOST"
  | "ERR_POOL_CLOSED"
  | "ERR_QUEUE_FULL"
  | "ERR_NO_SUCH_TASK"
  | "ERR_NOT_SERIALIZABLE"
  | "ERR_PROTOCOL"
  | "ERR_CONFIG"
  | "ERR_BACKEND_UNAVAILABLE";

const BRANDS = Symbol.for("manyhands.errors");

/** What every error of the pool extends. `code` is stable; see docs/reference/errors.md for each. */
export class PoolError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    const brands: string[] = [];
    for (
      let type: unknown = new.target;
      typeof type === "function" && type !== Error;
      type = Object.getPrototypeOf(type)
    ) {
      if (OWN.has(type.name)) brands.push(type.name);
    }
    Object.defineProperty(this, BRANDS, { value: brands });
    Object.defineProperty(this, "name", { value: brands[0] ?? "PoolError", configurable: true, writable: true });
  }

  static override [Symbol.hasInstance](
    this: { readonly name: string; readonly prototype: object },
    value: unknown,
  ): boolean {
    if (typeof value !== "object" || value === null) return false;
    // A class that somebody derives from one of ours is judged as usual.
    if (!OWN.has(this.name)) return Object.prototype.isPrototypeOf.call(this.prototype, value);
    const brands: unknown = Reflect.get(value, BRANDS);
    return Array.isArray(brands) && brands.includes(this.name);
  }
}

/** The task, or one attempt of it, took longer than its `timeoutMs` (or `deadlineMs`); it was ended. */
export class TaskTimeoutError extends PoolError {
  readonly taskId: string | number;
  readonly timeoutMs: number;

  constructor(message: string, details: { taskId: string | number; timeoutMs: number }) {
    super("ERR_TASK_TIMEOUT", message);
    this.taskId = details.taskId;
    this.timeoutMs = details.timeoutMs;
  }
}

/** The task was cancelled with `cancel(reason)`; the reason is the `cause`. */
export class TaskCancelledError extends PoolError {
  readonly taskId: string | number;

  constructor(message: string, details: { taskId: string | number }, options?: ErrorOptions) {
    super("ERR_TASK_CANCELLED", message, options);
    this.taskId = details.taskId;
  }
}

/** The task module has no such export. */
export class UnknownTaskError extends PoolError {
  constructor(message: string) {
    super("ERR_UNKNOWN_TASK", message);
  }
}

/** Nothing arrived within the time given. */
export class ReceiveTimeoutError extends PoolError {
  constructor(message: string) {
    super("ERR_RECEIVE_TIMEOUT", message);
  }
}

/** How a worker was lost, as far as it is known. */
export interface LossDetails {
  readonly taskId?: string | number;
  readonly attempt?: number;
  readonly workerId?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly outOfMemory?: boolean;
  /** The last lines that the worker wrote on stderr. */
  readonly stderr?: string;
}

/** The worker that ran the task died, and there are no more tries. */
export class WorkerLostError extends PoolError {
  readonly taskId: string | number | undefined;
  readonly attempt: number | undefined;
  readonly workerId: string | undefined;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly outOfMemory: boolean;
  readonly stderr: string;

  constructor(message: string, details: LossDetails = {}, options?: ErrorOptions) {
    super("ERR_WORKER_LOST", message, options);
    this.taskId = details.taskId;
    this.attempt = details.attempt;
    this.workerId = details.workerId;
    this.exitCode = details.exitCode;
    this.signal = details.signal;
    this.outOfMemory = details.outOfMemory ?? false;
    this.stderr = details.stderr ?? "";
  }
}

/** The pool takes no more tasks, or was closed before it could run this one. */
export class PoolClosedError extends PoolError {
  constructor(message: string) {
    super("ERR_POOL_CLOSED", message);
  }
}

/** The queue holds `maxQueue` tasks already. */
export class QueueFullError extends PoolError {
  constructor(message: string) {
    super("ERR_QUEUE_FULL", message);
  }
}

/** There is no queued task of that id: it is unknown, running already, or settled. */
export class NoSuchTaskError extends PoolError {
  constructor(message: string) {
    super("ERR_NO_SUCH_TASK", message);
  }
}

/** A value cannot be sent: it holds a function, a symbol, or something else that has no copy. */
export class NotSerializableError extends PoolError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_NOT_SERIALIZABLE", message, options);
  }
}

/** Something arrived that is not what the protocol says. */
export class ProtocolError extends PoolError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_PROTOCOL", message, options);
  }
}

/** An option is unknown, of the wrong type or out of range. */
export class ConfigError extends PoolError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_CONFIG", message, options);
  }
}

/** The backend cannot have workers: the module does not load, or its workers keep dying at the start. */
export class BackendUnavailableError extends PoolError {
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_BACKEND_UNAVAILABLE", message, options);
  }
}

const OWN: ReadonlySet<string> = new Set([
  "PoolError",
  "TaskTimeoutError",
  "TaskCancelledError",
  "UnknownTaskError",
  "ReceiveTimeoutError",
  "WorkerLostError",
  "PoolClosedError",
  "QueueFullError",
  "NoSuchTaskError",
  "NotSerializableError",
  "ProtocolError",
  "ConfigError",
  "BackendUnavailableError",
]);
