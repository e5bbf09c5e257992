// Errors that nobody awaits, in a worker's own thread or process: they are reported instead of ending it.

interface StrayReceiver {
  stray(error: unknown): void;
}

/** Collects stray errors until there is somebody to tell. */
export function reportStrays(): { to(receiver: StrayReceiver): void } {
  let receiver: StrayReceiver | undefined;
  const early: unknown[] = [];
  const report = (error: unknown): void => {
    if (receiver === undefined) early.push(error);
    else receiver.stray(error);
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
  return {
    to(next) {
      receiver = next;
      for (const error of early.splice(0)) next.stray(error);
    },
  };
}
