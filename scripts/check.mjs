// `npm run check`: all that must hold before a change goes in. Every part runs, and the failed ones are named at the end.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { fail, heading, npm, root, run, tool } from "./run.mjs";
import { install } from "./setup.mjs";

install();
const parts = {
  format: () => tool("biome", ["check", "--error-on-warnings"]),
  lint: () => tool("oxlint", ["--type-aware", "--deny-warnings"]),
  types: () => tool("tsc", ["-p", "tsconfig.test.json"]),
  build,
  unused: () => tool("knip", []),
  publint: () => tool("publint", ["--strict"]),
  "types of the package": () => checkPackedTypes(),
  tests: () => run(process.execPath, [join("scripts", "test.mjs")]),
};

const failed = [];
for (const [name, part] of Object.entries(parts)) {
  heading(name);
  if (!part()) failed.push(name);
}
if (failed.length > 0) fail(`\nFailed: ${failed.join(", ")}`);
console.log("\nAll checks passed.");

function checkPackedTypes() {
  const folder = join(root, ".tmp", `pack-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    return (
      npm(["pack", "--ignore-scripts", "--pack-destination", folder], { quiet: true }) &&
      tool("attw", ["--profile", "esm-only", join(folder, readdirSync(folder)[0])])
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
