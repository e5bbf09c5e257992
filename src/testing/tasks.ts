// The tasks of the conformance suite. Each does one thing, some of them badly on purpose.

import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type MessagePort, threadId } from "node:worker_threads";
import { DeferTask, PermanentError, type TaskContext, WorkerBusy } from "../worker/index.ts";
import { cloneable, throwable, uncloneable } from "./specimens.ts";

// --- values -------------------------------------------------------------------------------------------------------

export function echo(value: unknown): unknown {
  return value;
}

export async function double(n: number): Promise<number> {
  return n * 2;
}

/** Not an async function, but one that gives a promise. */
export function promised(n: number): Promise<number> {
  return Promise.resolve(n).then((value) => value + 1);
}

export function give(specimen: string): unknown {
  const make = cloneable[specimen] ?? uncloneable[specimen];
  if (make === undefined) throw new Error(`No specimen "${specimen}"`);
  return make();
}

export function fail(specimen: string): never {
  const make = throwable[specimen];
  if (make === undefined) throw new Error(`No specimen "${specimen}"`);
  throw make();
}

/** Fails late, after it has given way. */
export async function failLater(message: string): Promise<never> {
  await delay(1);
  throw new Error(message);
}

/** Fails as the platform does: with a code, an errno and a path. */
export function failToRead(path: string): string {
  return readFileSync(path, "utf8");
}

export function failIfOdd(n: number): number {
  if (n % 2 === 1) throw new RangeError(`${n} is odd`);
  return n;
}

/** Changes its input in place. */
export function mutate(box: { n: number }): number {
  box.n += 1;
  return box.n;
}

const kept = { list: [1, 2, 3] };
/** Gives the same object every time. */
export function giveKept(): { list: number[] } {
  return kept;
}

export function bytes(length: number): Uint8Array {
  return new Uint8Array(length).fill(7);
}

export function text(length: number): string {
  return "x".repeat(length);
}

export function addToShared(shared: Int32Array): number {
  return Atomics.add(shared, 0, 1);
}

export function answerOnPort(port: MessagePort): string {
  port.postMessage("through the port");
  port.close();
  return "sent";
}

export function giveShared(): SharedArrayBuffer {
  return new SharedArrayBuffer(8);
}

// --- who and when -------------------------------------------------------------------------------------------------

export interface Identity {
  readonly pid: number;
  readonly threadId: number;
  readonly workerId: string;
  readonly taskId: string | number;
  readonly attempt: number;
  readonly priority: number;
}

export function whoami(_input: unknown, ctx: TaskContext): Identity {
  return {
    pid: process.pid,
    threadId,
    workerId: ctx.workerId,
    taskId: ctx.taskId,
    attempt: ctx.attempt,
    priority: ctx.priority,
  };
}

let calls = 0;
/** How often it was called in this worker. */
export function callsHere(): number {
  calls += 1;
  return calls;
}

export interface Line {
  readonly file: string;
  readonly line: string;
}

/** Leaves a line in a file: a witness that it ran. */
export function record(input: Line): string {
  appendFileSync(input.file, `${input.line}\n`);
  return input.line;
}

/** Like `record`, and says on which worker. */
export function recordWorker(input: Line, ctx: TaskContext): string {
  appendFileSync(input.file, `${input.line} ${ctx.workerId}\n`);
  return ctx.workerId;
}

/** Like `record`, and takes a while. */
export async function recordSlowly(input: Line & { readonly ms: number }): Promise<string> {
  appendFileSync(input.file, `${input.line}\n`);
  await delay(input.ms);
  return input.line;
}

export async function sleep(ms: number): Promise<number> {
  await delay(ms);
  return ms;
}

/** Takes a while, and says where. */
export async function sleepHere(ms: number, ctx: TaskContext): Promise<string> {
  await delay(ms);
  return ctx.workerId;
}

// --- waiting for the test -----------------------------------------------------------------------------------------

export interface Hold {
  readonly gate: string;
  readonly value?: unknown;
}

/** Says that it has started and waits until the gate opens, deaf to its signal. */
export async function hold(input: Hold, ctx: TaskContext): Promise<unknown> {
  ctx.progress("started");
  await opened(input.gate);
  return input.value;
}

/** Waits like `hold`, but ends when its signal does, and leaves the reason in a file. */
export async function obey(input: Hold & { readonly file?: string }, ctx: TaskContext): Promise<unknown> {
  ctx.progress("started");
  await new Promise<void>((resolve, reject) => {
    ctx.signal.addEventListener("abort", () => {
      if (input.file !== undefined) appendFileSync(input.file, `aborted ${String(ctx.signal.reason)}\n`);
      reject(ctx.signal.reason);
    });
    void opened(input.gate).then(resolve);
  });
  return input.value;
}

