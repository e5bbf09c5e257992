// A real Gearman server for the length of a test, on a free port of 127.0.0.1: gearmand, or the one in Perl.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../src/testing/stage.ts";

/** What does something after a test, or after all of them. */
export interface Ending {
  after(end: () => unknown): void;
}

/** Which server: the one in C, or the one in Perl. */
export type Kind = "gearmand" | "perl";

export class TestServer {
  readonly port: number;
  readonly address: string;
  readonly #command: readonly string[];
  #process: ChildProcess | undefined;
  #said = "";

  constructor(port: number, command: readonly string[]) {
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.#command = command;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Starts it, on the same port each time, and resolves when it takes connections. */
  async start(): Promise<void> {
    const [program, ...args] = this.#command as [string, ...string[]];
    const server = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = server;
    server.stderr.on("data", (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-10_000);
    });
    for (let tries = 0; !(await answers(this.port)); tries++) {
      if (tries > 500 || server.exitCode !== null) throw new Error(`${program} does not answer: ${this.#said}`);
      await delay(10);
    }
  }

  /** Ends it as a crash does, and resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** It does nothing any more, and its connections stand. */
  freeze(): void {
    this.#process!.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process!.kill("SIGCONT");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#process;
    if (server === undefined) return;
    server.kill(signal);
    await until(() => server.exitCode !== null || server.signalCode !== null, "the server to end");
  }
}

export interface ServerPlan {
  readonly kind?: Kind;
  /** More arguments for gearmand. */
  readonly args?: readonly string[];
  /** Default a free one. */
  readonly port?: number;
}

export async function startServer(
  t: Ending,
  { kind = "gearmand", args = [], port: given }: ServerPlan = {},
): Promise<TestServer> {
  const port = given ?? (await freePort());
  const where = ["-L", "127.0.0.1", "-p", String(port)];
  const command =
    kind === "perl" ? [findServer(kind), ...where] : [findServer(kind), ...where, "-l", "stderr", ...args];
  const server = new TestServer(port, command);
  t.after(() => server.kill());
  await server.start();
  return server;
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await until(() => server.listening, "a free port");
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Both servers have programs of the same name. */
function findServer(kind: Kind): string {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  const paths = folders.map((folder) => join(folder, "gearmand")).filter((path) => existsSync(path));
  const path = paths.find((one) => {
    const { stdout } = spawnSync(one, ["--version"], { encoding: "utf8" });
    return (kind === "perl" ? /^Gearman::Server/ : /^gearmand /m).test(stdout);
  });
  if (path === undefined) throw new Error(`Cannot find the server "${kind}"`);
  return path;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => socket.write("version\r\n"));
    socket.once("data", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
