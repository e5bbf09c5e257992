// Starts a program as the leader of a process group that does not outlive this process, nor the program.
//
// A guard, a subshell in the group, reads a pipe whose other end is here. When that closes, because the program has ended or because
// this process has, however it did, the guard kills the whole group.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

const CHANNEL_FD = 3;
const GUARD_FD = 9;

/** The guard holds none of the program's pipes; the program takes the shell's place. */
const SCRIPT = `(read -r _; kill -s KILL 0) <&${GUARD_FD} ${GUARD_FD}<&- ${CHANNEL_FD}>&- >/dev/null 2>&1 &
exec "$@" ${GUARD_FD}<&-`;

export interface Guarded {
  readonly process: ChildProcess;
  readonly input: Writable;
  readonly output: Readable;
  readonly errors: Readable;
  /** Descriptor 3, where one was asked for. */
  readonly channel: Readable | undefined;
  readonly guard: Writable;
}

export function startGuarded(
  argv: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string | undefined; readonly hasChannel: boolean },
): Guarded {
  const stdio: ("pipe" | "ignore")[] = ["pipe", "pipe", "pipe", options.hasChannel ? "pipe" : "ignore"];
  while (stdio.length < GUARD_FD) stdio.push("ignore");
  stdio.push("pipe");
  const spawned = spawn("/bin/sh", ["-c", SCRIPT, "sh", ...argv], {
    // Node reads options through their prototype.
    __proto__: null,
    env: options.env,
    cwd: options.cwd,
    stdio,
    detached: true,
  } as SpawnOptions);
  const pipes = spawned.stdio as unknown as readonly (Readable & Writable)[];
  return {
    process: spawned,
    input: pipes[0]!,
    output: pipes[1]!,
    errors: pipes[2]!,
    channel: options.hasChannel ? pipes[CHANNEL_FD]! : undefined,
    guard: pipes[GUARD_FD]!,
  };
}

/** Kills the program's whole group. */
export function killGroup({ process: { pid } }: Guarded): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
