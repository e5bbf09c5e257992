// Makes a checkout ready to use: installs what package-lock.json asks for and builds dist, each only where it is out of date.
// With arguments it then runs them on the development Node: `node scripts/setup.mjs bench/run.mjs`.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { devNode, fail, heading, npm, root, run } from "./run.mjs";

/** Installs and builds where needed. Ends the process with 1 where that fails. */
export function setup() {
  install();
  if (!isBuilt()) {
    heading("building dist");
    if (!build()) fail("Cannot build dist: see the messages above");
  }
}

/** Installs where node_modules is missing or differs from package-lock.json. */
export function install() {
  if (isInstalled()) return;
  heading("installing the development dependencies (npm ci)");
  if (!npm(["ci", "--no-audit", "--no-fund"], { cwd: root })) fail("Cannot install: npm ci failed");
}

// Contents are compared, not times: a checkout gives every file the time of the checkout.
function isInstalled() {
  const installedLock = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedLock)) return false;
  const installed = JSON.parse(readFileSync(installedLock, "utf8")).packages;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    if (path === "" || link || (optional && !installed[path])) return true;
    return installed[path]?.version === version;
  });
}

function isBuilt() {
  const built = join(root, "dist", "index.js");
  if (!existsSync(built)) return false;
  const builtAt = statSync(built).mtimeMs;
  const sources = [
    join(root, "src"),
    ...readdirSync(join(root, "src"), { recursive: true }).map((name) => join(root, "src", name)),
  ];
  // Folders count too: theirs is the only time that tells of a file that was removed.
  return [join(root, "tsconfig.json"), ...sources].every((source) => statSync(source).mtimeMs <= builtAt);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  setup();
  const command = process.argv.slice(2);
  if (command.length > 0) process.exitCode = run(devNode(), command) ? 0 : 1;
}
