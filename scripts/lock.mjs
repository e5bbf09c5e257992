// `npm run lock`: after a change of dependencies, writes into package-lock.json the packages for other platforms that npm left out.
// npm leaves out those that it could not fetch here or found no place for, and `npm ci` then refuses the lock, on every platform.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, short } from "./run.mjs";

const path = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
const { "": project, ...packages } = lock.packages;
const added = [];

for (const [place, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (packages[`node_modules/${name}`] || packages[`${place}/node_modules/${name}`]) continue;
    const { os, cpu, libc } = platformOf(name);
    // In npm's own order of fields; those that do not apply are undefined and so not written.
    packages[`node_modules/${name}`] = { version, cpu, dev, libc, optional: true, os };
    added.push(`${name}@${version}`);
  }
}

const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en"));
writeFileSync(
  path,
  `${JSON.stringify({ ...lock, packages: { "": project, ...Object.fromEntries(sorted) } }, undefined, 2)}\n`,
);
console.log(added.length > 0 ? `Added to ${short(path)}:\n  ${added.join("\n  ")}` : `${short(path)} is complete`);

/** What a package such as `@scope/binding-linux-x64-musl` runs on, from its name. */
function platformOf(name) {
  const [, os, cpu, libc] =
    /(android|darwin|freebsd|linux|openharmony|win32|wasm32)-(\w+)(?:-(\w+))?$/.exec(name) ?? [];
  if (os === undefined) throw new Error(`Cannot add "${name}" to the lock: its name does not tell its platform`);
  if (os === "wasm32") return { cpu: [os] };
  const libcs = { musl: ["musl"], gnu: ["glibc"] };
  return { os: [os], cpu: [cpu], libc: libcs[libc] };
}
