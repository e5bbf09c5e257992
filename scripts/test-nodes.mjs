// `npm run test:nodes`: the built package on several versions of Node. They come from the registry and stay in .cache/nodes.
// `npm run test:nodes -- 24` tests on one of them.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { heading, npm, ownNode, root, run, runTests } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
const versions = process.argv.length > 2 ? process.argv.slice(2) : ["20.19", "22", "24", "26"];
const tests = readdirSync(join(root, "test", "built")).filter((name) => name.endsWith(".test.mjs"));
const verdicts = [];

heading(`this machine's Node (${ownNode})`);
verdicts.push([
  "own",
  runTests(
    ownNode,
    tests.map((name) => join("test", "built", name)),
  ),
]);
for (const version of versions) {
  heading(`Node ${version}`);
  const node = fetchNode(version);
  verdicts.push([
    version,
    node !== undefined &&
      run(node, ["--version"]) &&
      runTests(
        node,
        tests.map((name) => join("test", "built", name)),
      ),
  ]);
}

for (const [version, passed] of verdicts) console.log(`Node ${version.padEnd(4)} ${passed ? "passed" : "FAILED"}`);
process.exitCode = verdicts.every(([, passed]) => passed) ? 0 : 1;

/** Installs one Node into the cache and gives its path, or undefined where that fails. */
function fetchNode(version) {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const folder = join(root, ".cache", "nodes", version);
  const binary = join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const flags = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", folder];
  return npm(["install", ...flags, `${name}@${version}`], { cwd: folder }) && existsSync(binary) ? binary : undefined;
}
