// Compiles src into a new dist. The old one stays in place until the new one is whole.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, tool } from "./run.mjs";

/** Builds dist from nothing and tells whether that succeeded. */
export function build() {
  const temporary = join(root, ".tmp");
  const fresh = join(temporary, `dist-${process.pid}`);
  const old = join(temporary, `old-${process.pid}`);
  const dist = join(root, "dist");
  mkdirSync(temporary, { recursive: true });
  try {
    if (!tool("tsc", ["-p", "tsconfig.json", "--outDir", fresh])) return false;
    const program = join(fresh, "cli", "main.js");
    if (existsSync(program)) chmodSync(program, 0o755);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
    return true;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = build() ? 0 : 1;