/** Tells when its signal is aborted, and goes on regardless. */
export async function hear(input: Hold & { readonly file: string }, ctx: TaskContext): Promise<unknown> {
  ctx.signal.addEventListener("abort", () => appendFileSync(input.file, "heard\n"));
  ctx.progress("started");
  await opened(input.gate);
  return input.value;
}

/** Ends only when `count` of them run at once. */
export async function meet(input: {
  readonly dir: string;
  readonly me: string;
  readonly count: number;
}): Promise<string> {
  writeFileSync(join(input.dir, input.me), "");
  while (existsSync(input.dir) && readdirSync(input.dir).length < input.count) await delay(2);
  return input.me;
}

/** Never gives way and never ends. */
export function spin(_input: unknown, ctx: TaskContext): never {
  ctx.progress("started");
  for (;;);
}

/** Starts like an honest task, and gives its start away before it stops giving way. */
export async function spinLater(_input: unknown, ctx: TaskContext): Promise<never> {
  ctx.progress("started");
  await delay(5);
  for (;;);
}

/** Never gives way for so many milliseconds. */
export function spinFor(ms: number): number {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
}

/** Never gives way, then does, and tells what its signal said. */
export async function spinThenLook(ms: number, ctx: TaskContext): Promise<boolean> {
  spinFor(ms);
  await delay(20);
  return ctx.signal.aborted;
}

async function opened(gate: string): Promise<void> {
  // A gate whose directory is gone belongs to a test that is over.
  while (!existsSync(gate) && existsSync(dirname(gate))) await delay(2);
}

// --- again --------------------------------------------------------------------------------------------------------

export interface Again {
  readonly file: string;
  /** The attempt on which it succeeds. */
  readonly succeedOn: number;
}

export function failUntil(input: Again, ctx: TaskContext): number {
  appendFileSync(input.file, `${ctx.attempt}\n`);
  if (ctx.attempt < input.succeedOn) throw new Error(`failed on ${ctx.attempt}`);
  return ctx.attempt;
}

export function exitUntil(input: Again & { readonly code: number }, ctx: TaskContext): number {
  appendFileSync(input.file, `${ctx.attempt}\n`);
  if (ctx.attempt < input.succeedOn) process.exit(input.code);
  return ctx.attempt;
}

export async function sleepUntil(input: Again & { readonly gate: string }, ctx: TaskContext): Promise<number> {
  appendFileSync(input.file, `${ctx.attempt}\n`);
  if (ctx.attempt < input.succeedOn) await opened(input.gate);
  return ctx.attempt;
}

export interface Deferral {
  readonly file: string;
  readonly line: string;
  readonly times: number;
  readonly priority?: number;
  readonly delayMs?: number;
}

/** Puts itself off so many times, then gives its line. */
export function defer(input: Deferral, ctx: TaskContext): string {
  appendFileSync(input.file, `${input.line} ${ctx.attempt}\n`);
  if (ctx.attempt > input.times) return input.line;
  throw new DeferTask({
    ...(input.priority === undefined ? {} : { priority: input.priority }),
    ...(input.delayMs === undefined ? {} : { delayMs: input.delayMs }),
  });
}

/** Asks for something that no deferral can mean. */
export function deferBadly(_input: unknown, ctx: TaskContext): string {
  if (ctx.attempt > 5) return "deferred for ever";
  throw new DeferTask({ priority: "soon" as unknown as number, delayMs: Number.NaN });
}

/** Says "not this worker, not now" so many times. */
export function beBusy(
  input: { readonly file: string; readonly times: number; readonly retryAfterMs: number },
  ctx: TaskContext,
): number {
  appendFileSync(input.file, `${ctx.attempt}\n`);
  if (ctx.attempt <= input.times) throw new WorkerBusy({ retryAfterMs: input.retryAfterMs });
  return ctx.attempt;
}

export function failForGood(input: Line): never {
  appendFileSync(input.file, `${input.line}\n`);
  throw new PermanentError("it will never work");
}

// --- dying --------------------------------------------------------------------------------------------------------

export function exit(code: number): never {
  process.exit(code);
}

export function recordAndExit(input: Line & { readonly code: number }): never {
  appendFileSync(input.file, `${input.line}\n`);
  process.exit(input.code);
}

/** One of many: some exit, the others give their number back. */
export function exitIf(input: { readonly n: number; readonly bad: boolean }): number {
  if (input.bad) process.exit(9);
  return input.n;
}

/** Gives its value and is gone a moment later; but only on its first attempt. */
export function exitAfterReturn(value: string, ctx: TaskContext): string {
  if (ctx.attempt === 1) setImmediate(() => process.exit(0));
  return value;
}

