// The text protocol of administrators: a line there, a line or a list back. Each question has a connection of its own.
import { ConfigError, ProtocolError, ReceiveTimeoutError } from "../../protocol/errors.ts";
import { positiveMilliseconds, positiveWholeNumber, readOptions, show, wholeNumber } from "../../protocol/options.ts";
import { GearmanError } from "./gearman-error.ts";
import { readServers, type ServerAddress } from "./servers.ts";
import { openSocket, type TlsOptions, tlsOptions } from "./socket.ts";

export interface GearmanAdminOptions {
  /** How long a question may take, connecting included; default 5,000 ms. */
  readonly timeoutMs?: number;
  /** `true`, or options of `tls.connect` of Node; default plain TCP. */
  readonly tls?: TlsOptions | true;
  /** An answer with more than so many bytes is refused; default 64 MiB. */
  readonly maxAnswerBytes?: number;
}

/** A function as the server sees it. */
export interface FunctionStatus {
  readonly fn: string;
  /** Jobs that it has: queued, running, and cancelled ones that no worker has asked past yet. */
  readonly total: number;
  readonly running: number;
  /** Connections that can do it. */
  readonly workers: number;
}

/** Queued jobs of a function. */
export interface PriorityStatus {
  readonly fn: string;
  readonly high: number;
  readonly normal: number;
  readonly low: number;
  readonly workers: number;
}

/** A connection to the server: a worker, or a client, which can do nothing. */
export interface ConnectedWorker {
  /** The server's file descriptor. */
  readonly fd: number;
  readonly address: string;
  /** What the worker calls itself; `"-"` where it has not said. */
  readonly id: string;
  readonly functions: readonly string[];
}

export interface QueuedJob {
  readonly handle: string;
  /** How often it has been given to a worker and come back. */
  readonly retries: number;
  /** Nobody waits for it any more: it will not be run. */
  readonly isIgnored: boolean;
  /** The server's queue module has it, and has it after a restart too if that is a durable one. */
  readonly isPersisted: boolean;
}

/** How many jobs of a function may wait before another is refused, for all or by the priority of that other. 0 is without limit. */
export type MaxQueue = number | { readonly high: number; readonly normal: number; readonly low: number };

const rules = { timeoutMs: positiveMilliseconds, tls: tlsOptions, maxAnswerBytes: positiveWholeNumber };

/** A list ends with a line that is a full stop. */
const LIST_END = /(?:^|\n)\.\r?\n$/;
/** What that takes, with the line feed in front of it. A tail that long does not begin with the answer. */
const TAIL_BYTES = 4;
const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/**
 * Asks one server about itself. Every method rejects with `GearmanError` (what the server says, or that it cannot be reached),
 * `ReceiveTimeoutError` (no answer in time) or `ProtocolError` (an answer of another kind).
 *
 * @param server where it is: `"host:4730"`
 * @throws ConfigError where the address or an option is wrong
 */
export class GearmanAdmin {
  readonly #server: ServerAddress;
  readonly #settings: Settings;

