// The layers of src, read from its imports by itself: lint checks the same laws, and each would notice if the other went silent.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** What each layer may import beside itself. `backends` is what lies directly in that folder, `backend` any one of its folders. */
const laws: Record<string, readonly string[]> = {
  core: [],
  protocol: ["core"],
  worker: ["core", "protocol"],
  backends: ["core", "protocol", "worker"],
  backend: ["core", "protocol", "worker", "backends"],
  pool: ["core", "protocol", "worker", "backends"],
  index: ["core", "protocol", "worker", "backends", "pool"],
  observe: ["core", "protocol", "worker", "backends", "pool", "index"],
  testing: ["core", "protocol", "worker", "backends", "backend", "pool", "index"],
  dashboard: ["core", "protocol", "worker", "backends", "pool", "index", "observe"],
  cli: ["core", "protocol", "worker", "backends", "backend", "pool", "index", "observe", "dashboard", "testing"],
};
const pure = ["core", "protocol"];
const mayHaveDependencies = ["cli", "dashboard"];
/** What a folder may import that is installed only by those who use it. */
const peers: Record<string, readonly string[]> = { "backends/zeromq/": ["zeromq"] };
// `Date` as a class of values is no clock.
const impure =
  /\b(?:set(?:Timeout|Interval|Immediate)|queueMicrotask|process|performance|Date\.now|Promise|await|Math\.random)\b|\bnew Date\(\)/;

describe("the layers of src", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.replaceAll("\\", "/"));

  it("hold in every file", () => {
    assert.ok(files.length > 0, "src has files");
    const broken = files.flatMap((file) => violations(file, readFileSync(join(src, file), "utf8")));
    assert.deepEqual(broken, []);
  });

  it("are complete: no file lies outside of them", () => {
    assert.deepEqual(
      files.filter((file) => laws[layerOf(file)] === undefined),
      [],
    );
  });

  it("let everything import its own layer and the ones below", () => {
    assert.deepEqual(violations("core/queue.ts", 'import { heap } from "./heap.ts";'), []);
    assert.deepEqual(violations("protocol/messages.ts", 'import type { TaskId } from "../core/task.ts";'), []);
    assert.deepEqual(violations("backends/threads/index.ts", 'export { serve } from "../../worker/serve.ts";'), []);
    assert.deepEqual(violations("backends/threads/index.ts", 'import { type Backend } from "../backend.ts";'), []);
    assert.deepEqual(violations("backends/threads/deep/port.ts", 'import "../entry.ts";'), []);
    assert.deepEqual(violations("cli/main.ts", 'import ms from "ms";\nimport { Pool } from "../index.ts";'), []);
    assert.deepEqual(violations("core/queue.ts", '// import { Date } from "node:fs"\nconst text = "no Date.now";'), []);
    assert.deepEqual(violations("protocol/clone.ts", "if (value instanceof Date) return;"), []);
    assert.deepEqual(violations("backends/zeromq/engine.ts", 'await import("zeromq");'), []);
    assert.deepEqual(violations("worker/load.ts", 'args("--import", resolve("tsx"));'), []);
  });

  const samples: readonly (readonly [file: string, source: string, complaint: RegExp])[] = [
    ["core/queue.ts", 'import { readFile } from "node:fs/promises";', /core may not import node:fs\/promises/],
    ["core/queue.ts", 'import { encode } from "../protocol/codec.ts";', /core may not import protocol/],
    ["core/queue.ts", "const at = Date.now();", /core may not use Date.now/],
    ["core/queue.ts", "const at = +new Date();", /core may not use new Date/],
    ["core/retry.ts", "const jitter = Math.random();", /core may not use Math.random/],
    ["protocol/codec.ts", 'const { Buffer } = await import("node:buffer");', /protocol may not import node:buffer/],
    ["protocol/codec.ts", 'export * from "../worker/serve.ts";', /protocol may not import worker/],
    [
      "worker/serve.ts",
      'import {\n  threads,\n} from "../backends/threads/index.ts";',
      /worker may not import backend/,
    ],
    ["backends/threads/index.ts", 'import type { Pool } from "../../pool/pool.ts";', /backend may not import pool/],
    ["backends/threads/index.ts", 'import { fork } from "../processes/fork.ts";', /another backend/],
    ["pool/pool.ts", 'import { threads } from "../backends/threads/index.ts";', /pool may not import backend/],
    ["pool/pool.ts", 'import ms from "ms";', /pool may not import ms/],
    ["backends/threads/index.ts", 'await import("zeromq");', /backend may not import zeromq/],
    ["observe/progress.ts", 'import { Command } from "../cli/main.ts";', /observe may not import cli/],
    ["index.ts", 'import "./testing/index.ts";', /index may not import testing/],
    ["index.ts", 'export { Pool } from "./pool/pool.ts";\nexport const version = "1";', /index.ts only re-exports/],
    ["helpers/text.ts", "export const a = 1;", /no layer/],
    ["core/queue.ts", 'import { x } from "../../test/x.ts";', /leaves src/],
  ];
  for (const [file, source, complaint] of samples) {
    it(`refuse ${JSON.stringify(source)} in ${file}`, () => {
      const found = violations(file, source);
      assert.equal(found.length, 1, found.join("; "));
      assert.match(found[0] ?? "", complaint);
    });
  }
});

