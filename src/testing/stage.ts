// What the suite's tests stand on: a pool that is gone after the test, and ways to wait for something to happen.

import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import * as runner from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Pool, type PoolEvents, type PoolOptions, type Task } from "../index.ts";
import type { Subject, SubjectOptions } from "./subject.ts";
import * as suiteTasks from "./tasks.ts";

export type Tasks = typeof suiteTasks;

/** What the test under way needs, and the subject's workers lack. */
let lack: Lack | undefined;

/** A test: fails when it has not ended after 30 seconds. One that needs what the workers lack is skipped, and says what that is. */
export function it(name: string, body: (t: runner.TestContext) => Promise<void> | void): void {
  void runner.it(name, { timeout: 30_000 }, async (t) => {
    lack = undefined;
    try {
      await body(t);
    } catch (error) {
      // The lack itself, or what a test made of it.
      if (lack === undefined) throw error;
    }
    if (lack !== undefined) t.skip((lack as Lack).message);
  });
}

/** The test needs these tasks. */
export function needs(subject: Subject, ...names: readonly string[]): void {
  const { tasks } = subject.traits;
  const missing = names.find((name) => tasks?.includes(name) === false);
  if (missing !== undefined) throw lacking(`a worker of ${subject.name} has no task "${missing}"`);
}

class Lack extends Error {}

function lacking(what: string): Lack {
  lack = new Lack(what);
  return lack;
}

/** The module beside the suite, in the form in which the suite itself runs. */
export function beside(name: string): URL {
  return new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);
}

/** The suite's own tasks. */
export const tasksModule: URL = beside("tasks");

/** A pool that throws when it is asked for a task of the suite that the subject's workers have not. */
function withTasksOf(subject: Subject, pool: Pool<Tasks>): Pool<Tasks> {
  const { tasks } = subject.traits;
  if (tasks === undefined) return pool;
  return new Proxy(pool, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function") return member;
      return (...given: readonly unknown[]): unknown => {
        const [name] = given;
        if (NAMING.has(String(key)) && Object.hasOwn(suiteTasks, String(name))) needs(subject, String(name));
        return Reflect.apply(member, target, given);
      };
    },
  });
}

/** Methods of a pool whose first argument is a task's name. */
const NAMING = new Set(["run", "runAll", "map", "imap", "stream", "broadcast"]);

export interface StageOptions extends SubjectOptions {
  /** Default: the suite's own tasks. */
  readonly module?: URL;
  readonly pool?: PoolOptions;
}

/** A pool over the subject, of one worker if nothing is said, terminated after the test. */
export function openPool(t: runner.TestContext, subject: Subject, options: StageOptions = {}): Pool<Tasks> {
  const { module = tasksModule, pool: poolOptions, ...backendOptions } = options;
  if ((options.concurrency ?? 1) > 1 && subject.traits.takesSeveral === false)
    throw lacking(`a worker of ${subject.name} takes one task at a time`);
  const backend = subject.open(module, subject.traits.startsWorkers ? { size: 1, ...backendOptions } : backendOptions);
  const pool = new Pool<Tasks>(backend, poolOptions);
  t.after(() => pool.terminate());
  return withTasksOf(subject, pool);
}

/** One pool for all tests of a `describe`, for those that leave it as they found it. */
export function sharedPool(subject: Subject, options: SubjectOptions = {}): () => Pool<Tasks> {
  let pool: Pool<Tasks> | undefined;
  runner.after(() => pool?.terminate());
  return () => {
    pool ??= withTasksOf(
      subject,
      new Pool<Tasks>(subject.open(tasksModule, subject.traits.startsWorkers ? { size: 1, ...options } : options)),
    );
    return pool;
  };
}

/** A directory of the test's own. */
export function scratch(t: { after(end: () => void): void }): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "manyhands-")));
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

/** An empty directory inside `directory`. */
export function subdirectory(directory: string, name: string): string {
  const made = join(directory, name);
  mkdirSync(made);
  return made;
}

/** Writes a task module and gives its URL. */
export function writeModule(directory: string, name: string, source: string): URL {
  const file = join(directory, name);
  writeFileSync(file, source);
  return pathToFileURL(file);
}

let gates = 0;

/** What `hold` and its like wait for. A task may be given the gate itself: a clone has its path and no more. */
export class Gate {
  readonly gate: string;
  constructor(directory: string) {
    gates += 1;
    this.gate = join(directory, `gate-${gates}`);
  }
  open(): void {
    writeFileSync(this.gate, "");
  }
}