  constructor(server: string, options?: GearmanAdminOptions) {
    const [address, ...others] = readServers(server);
    if (others.length > 0) throw new ConfigError(`Cannot use servers ${show(server)}: an administrator asks one`);
    this.#server = address!;
    const read = readOptions("GearmanAdmin()", options, rules);
    this.#settings = {
      timeoutMs: read.timeoutMs ?? TIMEOUT_MS,
      tls: read.tls,
      maxAnswerBytes: read.maxAnswerBytes ?? MAX_ANSWER_BYTES,
    };
  }

  /** All functions that the server knows, with their jobs and workers. */
  async status(): Promise<FunctionStatus[]> {
    return (await this.#list("status")).map((line) => {
      const [fn, [total, running, workers]] = columns(line, 3) as [string, [number, number, number]];
      return { fn, total, running, workers };
    });
  }

  /** The queued jobs of all functions by priority. Not every server has it. */
  async prioritystatus(): Promise<PriorityStatus[]> {
    return (await this.#list("prioritystatus")).map((line) => {
      const [fn, [high, normal, low, workers]] = columns(line, 4) as [string, [number, number, number, number]];
      return { fn, high, normal, low, workers };
    });
  }

  /** All connections of workers and clients. */
  async workers(): Promise<ConnectedWorker[]> {
    return (await this.#list("workers")).map((line) => {
      const parts = /^(\d+) (\S+) (.*?) :(?: (.*))?$/.exec(line);
      if (parts === null) throw strange(line);
      const [, fd, address, id, functions = ""] = parts;
      return {
        fd: Number(fd),
        address: address!,
        id: id!,
        functions: functions.split(" ").filter((name) => name !== ""),
      };
    });
  }

  /** All jobs, by handle. */
  async jobs(): Promise<QueuedJob[]> {
    return (await this.#list("show jobs")).map((line) => {
      const [handle, [retries, ignored, persisted]] = columns(line, 3) as [string, [number, number, number]];
      return { handle, retries, isIgnored: ignored !== 0, isPersisted: persisted !== 0 };
    });
  }

  /** The uniques of all jobs. */
  uniqueJobs(): Promise<string[]> {
    return this.#list("show unique jobs");
  }

  /** Limits the queue of a function. What is beyond is refused with the code `QUEUE_ERROR`. */
  async maxQueue(fn: string, max: MaxQueue): Promise<void> {
    const name = word("function", fn);
    const limits = typeof max === "number" ? [max] : [max.high, max.normal, max.low];
    for (const limit of limits)
      wholeNumber(limit, (wanted) => {
        throw new ConfigError(`Cannot use limit ${show(limit)} of "${name}": expected ${wanted}`);
      });
    await this.#line(`maxqueue ${name} ${limits.join(" ")}`);
  }

  /**
   * Takes a job out of the queue: true when the server had it. A client that waits for it is told that it failed. One that runs goes
   * on: its worker is not told.
   */
  async cancel(handle: string): Promise<boolean> {
    try {
      await this.#line(cancelling(handle));
      return true;
    } catch (error) {
      if (error instanceof GearmanError && error.code === "UNKNOWN_JOB") return false;
      throw error;
    }
  }

  /** Makes a function known before there is a worker. */
  async createFunction(fn: string): Promise<void> {
    await this.#line(`create function ${word("function", fn)}`);
  }

  /** Forgets a function. Refused with `FUNCTION_IN_USE` while it has jobs: the server would lose them, and itself. */
  async dropFunction(fn: string): Promise<void> {
    const name = word("function", fn);
    const known = (await this.status()).find((one) => one.fn === name);
    if (known !== undefined && known.total > 0) {
      throw new GearmanError(`Cannot drop function "${name}": it has ${known.total} jobs`, {
        code: "FUNCTION_IN_USE",
        server: this.#server.name,
      });
    }
    await this.#line(`drop function ${name}`);
  }

  /** The server's version, such as `"1.1.20+ds"`. */
  version(): Promise<string> {
    return this.#line("version");
  }

  /** The server's process. */
  async pid(): Promise<number> {
    const line = await this.#line("getpid");
    if (!/^\d+$/.test(line)) throw strange(line);
    return Number(line);
  }

  /** How much the server logs, such as `"ERROR"`. */
  verbose(): Promise<string> {
    return this.#line("verbose");
  }

  async #line(command: string): Promise<string> {
    const [line] = await ask(this.#server, [command], false, this.#settings);
    return readOk(line!, command, this.#server);
  }

  #list(command: string): Promise<string[]> {
    return ask(this.#server, [command], true, this.#settings);
  }
}

/** Cancels jobs that nobody waits for any more. What becomes of it is told nobody. */
export function cancelJobs(server: ServerAddress, handles: readonly string[], tls: TlsOptions | undefined): void {
  const settings = { timeoutMs: TIMEOUT_MS, tls, maxAnswerBytes: MAX_ANSWER_BYTES };
  // A job that could not be cancelled is run, as it would have been without the attempt.
  ask(server, handles.map(cancelling), false, settings).catch(() => {});
}