/** Ends its worker some time after it has given its value. */
export function exitSoon(ms: number): string {
  setTimeout(() => process.exit(5), ms);
  return "still here";
}

export function sendMyself(signal: NodeJS.Signals): Promise<never> {
  process.kill(process.pid, signal);
  return new Promise(() => {});
}

export function abort(): never {
  process.abort();
}

/** Takes memory until there is none left. */
export function exhaust(): number {
  const hoard: unknown[] = [];
  for (;;) hoard.push(Array.from({ length: 1_000 }, (_, i) => ({ i, text: `${i}` })));
}

export function overflow(depth: number): number {
  return overflow(depth + 1) + 1;
}

export async function complainAndExit(text: string): Promise<never> {
  await new Promise<void>((written) => process.stderr.write(`${text}\n`, () => written()));
  process.exit(7);
}

// --- errors that nobody awaits ------------------------------------------------------------------------------------

export function throwAfterReturn(): string {
  setTimeout(() => {
    throw new Error("a stray throw");
  }, 1);
  return "returned";
}

export function rejectAfterReturn(): string {
  setTimeout(() => void Promise.reject(new Error("a stray rejection")), 1);
  return "returned";
}

export async function rejectUnheard(input: Hold): Promise<void> {
  void Promise.reject(new Error("rejected unheard"));
  await opened(input.gate);
}

export async function throwUnheard(input: Hold): Promise<void> {
  setTimeout(() => {
    throw new Error("thrown unheard");
  }, 1);
  await opened(input.gate);
}

// --- telling ------------------------------------------------------------------------------------------------------

export function report(values: readonly unknown[], ctx: TaskContext): string {
  for (const value of values) ctx.progress(value);
  return "reported";
}

export function reportSpecimen(specimen: string, ctx: TaskContext): string {
  ctx.progress("before");
  ctx.progress(give(specimen));
  ctx.progress("after");
  return "reported";
}

export function logAll(lines: readonly unknown[], ctx: TaskContext): string {
  ctx.log(...lines);
  return "logged";
}

export async function labelled(input: Hold & { readonly label: string }, ctx: TaskContext): Promise<void> {
  ctx.setLabel(input.label);
  ctx.progress("started");
  await opened(input.gate);
}

export function print(input: { readonly text: string; readonly stream: "stdout" | "stderr" }): string {
  process[input.stream].write(input.text);
  return "printed";
}

export function printTimes(input: { readonly text: string; readonly times: number }): number {
  for (let i = 0; i < input.times; i += 1) process.stdout.write(input.text);
  return input.times;
}

// --- streams ------------------------------------------------------------------------------------------------------

export async function* count(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i += 1) yield i;
}

export function* countAtOnce(to: number): Generator<number> {
  for (let i = 0; i < to; i += 1) yield i;
}

export async function* countThenFail(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i += 1) yield i;
  throw new RangeError(`no more than ${to}`);
}

export async function* nothing(): AsyncGenerator<never> {}

/** Counts without end; leaves a line for every value made, and a last one when it is stopped. */
export async function* countForEver(file: string): AsyncGenerator<number> {
  try {
    for (let i = 0; ; i += 1) {
      appendFileSync(file, `${i}\n`);
      yield i;
    }
  } finally {
    appendFileSync(file, "finally\n");
  }
}

export function* countAtOnceForEver(file: string): Generator<number> {
  try {
    for (let i = 0; ; i += 1) yield i;
  } finally {
    appendFileSync(file, "finally\n");
  }
}

/** Three values, and a worker that is gone before the fourth; on its second attempt all of them. */
export async function* countThenExit(to: number, ctx: TaskContext): AsyncGenerator<number> {
  for (let i = 0; i < to; i += 1) {
    if (i === 3) {
      await delay(20);
      if (ctx.attempt === 1) process.exit(2);
    }
    yield i;
  }
}

export async function* yieldSpecimen(specimen: string): AsyncGenerator<unknown> {
  yield "first";
  yield give(specimen);
  yield "last";
}

/** Yields the same object again and again, changed each time. */
export function* yieldKept(to: number): Generator<{ n: number }> {
  const box = { n: 0 };
  for (; box.n < to; box.n += 1) yield box;
}

/** Tells of each value before it is yielded. */
export async function* reportAndYield(to: number, ctx: TaskContext): AsyncGenerator<number> {
  for (let i = 0; i < to; i += 1) {
    ctx.progress(i);
    yield i;
  }
}

export default function (value: unknown): { default: unknown } {
  return { default: value };
}

export const notATask = 42;
