// What becomes of the items that a chunk leaves without an answer. Decides; carries nothing out.
import { backoff } from "./backoff.ts";
import type { SettleReason } from "./command.ts";
import type { Profile } from "./task-table.ts";

/** What an item that goes again brings along. */
export interface History {
  readonly attempts: number;
  /** Failed attempts that count against its retries. */
  readonly charged: number;
  /** Workers that were lost while it was the only suspect. */
  readonly losses: number;
  /** It is sent by itself, with nothing else at the worker. */
  readonly isAlone: boolean;
  readonly delayMs: number;
}

export const UNTRIED: History = { attempts: 0, charged: 0, losses: 0, isAlone: false, delayMs: 0 };

/** With what an item goes again that threw or took too long; undefined where it does not. Retries that were not given are none. */
export function afterFailure(
  attempt: number,
  { retries, retryDelayMs }: Profile,
  random: () => number,
): History | undefined {
  if (retries <= 0) return undefined;
  return { attempts: attempt, charged: 1, losses: 0, isAlone: false, delayMs: backoff(1, retryDelayMs, random) };
}

/**
 * With what an item goes again; undefined where it fails with the chunk's error.
 *
 * @param reason why the chunk ended; undefined where it ended by itself, or could not be sent
 * @param at which one of those left; 0 is the first
 * @param left how many there are
 * @param attempt of the chunk
 */
export function afterChunk(
  reason: SettleReason | undefined,
  at: number,
  left: number,
  attempt: number,
  profile: Profile,
  random: () => number,
): History | undefined {
  switch (reason) {
    case undefined:
      // Nothing of the rest has begun. One by one, what cannot be sent shows.
      return UNTRIED;
    case "timeout":
      // Answers leave before a timed item begins, so the first one without an answer is the late one.
      return at === 0 ? afterFailure(attempt, profile, random) : UNTRIED;
    case "lost": {
      // One of several killed the worker, nobody knows which: each goes again, alone and uncharged. A single one is charged.
      const isSingle = left === 1;
      if (isSingle && profile.retries === 0) return undefined;
      return { attempts: attempt, charged: 0, losses: isSingle ? 1 : 0, isAlone: true, delayMs: 0 };
    }
    default:
      return undefined;
  }
}
