// What a Gearman server, a worker behind it or the way there says instead of a result.

/**
 * What went wrong, as far as the protocol tells:
 * - `WORK_FAIL`: the worker says that the job failed, and no more. The server says so too, when a job has been tried too often
 *   (`--job-retries`), and of a job that somebody cancelled.
 * - `WORK_EXCEPTION`: the worker says why; that is the message.
 * - `CONNECTION_LOST`: the way to the server was cut, or never led there.
 * - anything else: the code of an ERROR packet or of an answer to an administrator, such as `QUEUE_ERROR` (the queue is full).
 */
export class GearmanError extends Error {
  override readonly name: string = "GearmanError";
  readonly code: string;
  /** The server that said so, as `host:port`. */
  readonly server: string;
  /** The job's handle at that server, where there was one. */
  readonly handle: string | undefined;
  /** Of an exception: its bytes, which need not be text. */
  readonly data: Uint8Array | undefined;

  constructor(
    message: string,
    details: { code: string; server: string; handle?: string; data?: Uint8Array },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = details.code;
    this.server = details.server;
    this.handle = details.handle;
    this.data = details.data;
  }
}
