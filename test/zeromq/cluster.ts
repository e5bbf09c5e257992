// Programs of a cluster, on free ports of this machine, gone after the test.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  ClusterWorker,
  type ClusterWorkerOptions,
  Sink,
  type SinkOptions,
  Ventilator,
  type VentilatorOptions,
} from "../../src/backends/zeromq/index.ts";
import { until } from "../../src/testing/stage.ts";

export { until } from "../../src/testing/stage.ts";

export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it printed so far. */
  readonly lines: string[];
  /** Resolves when it has printed the line. */
  prints(line: string): Promise<void>;
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | string>;
  kill(signal?: NodeJS.Signals): void;
}

/** Starts a fixture, and waits until it says that it is up. */
export async function start(
  t: TestContext,
  name: string,
  options: object,
  argv: readonly string[] = [],
): Promise<Program> {
  const program = launch(t, [process.execPath, fixture(`${name}.ts`), JSON.stringify(options), ...argv]);
  await program.prints("up");
  return program;
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

export function launch(t: TestContext, [command, ...args]: readonly string[]): Program {
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => void lines.push(line));
  let end: number | string | undefined;
  const ended = once(child, "close").then(([code, signal]) => {
    end = (code ?? signal) as number | string;
    return end;
  });
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return {
    child,
    pid: child.pid!,
    lines,
    prints: (line) =>
      until(() => lines.includes(line) || end !== undefined, `"${line}" from ${args[0]}`).then(() => {
        if (!lines.includes(line))
          throw new Error(`${args[0]} ended with ${end} before it said "${line}": ${lines.join("\n")}`);
      }),
    ended,
    kill: (signal = "SIGKILL") => void child.kill(signal),
  };
}

/** An address that nobody uses. */
export async function freeUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return `tcp://127.0.0.1:${port}`;
}

export const anyPort = { url: "tcp://127.0.0.1:*", bind: true } as const;
/** Quick to notice what is lost. */
export const quick = { heartbeatMs: 100, leaseMs: 600 } as const;

export async function ventilator(
  t: TestContext,
  options: Partial<VentilatorOptions> = {},
): Promise<{ ventilator: Ventilator; url: string }> {
  const made = new Ventilator({ requests: anyPort, ...quick, ...options });
  t.after(() => made.terminate());
  const [url] = await made.open();
  return { ventilator: made, url: url! };
}

export async function sink(t: TestContext, options: Partial<SinkOptions> = {}): Promise<{ sink: Sink; url: string }> {
  const made = new Sink({ results: anyPort, ...quick, ...options });
  t.after(() => made.close());
  const [url] = await made.open();
  return { sink: made, url: url! };
}

/** A worker in this process, which runs. */
export function worker<I>(
  t: TestContext,
  options: ClusterWorkerOptions<I>,
): { worker: ClusterWorker<I>; exit: ReturnType<ClusterWorker["run"]> } {
  const made = new ClusterWorker({ graceMs: 1_000, ...options });
  t.after(() => made.terminate());
  const exit = made.run();
  exit.catch(() => {});
  return { worker: made, exit };
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
