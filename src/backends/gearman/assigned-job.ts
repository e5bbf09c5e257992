// A job that a server has given to this worker, and the ways to answer it. Belongs to the connection it came by.
import type { Argument } from "./packet.ts";

/** Where a job's packets go. */
export interface JobOwner {
  tell(job: AssignedJob, kind: "data" | "warning", bytes: Argument): void;
  tellStatus(job: AssignedJob, numerator: number, denominator: number): void;
  finish(job: AssignedJob, kind: "complete" | "exception", bytes: Argument): void;
  fail(job: AssignedJob): void;
}

export class AssignedJob {
  readonly handle: string;
  readonly fn: string;
  /** What the client called it; empty where it did not, or where the server does not say. */
  readonly unique: string;
  /** The function that puts partial results together; empty for a plain job. */
  readonly reducer: string;
  /** Of the caller. A view that holds within the call which brought the job. */
  readonly payload: Buffer;
  /** Told when the connection is lost: nobody will take the result, and the job goes to somebody else. */
  onLost: ((cause: Error) => void) | undefined;
  readonly #owner: JobOwner;
  #isOver = false;

  constructor(
    owner: JobOwner,
    details: { handle: string; fn: string; unique: string; reducer: string; payload: Buffer },
  ) {
    this.#owner = owner;
    this.handle = details.handle;
    this.fn = details.fn;
    this.unique = details.unique;
    this.reducer = details.reducer;
    this.payload = details.payload;
  }

  /** It is answered, or its connection is gone: whatever is said of it now is dropped. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends it with a result. */
  complete(bytes: Argument): void {
    if (this.#end()) this.#owner.finish(this, "complete", bytes);
  }

  /** Ends it as failed, and says why. */
  exception(bytes: Argument): void {
    if (this.#end()) this.#owner.finish(this, "exception", bytes);
  }

  /** Ends it as failed. */
  fail(): void {
    if (this.#end()) this.#owner.fail(this);
  }

  data(bytes: Argument): void {
    if (!this.#isOver) this.#owner.tell(this, "data", bytes);
  }

  warning(bytes: Argument): void {
    if (!this.#isOver) this.#owner.tell(this, "warning", bytes);
  }

  /** Both are whole numbers, 0 or more. */
  status(numerator: number, denominator: number): void {
    if (!this.#isOver) this.#owner.tellStatus(this, numerator, denominator);
  }

  /** @internal */
  lost(cause: Error): void {
    if (this.#end()) this.onLost?.(cause);
  }

  #end(): boolean {
    const wasOver = this.#isOver;
    this.#isOver = true;
    return !wasOver;
  }
}
