// Profiles of tasks for the tests of the core.
import type { Profile } from "../../src/core/task-table.ts";

export function profile(differences: Partial<Profile> = {}): Profile {
  return {
    series: 0,
    retries: -1,
    retryDelayMs: 100,
    timeoutMs: 0,
    deadlineMs: 0,
    atMostOnce: false,
    isChunk: false,
    ...differences,
  };
}
