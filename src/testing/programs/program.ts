// Starts a program of the suite in a process of its own, over a subject.

import { type ChildProcess, spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { beside } from "../stage.ts";
import type { Subject } from "../subject.ts";

export interface Program {
  readonly child: ChildProcess;
  /** The next line that it tells, parsed; rejects when it ends before. */
  next(): Promise<unknown>;
  /** Resolves when it has ended and all its output is read. */
  readonly ended: Promise<Ending>;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it told, line by line, and was not asked for with `next`. */
  readonly told: unknown[];
  readonly stderr: string;
}

/** Killed after the test, with all its process group, if it is still there. */
export function program(t: TestContext, subject: Subject, name: string, ...args: string[]): Program {
  const argv = [fileURLToPath(beside(`programs/${name}`)), subject.module.href, ...args];
  // A group of its own, as a shell would give it: Ctrl-C reaches all of the group.
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  t.after(() => {
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // All of the group is gone, as it should be.
    }
  });
  const told: unknown[] = [];
  const waiting: { resolve(line: unknown): void; reject(error: Error): void }[] = [];
  let buffered = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (buffered + text).split("\n");
    buffered = lines.pop() as string;
    for (const line of lines) {
      const waiter = waiting.shift();
      if (waiter === undefined) told.push(JSON.parse(line));
      else waiter.resolve(JSON.parse(line));
    }
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ending>((resolve) => {
    child.once("close", (code, signal) => {
      for (const waiter of waiting) waiter.reject(new Error(`${name} ended with ${code ?? signal}: ${stderr}`));
      resolve({ code, signal, told, stderr });
    });
  });
  const next = (): Promise<unknown> =>
    told.length > 0
      ? Promise.resolve(told.shift())
      : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  return { child, next, ended };
}
