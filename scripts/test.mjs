// `npm test`: the whole test run, on a fresh clone too. Given files or flags of `node --test`, it runs just those.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provide } from "./needs.mjs";
import { devNode, fail, heading, ownNode, root, runTests, short, tool } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
provide();
const chosen = process.argv.slice(2);
if (chosen.length > 0) process.exit(runTests(devNode(), chosen) ? 0 : 1);

const failed = [];
const failures = [];
const folder = mkdtempSync(join(tmpdir(), "manyhands-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

heading("types of everything");
if (!tool("tsc", ["-p", "tsconfig.test.json"])) failed.push("types");
runAll("sources", devNode(), `the development Node (${short(devNode())})`, ".test.ts");
runAll("built package", ownNode, `this machine's Node (${ownNode})`, ".test.mjs");

if (failed.length > 0) {
  // They may stand thousands of lines above.
  console.error(`\n${failures.join("")}`);
  fail(`Failed: ${failed.join(", ")}`);
}

function runAll(what, node, nodeIs, ending) {
  heading(`the ${what}, on ${nodeIs}`);
  const file = join(folder, what);
  if (runTests(node, findTests(ending), { failures: file })) return;
  failed.push(what);
  failures.push(readFileSync(file, "utf8"));
}

function findTests(ending) {
  const names = readdirSync(join(root, "test"), { recursive: true });
  const files = names.filter((name) => name.endsWith(ending) && !/node_modules|fixtures|\.tmp/.test(name));
  if (files.length === 0) fail(`Cannot find tests: test/ has no file that ends in "${ending}"`);
  return files.map((name) => join("test", name)).toSorted((a, b) => a.localeCompare(b));
}
