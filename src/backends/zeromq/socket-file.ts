// The file of a socket that is bound to a path: libzmq leaves it behind.
import { rmSync, statSync } from "node:fs";

export class SocketFile {
  readonly #path: string;
  readonly #identity: string | undefined;

  /** @param url where a socket was bound just now; any but a path in the file system has no file */
  constructor(url: string) {
    this.#path = url.startsWith("ipc://") && !url.startsWith("ipc://@") ? url.slice("ipc://".length) : "";
    this.#identity = identityOf(this.#path);
  }

  /** Removes it, unless somebody else has bound there meanwhile. */
  remove(): void {
    if (this.#identity !== undefined && identityOf(this.#path) === this.#identity) rmSync(this.#path, { force: true });
  }
}

function identityOf(path: string): string | undefined {
  const stat = path === "" ? undefined : statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isSocket() === true ? `${stat.dev}:${stat.ino}:${stat.birthtimeNs}` : undefined;
}
