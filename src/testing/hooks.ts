// A task module with `setup` and `teardown`, which leave lines in the file they are given as `data`.

import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export interface Hooks {
  readonly file: string;
  /** Set up so many milliseconds long. Default: 0 */
  readonly setupMs?: number;
  /** Tear down so many milliseconds long. Default: 0 */
  readonly teardownMs?: number;
  readonly failSetup?: boolean;
  readonly failTeardown?: boolean;
}

let given: Hooks | undefined;

export async function setup(data: unknown): Promise<void> {
  given = data as Hooks;
  appendFileSync(given.file, "setup\n");
  await delay(given.setupMs ?? 0);
  if (given.failSetup === true) throw new Error("cannot set up");
}

export function work(line: string): boolean {
  if (given === undefined) return false;
  appendFileSync(given.file, `${line}\n`);
  return true;
}

export async function teardown(): Promise<void> {
  if (given === undefined) return;
  appendFileSync(given.file, "teardown\n");
  await delay(given.teardownMs ?? 0);
  if (given.failTeardown === true) throw new Error("cannot tear down");
  appendFileSync(given.file, "torn down\n");
}
