// A foreground job from its submission to its end, over as many connections as that takes.
import { BackendUnavailableError, TaskTimeoutError } from "../../protocol/errors.ts";
import type { ClientLink, JobListener, JobPriority } from "./client-link.ts";
import type { LinkUser } from "./client-links.ts";
import { GearmanError } from "./gearman-error.ts";
import { kept } from "./kept.ts";
import { MAX_UNIQUE_BYTES } from "./packet.ts";

/** What a job does for its caller beside its result. */
export interface JobCallbacks {
  readonly onData?: ((data: Buffer) => void) | undefined;
  readonly onWarning?: ((data: Buffer) => void) | undefined;
  readonly onStatus?: ((numerator: number, denominator: number) => void) | undefined;
}

export interface JobPlan extends JobCallbacks {
  readonly fn: string;
  readonly data: string | Uint8Array;
  readonly priority: JobPriority;
  /** What the caller called it; undefined where that is left to the client. */
  readonly givenUnique: string | undefined;
  /** What it is called in messages, and where nobody gave it a name, at the server. */
  readonly id: string;
  readonly reducer: string | undefined;
  /** How often it may be submitted again. */
  readonly retries: number;
  readonly timeoutMs: number | undefined;
}

/** What a job needs of its client. */
export interface JobHome {
  /** Wants a connection. */
  use(job: ClientJob): void;
  /** Nobody waits for the job any more. It may still be in the server's queue. */
  abandoned(job: ClientJob, server: string, handle: string): void;
  settled(job: ClientJob): void;
}

export class ClientJob implements JobListener, LinkUser {
  readonly plan: JobPlan;
  readonly promise: Promise<Buffer>;
  /** 1, and one more each time that it is submitted again. */
  attempt = 1;
  readonly #home: JobHome;
  #resolve!: (result: Buffer) => void;
  #reject!: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #isSettled = false;
  #server = "";
  #handle: string | undefined;

  constructor(plan: JobPlan, home: JobHome) {
    this.plan = plan;
    this.#home = home;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (plan.timeoutMs !== undefined) this.#timer = setTimeout(() => this.#timedOut(plan.timeoutMs!), plan.timeoutMs);
  }

  /** What leads to a server: the caller's own unique, so that jobs of one unique meet. */
  get unique(): string {
    return this.plan.givenUnique ?? "";
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  linked(link: ClientLink): void {
    const { fn, data, priority, reducer } = this.plan;
    this.#server = link.server.name;
    this.#handle = undefined;
    const unique = uniqueOf(this.plan, this.attempt);
    if (reducer === undefined) link.submit({ fn, unique, data, priority, listener: this });
    else link.reduce(fn, unique, reducer, data, this);
  }

  unavailable(error: Error): void {
    this.reject(error);
  }

  created(handle: string): void {
    this.#handle = handle;
    if (this.#isSettled) this.#home.abandoned(this, this.#server, handle);
  }

  data(bytes: Buffer): void {
    const { onData } = this.plan;
    if (onData !== undefined) this.#tell(() => onData(kept(bytes)));
  }

  warning(bytes: Buffer): void {
    const { onWarning } = this.plan;
    if (onWarning !== undefined) this.#tell(() => onWarning(kept(bytes)));
  }

  status(numerator: number, denominator: number): void {
    const { onStatus } = this.plan;
    if (onStatus !== undefined) this.#tell(() => onStatus(numerator, denominator));
  }

  complete(bytes: Buffer): void {
    this.#handle = undefined;
    if (this.#isSettled) return;
    this.#settle();
    this.#resolve(kept(bytes));
  }

  exception(bytes: Buffer): void {
    const text = bytes.toString("utf8");
    this.#refuse(text === "" ? this.#says("the worker threw an exception without a text") : text, "WORK_EXCEPTION", {
      data: Uint8Array.from(bytes),
    });
  }

  failed(): void {
    this.#refuse(this.#says("the worker says that it failed, and not why"), "WORK_FAIL");
  }

  refused(error: GearmanError): void {
    this.reject(
      new GearmanError(this.#says(error.message), { code: error.code, server: error.server }, { cause: error }),
    );
  }

  lost(cause: Error): void {
    if (this.#isSettled) return;
    this.#handle = undefined;
    if (this.attempt > this.plan.retries) {
      const times = this.attempt === 1 ? "once" : `${this.attempt} times`;
      this.reject(
        new BackendUnavailableError(this.#says(`its connection was lost ${times} (${cause.message})`), { cause }),
      );
      return;
    }
    this.attempt++;
    this.#home.use(this);
  }

  /** It ends for the caller. What the server still says of it is dropped. */
  reject(error: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    if (this.#handle !== undefined) this.#home.abandoned(this, this.#server, this.#handle);
    this.#reject(error);
  }

  #refuse(message: string, code: string, more: { data?: Uint8Array } = {}): void {
    const handle = this.#handle ?? "";
    this.#handle = undefined;
    this.reject(new GearmanError(message, { code, server: this.#server, handle, ...more }));
  }

  #timedOut(timeoutMs: number): void {
    this.reject(
      new TaskTimeoutError(this.#says(`it was not done within ${timeoutMs} ms`), { taskId: this.plan.id, timeoutMs }),
    );
  }

  /** A callback that throws ends its own job and nothing else. */
  #tell(call: () => void): void {
    if (this.#isSettled) return;
    try {
      call();
    } catch (error) {
      this.reject(error);
    }
  }

  #settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#home.settled(this);
  }

  #says(why: string): string {
    return `Cannot finish job "${this.plan.id}" of "${this.plan.fn}": ${why}`;
  }
}

/**
 * Never the same twice: a server may still know the first as a job that nobody waits for, which it never runs, and would make one
 * of the two.
 */
function uniqueOf({ givenUnique, id }: JobPlan, attempt: number): string {
  if (attempt === 1) return givenUnique ?? id;
  // "-" stands for the payload, and so would be the same for all.
  const base = givenUnique === undefined || givenUnique === "" || givenUnique === "-" ? id : givenUnique;
  const again = `${base}.${attempt}`;
  return Buffer.byteLength(again) <= MAX_UNIQUE_BYTES ? again : `${id}.${attempt}`;
}