/** What one source file breaks, one sentence each. `file` is its path inside src. */
function violations(file: string, source: string): string[] {
  const layer = layerOf(file);
  const allowed = laws[layer];
  if (allowed === undefined) return [`${file}: no layer is called ${layer}`];
  const code = withoutComments(source);
  const broken = importsOf(code).flatMap((target) => {
    const complaint = judge(file, layer, allowed, target);
    return complaint === undefined ? [] : [`${file}: ${complaint}`];
  });
  if (pure.includes(layer) && broken.length === 0) {
    const used = impure.exec(withoutStrings(code));
    if (used) broken.push(`${file}: ${layer} may not use ${used[0]}`);
  }
  if (layer === "index" && broken.length === 0 && !onlyReexports(code))
    broken.push(`${file}: index.ts only re-exports`);
  return broken;
}

function judge(file: string, layer: string, allowed: readonly string[], target: string): string | undefined {
  if (!target.startsWith(".")) {
    const isBuiltin = target.startsWith("node:");
    const isPeer = Object.entries(peers).some(([folder, names]) => file.startsWith(folder) && names.includes(target));
    const isAllowed = isBuiltin ? !pure.includes(layer) : isPeer || mayHaveDependencies.includes(layer);
    return isAllowed ? undefined : `${layer} may not import ${target}`;
  }
  const path = posix.join(posix.dirname(file), target);
  if (path.startsWith("..")) return `${target} leaves src`;
  const other = layerOf(path);
  if (layer === "backend" && other === "backend") {
    return folderOf(path) === folderOf(file) ? undefined : `${target} is of another backend`;
  }
  return other === layer || allowed.includes(other) ? undefined : `${layer} may not import ${other} (${target})`;
}

function layerOf(path: string): string {
  const [first = "", second] = path.split("/");
  if (second === undefined) return first.replace(/\.ts$/, "");
  return first === "backends" && path.split("/").length > 2 ? "backend" : first;
}

function folderOf(path: string): string | undefined {
  return path.split("/")[1];
}

function importsOf(code: string): string[] {
  const statements =
    /(?<!["'`.\w-])(?:(?:import|export)\b[^;"'`()]*?\bfrom\s*["']([^"']+)["']|import\b\s*\(?\s*["']([^"']+)["'])/g;
  return [...code.matchAll(statements)].map((match) => match[1] ?? match[2] ?? "");
}

function onlyReexports(code: string): boolean {
  return code.replaceAll(/export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]+";/g, "").trim() === "";
}

// One pass over comments and strings alike: a comment sign inside a string is none.
function withoutComments(source: string): string {
  return source.replaceAll(token, (text) => (text.startsWith("/") ? " " : text));
}

function withoutStrings(code: string): string {
  return code.replaceAll(token, '""');
}

const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