export function closedGate(directory: string): Gate {
  return new Gate(directory);
}

/** A file in which tasks leave lines. */
export interface Witness {
  readonly file: string;
  lines(): string[];
  /** Resolves when there are so many lines. */
  until(count: number): Promise<string[]>;
  /** Resolves when there is such a line. */
  has(line: string): Promise<void>;
}

export function witness(directory: string, name = "witness"): Witness {
  const file = join(directory, name);
  appendFileSync(file, "");
  const lines = (): string[] => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
  return {
    file,
    lines,
    until: async (count) => {
      await until(() => lines().length >= count, `${count} lines in ${file}: ${lines().length}`);
      return lines();
    },
    has: (line) => until(() => lines().includes(line), `the line "${line}"`),
  };
}

/** Resolves when the condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `Waited in vain for ${what}`);
    await delay(3);
  }
}

/** Resolves at the first progress of a task: with `hold` and its like, when it has started. */
export function started<O>(task: Task<O>): Promise<unknown> {
  // A task that fails before it starts fails here too.
  return Promise.race([
    new Promise((resolve) => void task.onProgress(resolve)),
    task.then(() => assert.fail("The task ended without a start")),
  ]);
}

/** What a promise rejects with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => assert.fail(`Resolved with ${String(value)} instead of rejecting`),
    (reason: unknown) => reason,
  );
}

/** The class of an error, which `instanceof` knows. */
export type ErrorClass<E> = abstract new (...args: never[]) => E;

/** What a promise rejects with, when it is of that class. */
export async function rejectionOf<E extends Error>(kind: ErrorClass<E>, promise: PromiseLike<unknown>): Promise<E> {
  const reason = await rejection(promise);
  assertIs(kind, reason);
  return reason;
}

export function assertIs<E extends Error>(kind: ErrorClass<E>, error: unknown): asserts error is E {
  if (error instanceof kind) return;
  assert.fail(`Not a ${kind.name} but ${error instanceof Error ? error.stack : String(error)}`);
}

/** The next event of that name, or the next of which `which` says so. */
export function nextEvent<K extends keyof PoolEvents>(
  pool: Pool<Tasks>,
  name: K,
  which: (event: PoolEvents[K]) => boolean = () => true,
): Promise<PoolEvents[K]> {
  return new Promise((resolve) => {
    // An idle pool keeps no process alive: this does, until the event is here.
    const keepAlive = setInterval(() => {}, 60_000);
    const remove = pool.on(name, (event) => {
      if (!which(event)) return;
      clearInterval(keepAlive);
      remove();
      resolve(event);
    });
  });
}

/** All events of that name from now on. */
export function eventsOf<K extends keyof PoolEvents>(pool: Pool<Tasks>, name: K): PoolEvents[K][] {
  const events: PoolEvents[K][] = [];
  pool.on(name, (event) => void events.push(event));
  return events;
}

/** How often each task has settled, by id. */
export function settlements(pool: Pool<Tasks>): Map<string | number, number> {
  const times = new Map<string | number, number>();
  pool.on("taskSettled", ({ id }) => void times.set(id, (times.get(id) ?? 0) + 1));
  return times;
}

/** Every task has settled once, and the pool's counters say so too. */
export function assertAllSettledOnce(
  pool: Pool<Tasks>,
  times: ReadonlyMap<string | number, number>,
  accepted: number,
): void {
  const { queued, running, done, failed, cancelled } = pool.snapshot();
  assert.equal(times.size, accepted, "tasks that have settled");
  assert.deepEqual(
    [...times].filter(([, often]) => often !== 1),
    [],
    "tasks that have settled more than once",
  );
  assert.deepEqual(
    { queued, running, settled: done + failed + cancelled },
    { queued: 0, running: 0, settled: accepted },
  );
}

/** All workers of a pool are up. */
export async function allUp(pool: Pool<Tasks>): Promise<void> {
  const areUp = (): boolean => {
    const workers = pool.workers();
    return workers.length > 0 && workers.every((worker) => worker.state !== "starting");
  };
  await until(areUp, "all workers to be up");
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Everything that an iteration gives. */
export async function collect<T>(source: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of source) values.push(value);
  return values;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Bytes of the heap in use once everything unreachable is gone. */
export async function heapUsed(): Promise<number> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  // Twice, with a turn of the loop between: finalizers hold on to what they are about to let go.
  gc();
  await delay(5);
  gc();
  return process.memoryUsage().heapUsed;
}
