/**
 * How long to wait before try number `failures + 1`: `baseMs` doubled with each failure, at most `maxMs`, and of that a random
 * part between a half and the whole, so that many who failed together do not come back together.
 */
export function backoff(failures: number, baseMs: number, random: () => number, maxMs = 30_000): number {
  const whole = Math.min(maxMs, baseMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return whole * (0.5 + random() * 0.5);
}
