// How the scripts start other programs, and which Node is which. Node's own modules only: this runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** The machine's own Node: the one npm runs on. `process.execPath` may already be the newer one of node_modules/.bin. */
export const ownNode = process.env.npm_node_execpath ?? process.execPath;

/** Runs a program in the project's folder with this terminal, and tells whether it succeeded. */
export function run(program, args = [], { env, cwd = root, quiet = false } = {}) {
  // Windows has .cmd files where others have links, and starts them through a shell only.
  const shell = process.platform === "win32" && !program.endsWith(".exe");
  const result = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: quiet ? "pipe" : "inherit",
    encoding: "utf8",
    shell,
  });
  if (result.error) console.error(`Cannot run "${program}": ${result.error.message}`);
  if (quiet && result.status !== 0) process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  return result.status === 0;
}

/** Runs npm itself, on the Node it came with. */
export function npm(args, options) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith(".js") ? run(ownNode, [cli, ...args], options) : run("npm", args, options);
}

/** Runs an installed tool, such as `tsc`. */
export function tool(name, args, options) {
  return run(join(root, "node_modules", ".bin", name), args, options);
}

/** The newer Node that is a development dependency and runs `.ts` files as they are. */
export function devNode() {
  const binary = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(binary)) return binary;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  fail(
    'Cannot find the development Node: the install script of the package "node" has not run; try "npm rebuild node"',
  );
}

/**
 * Runs test files with `node --test` on the given Node, which is also the `node` that the tests find on their PATH. What failed is
 * written to the file `failures` too, where one is given.
 */
export function runTests(node, args, { failures } = {}) {
  const path = `${dirname(node)}${delimiter}${process.env.PATH}`;
  const flags = ["--test", "--test-concurrency=2", "--test-timeout=600000", "--test-reporter=spec"];
  if (failures !== undefined) {
    const reporter = new URL("failures.mjs", import.meta.url).href;
    flags.push("--test-reporter-destination=stdout");
    flags.push(`--test-reporter=${reporter}`, `--test-reporter-destination=${failures}`);
  }
  return run(node, [...flags, ...args], { env: { PATH: path } });
}

export function heading(text) {
  console.log(`\n── ${text}`);
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** A path as a person wants to read it. */
export function short(path) {
  return relative(root, path) || ".";
}
