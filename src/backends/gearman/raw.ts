// Other people's functions as tasks of a pool: each task is a job with a plain payload, for whatever worker the server gives it to.
import { ConfigError } from "../../protocol/errors.ts";
import { flag, oneOf, type Rule, readOptions, show } from "../../protocol/options.ts";
import type { TaskContext } from "../../worker/task-context.ts";
import { readTaskModule, type TaskFunction } from "../../worker/task-module.ts";
import type { Backend } from "../backend.ts";
import { InThread } from "../in-thread.ts";
import { GearmanClient } from "./client.ts";
import type { JobPriority } from "./client-link.ts";
import type { SubmitOptions } from "./client-options.ts";
import { functionName, payload } from "./names.ts";
import type { ServerAddress } from "./servers.ts";
import type { TlsOptions } from "./socket.ts";

/** What makes a payload of an input, and a value of a result. */
export interface RawCodec {
  encode(input: unknown): string | Uint8Array;
  /** The bytes are a copy. */
  decode(result: Buffer): unknown;
}

export interface RawFunction {
  /** What it is called at the servers. */
  readonly fn: string;
  /**
   * `"text"` (default): input and result are texts, or the input bytes; `"bytes"`: the result is a `Uint8Array`; `"json"`: both are JSON
   * in UTF-8; or what does it. Nothing is evaluated.
   */
  readonly codec?: "text" | "bytes" | "json" | RawCodec;
  /** Among the jobs of that function at the server; default `"normal"`. The pool's own priorities come before. */
  readonly priority?: JobPriority;
  /** It gives one value for each piece that its worker sends (WORK_DATA), and one for its result where that is not empty; default false. */
  readonly stream?: boolean;
}

/** Names of tasks, and the functions that they are. */
export type RawFunctions = Readonly<Record<string, string | RawFunction>>;

interface FunctionPlan extends Required<RawFunction> {
  readonly codec: RawCodec;
}

export interface RawSettings {
  readonly servers: readonly ServerAddress[];
  readonly functions: ReadonlyMap<string, FunctionPlan>;
  readonly concurrency: number | undefined;
  readonly series: readonly string[];
  readonly heartbeatMs: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly tls: TlsOptions | undefined;
}

/** Jobs under way at once. Somebody else decides how many of them run. */
const CONCURRENCY = 100;

const BYTES: RawCodec = {
  encode: (input) => payload(input, "input"),
  decode: (result) => new Uint8Array(result),
};

const CODECS: Readonly<Record<"text" | "bytes" | "json", RawCodec>> = {
  text: { encode: (input) => payload(input, "input"), decode: (result) => result.toString() },
  bytes: BYTES,
  json: {
    encode: (input) => JSON.stringify(input) ?? "null",
    decode: (result) => (result.length === 0 ? undefined : (JSON.parse(result.toString()) as unknown)),
  },
};

const codecRule: Rule<RawCodec> = (value, refuse) => {
  if (typeof value === "string" && Object.hasOwn(CODECS, value)) return CODECS[value as keyof typeof CODECS];
  const { encode, decode } = Object(value) as Partial<RawCodec>;
  return typeof encode === "function" && typeof decode === "function"
    ? (value as RawCodec)
    : refuse('"text", "bytes", "json" or an object with encode and decode');
};

const rules = {
  fn: (value: unknown) => functionName(value),
  codec: codecRule,
  priority: oneOf("high", "normal", "low"),
  stream: flag,
};

/** The option `raw`. */
export const rawFunctions: Rule<RawSettings["functions"]> = (value, refuse) => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    return refuse('an object such as { wc: "wc" }');
  return new Map(
    Object.entries(value as Readonly<Record<string, unknown>>).map(([task, given]) => {
      const named = `function "${task}" of option "raw" of gearman()`;
      const read = readOptions(named, typeof given === "string" ? { fn: given } : given, rules);
      if (read.fn === undefined) throw new ConfigError(`Cannot use ${named}: option "fn" is ${show(read.fn)}`);
      const { fn, priority = "normal", stream = false } = read;
      return [task, { fn, codec: read.codec ?? CODECS.text, priority, stream }];
    }),
  );
};

/** A backend whose one worker is this process's way to the servers. */
export function rawBackend({ servers, functions, concurrency, series, ...connection }: RawSettings): Backend {
  const names = servers.map(({ name }) => name);
  const client = new GearmanClient(
    names,
    Object.fromEntries(Object.entries(connection).filter(([, value]) => value !== undefined)),
  );
  const tasks = Object.fromEntries([...functions].map(([task, plan]) => [task, taskOf(client, plan)]));
  return new InThread({
    name: "gearman",
    subject: `functions at Gearman server ${names.map((name) => `"${name}"`).join(", ")}`,
    plan: {
      size: { min: 1, max: 1, idleMs: 0 },
      concurrency: concurrency ?? CONCURRENCY,
      series: ["gearman", "remote", ...series],
      startTimeoutMs: 0,
      maxTasks: 0,
      maxRssMb: 0,
    },
    load: async () => readTaskModule(tasks),
    close: () => client.terminate(),
  });
}

function taskOf(client: GearmanClient, plan: FunctionPlan): TaskFunction {
  const { fn, codec: read } = plan;
  if (plan.stream) {
    return (input, context) =>
      pieces(read, (onData) => client.submit(fn, read.encode(input), { ...optionsOf(plan, context), onData }));
  }
  return async (input, context) => {
    const parts: Buffer[] = [];
    const onData = (data: Buffer): void => void parts.push(data);
    const result = await client.submit(fn, read.encode(input), { ...optionsOf(plan, context), onData });
    // As the gearman command prints it.
    return read.decode(parts.length === 0 ? result : Buffer.concat([...parts, result]));
  };
}

function optionsOf({ priority }: FunctionPlan, context: TaskContext): SubmitOptions {
  return {
    priority,
    signal: context.signal,
    onStatus: (numerator, denominator) => context.progress({ numerator, denominator }),
    onWarning: (data) => context.log(data.toString()),
  };
}

/** What comes is kept until it is asked for: a server cannot be told to wait. */
async function* pieces(
  codec: RawCodec,
  submit: (onData: (data: Buffer) => void) => Promise<Buffer>,
): AsyncGenerator<unknown, void, void> {
  const waiting: Buffer[] = [];
  let wake: () => void = () => {};
  let isOver = false;
  const job = submit((data) => {
    waiting.push(data);
    wake();
  }).finally(() => {
    isOver = true;
    wake();
  });
  // Said to whoever reads, below.
  job.catch(() => {});
  for (;;) {
    for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) yield codec.decode(piece);
    if (isOver) break;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  const result = await job;
  if (result.length > 0) yield codec.decode(result);
}