interface Settings {
  readonly timeoutMs: number;
  readonly tls: TlsOptions | undefined;
  readonly maxAnswerBytes: number;
}

/** Sends commands and resolves to their answers: the lines of a list, or a line for each command. */
function ask(
  server: ServerAddress,
  commands: readonly string[],
  isList: boolean,
  { timeoutMs, tls, maxAnswerBytes }: Settings,
): Promise<string[]> {
  const what = `ask server "${server.name}" for "${commands[0]!.slice(0, 80)}"`;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let lines = 0;
    let tail = "";
    const socket = openSocket(server, tls, () => {
      // With a bare line feed gearmand 1.1.20 cuts off the last letter.
      socket.write(commands.map((command) => `${command}\r\n`).join(""));
    });
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const lost = (why: string, cause?: Error): void =>
      settle(() => {
        const details = { code: "CONNECTION_LOST", server: server.name };
        reject(new GearmanError(`Cannot ${what}: ${why}`, details, cause === undefined ? {} : { cause }));
      });
    const timer = setTimeout(
      () => settle(() => reject(new ReceiveTimeoutError(`Cannot ${what}: no answer within ${timeoutMs} ms`))),
      timeoutMs,
    );
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
      if (bytes > maxAnswerBytes) {
        settle(() => reject(new ProtocolError(`Cannot ${what}: the answer has more than ${maxAnswerBytes} bytes`)));
        return;
      }
      tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - TAIL_BYTES))).slice(-TAIL_BYTES);
      const isRefused = lines === 1 && chunks[0]!.toString("latin1", 0, 4) === "ERR ";
      if (isList ? !isRefused && !LIST_END.test(tail) : lines < commands.length) return;
      const all = Buffer.concat(chunks).toString("utf8").split(/\r?\n/);
      settle(() => {
        if (!isList) resolve(all.slice(0, commands.length));
        else if (all[0]!.startsWith("ERR ")) reject(errorOfLine(all[0]!, commands[0]!, server));
        else resolve(all.slice(0, -2));
      });
    });
    socket.on("error", (error) => lost(error.message, error));
    socket.on("end", () => lost("the server closed the connection"));
  });
}

/** What stands behind OK, or the whole line of a server that does not say OK. @throws GearmanError at ERR */
function readOk(line: string, command: string, server: ServerAddress): string {
  if (/^ERR(?: |$)/i.test(line)) throw errorOfLine(line, command, server);
  return /^OK(?: |$)/.test(line) ? line.slice(3) : line;
}

/** `ERR CODE text+with+plus+signs` */
function errorOfLine(line: string, command: string, server: ServerAddress): GearmanError {
  const [, code = "ERR", text = ""] = /^ERR ?(\S*) ?(.*)$/i.exec(line) ?? [];
  const said = `${code} ${text.replaceAll("+", " ")}`.trim();
  return new GearmanError(`Cannot do "${command.slice(0, 80)}" on server "${server.name}": ${said}`, {
    code,
    server: server.name,
  });
}

/** A name, and behind it so many numbers, with tabs between. */
function columns(line: string, count: number): [string, number[]] {
  const parts = line.split("\t");
  const numbers = parts.slice(-count).map(Number);
  if (parts.length <= count || numbers.some((one) => !Number.isFinite(one))) throw strange(line);
  return [parts.slice(0, -count).join("\t"), numbers];
}

function strange(line: string): ProtocolError {
  return new ProtocolError(`Cannot read answer: ${show(line)} is not what was asked for`);
}

function cancelling(handle: string): string {
  return `cancel job ${word("handle", handle)}`;
}

/** A word of a command. @throws ConfigError where it would be more than one */
function word(what: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && !/[\s\0]/.test(value)) return value;
  throw new ConfigError(`Cannot use ${what} ${show(value)} in a command: expected a text without spaces`);
}
