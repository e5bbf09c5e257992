// The way between a worker's serve loop and the pool, whatever it is made of.
import type { AnswerBoard } from "../protocol/answer-board.ts";
import type { Claims } from "../protocol/claims.ts";
import type { WorkerReply } from "../protocol/messages.ts";

export interface WorkerPort {
  /** Sends a message. Throws when a value in it cannot be copied; then nothing was sent. */
  post(reply: WorkerReply, transfer?: readonly Transferable[]): void;
  /** Nothing more will come from this worker. */
  close(): void;
  /** Where the worker and the pool decide who has a task; undefined where nothing can be taken back. */
  readonly claims: Claims | undefined;
  /** Where answers are seen before they are sent; undefined where nothing is shared. */
  readonly board?: AnswerBoard;
  /** One word, zero at first, that all workers of a backend share (see `Linger`); undefined where they cannot, or need not stay awake. */
  readonly lingering?: SharedArrayBuffer;
  /** What the worker uses, in bytes. */
  memoryBytes(): number;
}

type Transferable = ArrayBuffer | object;
