// Numbers as people read them.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** `10,000` */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** How long something took: `92ms`, `4.2s`, `1m08s`, `2h03m`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(ms < 0.0995 ? 2 : 1)}ms`;
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 9.95 * SECOND) return `${(ms / SECOND).toFixed(1)}s`;
  if (ms < 59.5 * SECOND) return `${Math.round(ms / SECOND)}s`;
  const seconds = Math.round(ms / SECOND);
  if (ms < HOUR - SECOND / 2) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  const minutes = Math.round(ms / MINUTE);
  return `${Math.floor(minutes / 60)}h${pad(minutes % 60)}m`;
}

/** As a clock shows it: `0:26`, `12:05`, `3:04:05`. */
export function formatClock(ms: number): string {
  const seconds = Math.round(ms / SECOND);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** `148/s`, `3.4/s`, and below one in ten seconds `2.5/min`. */
export function formatRate(perSecond: number): string {
  if (perSecond >= 9.95) return `${formatCount(perSecond)}/s`;
  if (perSecond >= 0.1 || perSecond === 0) return `${perSecond.toFixed(1)}/s`;
  return `${(perSecond * 60).toFixed(1)}/min`;
}

/** `62%`; never 100% before all is done. */
export function formatShare(share: number): string {
  return `${Math.floor(share * 100)}%`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
