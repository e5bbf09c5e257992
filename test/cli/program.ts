// Runs the real program, as a shell would.
import { type ChildProcessWithoutNullStreams, type SpawnOptionsWithoutStdio, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

export const program: string = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
export const fixtures: string = fileURLToPath(new URL("fixtures/", import.meta.url));
export const tasks: string = join(fixtures, "tasks.mjs");

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Lines of stdout. */
  readonly lines: readonly string[];
}

export interface Options {
  /** All of standard input; without it that is empty. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** After so long it is ended, so that a test that it hangs fails instead; default 45 s. */
  readonly longestMs?: number;
}

/** What a person's terminal would put into the environment changes nothing in a test. */
const quiet = { CI: "", NO_COLOR: "", FORCE_COLOR: undefined, NODE_OPTIONS: undefined };

/** Runs the program to its end. */
export async function manyhands(args: readonly string[], options: Options = {}): Promise<Ended> {
  const running = start(args, options);
  running.child.stdin.end(options.input ?? "");
  return running.ended;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  /** Resolves when what was written so far matches. */
  seen(stream: "stdout" | "stderr", pattern: RegExp): Promise<void>;
}

/** Starts the program; its standard input stays open. */
export function start(args: readonly string[], options: Options = {}): Running {
  return follow(spawn(process.execPath, [program, ...args], settingsOf(options)));
}

/** Runs a line of bash, in which `manyhands` is the program, to its end. */
export async function bash(line: string, options: Options = {}): Promise<Ended> {
  const running = startBash(line, options);
  running.child.stdin.end(options.input ?? "");
  return running.ended;
}

/** Starts a line of bash, in which `manyhands` is the program; its standard input stays open. */
export function startBash(line: string, options: Options = {}): Running {
  const script = `manyhands() { "${process.execPath}" "${program}" "$@"; }\n${line}`;
  return follow(spawn("bash", ["-c", script], settingsOf(options)));
}

function settingsOf({ cwd = fixtures, env = {}, longestMs = 45_000 }: Options): SpawnOptionsWithoutStdio {
  return { cwd, env: { ...process.env, ...quiet, ...env }, timeout: longestMs, killSignal: "SIGKILL" };
}

function follow(child: ChildProcessWithoutNullStreams): Running {
  const written = { stdout: "", stderr: "" };
  let onText: () => void = () => {};
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
      onText();
    });
  }
  // A program that has ended reads no input.
  child.stdin.on("error", () => {});
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      const lines = written.stdout === "" ? [] : written.stdout.replace(/\n$/, "").split("\n");
      resolve({ status, signal, ...written, lines });
      onText();
    });
  });
  return {
    child,
    ended,
    seen: (stream, pattern) =>
      new Promise((resolve, reject) => {
        const before = onText;
        onText = () => {
          before();
          if (pattern.test(written[stream])) resolve();
          else if (child.exitCode !== null) reject(new Error(`ended before ${pattern}: ${JSON.stringify(written)}`));
        };
        onText();
      }),
  };
}

/** A folder of its own for the tests of a file; it is gone afterwards. */
export function scratch(): {
  readonly path: (name: string) => string;
  readonly file: (name: string, text: string | Uint8Array) => string;
} {
  const folder = mkdtempSync(join(tmpdir(), "manyhands-cli-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  return {
    path,
    file: (name, text) => {
      writeFileSync(path(name), text);
      return path(name);
    },
  };
}

/** The numbers from 1, a line each. */
export function numbers(last: number): string {
  return Array.from({ length: last }, (_, at) => `${at + 1}\n`).join("");
}
