// The way to and from one server: a client that sends, and a worker that receives what is for this party. It stands when both do, falls
// when one does, and is made again.
import type { AssignedJob } from "../assigned-job.ts";
import { ClientLink } from "../client-link.ts";
import type { ConnectionOptions } from "../connection.ts";
import { Reconnecting } from "../reconnecting.ts";
import type { ServerAddress } from "../servers.ts";
import { Slots } from "../slots.ts";
import { WorkerLink } from "../worker-link.ts";

export interface LineEars {
  up(): void;
  down(): void;
  /** Something for this party. Its payload holds within the call. */
  job(job: AssignedJob): void;
}

/** The two connections of one attempt. */
interface Pair {
  client: ClientLink | undefined;
  worker: WorkerLink | undefined;
  isUp: boolean;
}

/** How many jobs are asked for in advance. Each is answered as soon as it is here. */
const ASKED_AHEAD = 64;

export class Line {
  readonly server: ServerAddress;
  /** Counts the times that it stood. */
  generation = 0;
  /** Why it does not stand, where that is known. */
  lastError: Error | undefined;
  readonly #fn: string;
  readonly #options: ConnectionOptions;
  readonly #ears: LineEars;
  readonly #reconnecting: Reconnecting;
  readonly #isHolding: boolean;
  #pair: Pair | undefined;
  #isClosed = false;
  #onClosed: (() => void)[] = [];

  /** @param isHolding it keeps the process alive */
  constructor(server: ServerAddress, fn: string, options: ConnectionOptions, isHolding: boolean, ears: LineEars) {
    this.server = server;
    this.#fn = fn;
    this.#options = options;
    this.#isHolding = isHolding;
    this.#ears = ears;
    this.#reconnecting = new Reconnecting(() => this.open());
  }

  get isUp(): boolean {
    return this.#pair?.isUp === true;
  }

  /** The client's side, as long as the line stands. */
  get client(): ClientLink | undefined {
    return this.isUp ? this.#pair!.client : undefined;
  }

  open(): void {
    const pair: Pair = { client: undefined, worker: undefined, isUp: false };
    this.#pair = pair;
    const ready = (): void => {
      if (pair.isUp || pair.client?.isReady !== true || pair.worker?.isReady !== true) return;
      pair.isUp = true;
      this.generation++;
      this.lastError = undefined;
      this.#reconnecting.established();
      this.#ears.up();
    };
    pair.client = new ClientLink(
      this.server,
      {
        ready,
        lost: (cause) => {
          pair.client = undefined;
          this.#fell(pair, cause);
        },
      },
      this.#options,
    );
    const workerEnded = (cause?: Error): void => {
      pair.worker = undefined;
      this.#fell(pair, cause);
    };
    pair.worker = new WorkerLink(
      this.server,
      {
        ready,
        job: (job) => this.#ears.job(job),
        drained: workerEnded,
        lost: workerEnded,
      },
      {
        ...this.#options,
        functions: new Set([this.#fn]),
        id: this.#fn,
        slots: new Slots(ASKED_AHEAD),
      },
    );
    if (this.#isHolding) return;
    pair.client.unref();
    pair.worker.unref();
  }

  /** Sends what is left to send, closes, and resolves when it is closed. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#reconnecting.stop();
    const pair = this.#pair;
    if (pair === undefined || (pair.client === undefined && pair.worker === undefined)) return Promise.resolve();
    const closed = new Promise<void>((resolve) => this.#onClosed.push(resolve));
    pair.client?.ref();
    pair.worker?.ref();
    if (pair.isUp) {
      pair.client?.end();
      pair.worker?.drain();
    } else {
      pair.client?.destroy();
      pair.worker?.destroy();
    }
    return closed;
  }

  #fell(pair: Pair, cause: Error | undefined): void {
    const wasUp = pair.isUp;
    pair.isUp = false;
    if (cause !== undefined) this.lastError = cause;
    if (!this.#isClosed) {
      pair.client?.destroy();
      pair.worker?.destroy();
      if (wasUp) this.#ears.down();
    }
    if (pair.client !== undefined || pair.worker !== undefined) return;
    if (this.#isClosed) for (const closed of this.#onClosed.splice(0)) closed();
    else this.#reconnecting.lost();
  }
}
