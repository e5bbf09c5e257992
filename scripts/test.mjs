// `npm test`: the whole test run, on a fresh clone too. Given files or flags of `node --test`, it runs just those.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { provide } from "./needs.mjs";
import { devNode, fail, heading, ownNode, root, runTests, short, tool } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
provide();
const chosen = process.argv.slice(2);
if (chosen.length > 0) process.exit(runTests(devNode(), chosen) ? 0 : 1);

const failed = [];
heading("types of everything");
if (!tool("tsc", ["-p", "tsconfig.test.json"])) failed.push("types");

heading(`the sources, on the development Node (${short(devNode())})`);
if (!runTests(devNode(), findTests(".test.ts"))) failed.push("sources");

heading(`the built package, on this machine's Node (${ownNode})`);
if (!runTests(ownNode, findTests(".test.mjs"))) failed.push("built package");

if (failed.length > 0) fail(`\nFailed: ${failed.join(", ")}`);

function findTests(ending) {
  const names = readdirSync(join(root, "test"), { recursive: true });
  const files = names.filter((name) => name.endsWith(ending) && !/node_modules|fixtures|\.tmp/.test(name));
  if (files.length === 0) fail(`Cannot find tests: test/ has no file that ends in "${ending}"`);
  return files.map((name) => join("test", name)).toSorted((a, b) => a.localeCompare(b));
}
