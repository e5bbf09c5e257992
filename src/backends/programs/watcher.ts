// A shell beside this process that outlives it by a moment: when the pipe to it closes, it kills the programs that still run. So
// none of them is left behind even by a signal that cannot be caught.
import { type ChildProcess, spawn } from "node:child_process";

/** Reads lines of a slot and the process group in it, 0 for none, until the pipe closes. */
const SCRIPT = `most=0
while read -r slot group; do
  eval "group_$slot=$group"
  [ "$slot" -le "$most" ] || most=$slot
done
while [ "$most" -gt 0 ]; do
  eval "group=\\$group_$most"
  [ "$group" = 0 ] || kill -s KILL -- "-$group"
  most=$((most - 1))
done`;

export class Watcher {
  readonly #shell: ChildProcess;

  constructor() {
    // A session of its own: what the terminal sends to this process's group does not reach it.
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT], { detached: true, env: {}, stdio: ["pipe", "ignore", "ignore"] });
    this.#shell.unref();
    (this.#shell.stdin as { unref?(): void } | null)?.unref?.();
    // Without it programs still run; nothing else depends on it.
    this.#shell.on("error", () => {});
    this.#shell.stdin?.on("error", () => {});
  }

  /** @param group 0 when the slot is empty */
  note(slot: number, group: number): void {
    this.#shell.stdin?.write(`${slot} ${group}\n`);
  }

  /** Resolves when it is gone. */
  async close(): Promise<void> {
    const shell = this.#shell;
    if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      shell.ref();
      shell.once("exit", () => resolve());
      shell.stdin?.end();
    });
  }
}
