// Every shape that a task can have.

import type { TaskContext } from "../../src/worker/index.ts";

export async function double(n: number): Promise<number> {
  return n * 2;
}

export function sync(text: string): number {
  return text.length;
}

export function withContext(input: { file: string }, ctx: TaskContext): { file: string } {
  ctx.progress(1);
  return input;
}

export function noInput(): void {}

export async function* numbers(to: number): AsyncGenerator<number> {
  for (let n = 0; n < to; n += 1) yield n;
}

export function* letters(text: string): Generator<string> {
  yield* text;
}

export async function setup(_data: unknown): Promise<void> {}

export async function teardown(): Promise<void> {}

export default function (flag: boolean): string {
  return flag ? "yes" : "no";
}

export const limit = 10;
