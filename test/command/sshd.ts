// A real ssh server on this machine, for the length of a test: throw-away keys, a free port of 127.0.0.1, nobody's configuration.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { scratch, until } from "../../src/testing/stage.ts";

export interface Sshd {
  /** What runs a program over there: `[...argv, "program", "argument"]`. */
  readonly argv: readonly string[];
  /** The command of ssh, as words for a shell; it knows the server as `far`, and as `closed` one that nobody answers for. */
  readonly ssh: string;
  readonly server: ChildProcess;
  /** Cuts every connection, as a network does: at once, from outside. */
  cut(): void;
}

export async function startSshd(t: { after(end: () => void): void }): Promise<Sshd> {
  const folder = scratch(t);
  const file = (name: string): string => join(folder, name);
  for (const name of ["host", "user"]) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
  writeFileSync(file("authorized"), readFileSync(file("user.pub")));
  const port = await freePort();
  const config = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${file("host")}`,
    `AuthorizedKeysFile ${file("authorized")}`,
    `PidFile ${file("pid")}`,
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "UsePAM no",
    "StrictModes no",
    "PermitRootLogin prohibit-password",
  ];
  writeFileSync(file("sshd_config"), `${config.join("\n")}\n`);
  // The server insists on this folder where it was built with one.
  if (process.getuid?.() === 0) execFileSync("mkdir", ["-p", "-m", "0755", "/run/sshd"]);
  const server = spawn(sshdPath(), ["-D", "-e", "-f", file("sshd_config")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  server.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  t.after(() => {
    cut(server);
    server.kill("SIGKILL");
  });
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries > 200 || server.exitCode !== null) throw new Error(`sshd does not answer: ${said}`);
    await delay(20);
  }
  const options = [
    `IdentityFile=${file("user")}`,
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=no",
    `UserKnownHostsFile=${file("known")}`,
    "LogLevel=ERROR",
    "BatchMode=yes",
  ];
  const argv = ["ssh", "-F", "none", "-p", String(port), ...options.flatMap((option) => ["-o", option])];
  const hosts = [`Host far\nPort ${port}`, `Host closed\nPort ${await freePort()}`, "Host *\nHostName 127.0.0.1"];
  writeFileSync(file("ssh_config"), `${[...hosts, ...options].join("\n")}\n`);
  return {
    argv: [...argv, `${userInfo().username}@127.0.0.1`],
    ssh: `ssh -T -F "${file("ssh_config")}"`,
    server,
    cut: () => cut(server),
  };
}

/** Kills the server's children, one a connection, and not what those have started. */
function cut(server: ChildProcess): void {
  for (const pid of childrenOf(server.pid!)) {
    for (const session of [...childrenOf(pid).filter(isSshd), pid]) kill(session);
  }
}

/** Processes whose parent is the one given. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function isSshd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("sshd");
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function sshdPath(): string {
  const path = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"].find((one) => existsSync(one));
  if (path === undefined) throw new Error("Cannot find sshd");
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await until(() => server.listening, "a free port");
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
