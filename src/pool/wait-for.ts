import type { Engine } from "./engine.ts";

/** Resolves when `isDone` answers true, rejects with the reason when the signal is aborted before. */
export function waitFor(
  engine: Engine,
  isDone: () => boolean,
  signal: AbortSignal | undefined,
  keepsAlive: boolean,
): Promise<void> {
  if (signal === undefined) return engine.until(isDone, keepsAlive);
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    let isAborted = false;
    const abort = (): void => {
      isAborted = true;
      reject(signal.reason);
      engine.scheduleFlush();
    };
    signal.addEventListener("abort", abort, { once: true });
    void engine
      .until(() => isAborted || isDone(), keepsAlive)
      .then(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
  });
}
