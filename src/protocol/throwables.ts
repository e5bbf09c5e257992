// What a task throws to say something other than "I failed". Branded, so that a task module's own copy of the library works too.

const DEFER = Symbol.for("manyhands.DeferTask");
const BUSY = Symbol.for("manyhands.WorkerBusy");
const PERMANENT_ERROR = Symbol.for("manyhands.PermanentError");

/** Puts the task at the back of its priority, or of another one; it keeps its id and no attempt is charged. */
export class DeferTask extends Error {
  readonly priority: number | undefined;
  readonly delayMs: number;

  /**
   * @param options `priority`: the new one, default unchanged (lower runs first);
   *   `delayMs`: how long to wait before it may run again, default 0; no worker is held meanwhile
   */
  constructor(options: { readonly priority?: number; readonly delayMs?: number } = {}) {
    super("the task asks to run later");
    this.priority = options.priority;
    this.delayMs = options.delayMs ?? 0;
    Object.defineProperty(this, DEFER, { value: true });
  }

  override get name(): string {
    return "DeferTask";
  }
}

/** This worker cannot run the task now, another may. Costs no attempt. */
export class WorkerBusy extends Error {
  readonly retryAfterMs: number;

  /** @param options `retryAfterMs`: how long this worker gets no tasks, default 1,000 */
  constructor(options: { readonly retryAfterMs?: number } = {}) {
    super("the worker cannot take the task now");
    this.retryAfterMs = options.retryAfterMs ?? 1_000;
    Object.defineProperty(this, BUSY, { value: true });
  }

  override get name(): string {
    return "WorkerBusy";
  }
}

/** Fails the task for good, whatever retries are left. */
export class PermanentError extends Error {
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, PERMANENT_ERROR, { value: true });
  }

  override get name(): string {
    return "PermanentError";
  }
}

export function isDeferTask(thrown: unknown): thrown is DeferTask {
  return carries(thrown, DEFER);
}

export function isWorkerBusy(thrown: unknown): thrown is WorkerBusy {
  return carries(thrown, BUSY);
}

export function isPermanentError(thrown: unknown): thrown is PermanentError {
  return carries(thrown, PERMANENT_ERROR);
}

function carries(thrown: unknown, brand: symbol): boolean {
  try {
    return typeof thrown === "object" && thrown !== null && Reflect.get(thrown, brand) === true;
  } catch {
    return false;
  }
}
