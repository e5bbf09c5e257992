// Sends what tasks write on stdout and stderr to the pool instead, where it is known which task wrote it.

type Write = typeof process.stdout.write;

/** Replaces the writers of this thread's standard streams. `capture` gets 1 for stdout, 2 for stderr. */
export function captureOutput(capture: (stream: 1 | 2, text: string) => void): void {
  process.stdout.write = writer((text) => capture(1, text));
  process.stderr.write = writer((text) => capture(2, text));
}

function writer(capture: (text: string) => void): Write {
  return ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
    capture(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"));
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  }) as Write;
}
