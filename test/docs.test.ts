// Runs the examples of README.md, docs/ and clients/. The words after a block's language say what is done with it:
//   ```ts file=tasks.ts   is written to that file, for the blocks below it on the page
//   ```ts run             is run (js and sh too), and must print the lines that its `//=> text` (in sh `#=> text`) comments give
//   ```ts                 has its types checked, as every ts block has
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { GearmanAdmin, GearmanClient, GearmanWorker } from "../src/backends/gearman/index.ts";
import { inline } from "../src/backends/inline/index.ts";
import { processes } from "../src/backends/processes/index.ts";
import { threads } from "../src/backends/threads/index.ts";
import * as api from "../src/index.ts";
import { EVENT_NAMES } from "../src/pool/events.ts";
import {
  readBroadcast,
  readDetach,
  readImap,
  readMap,
  readPool,
  readRun,
  readRunAll,
} from "../src/pool/pool-options.ts";
import { startServer } from "./gearman/server.ts";

interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly file: string | undefined;
  readonly isRun: boolean;
  readonly code: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));
// Inside the project, so that "manyhands" is the built package itself.
const scratch = join(root, ".tmp", `docs-${process.pid}`);
// Node 22 does not know `await using`; tsx rewrites it.
const tsx = import.meta.resolve("tsx");
/** Stands where the examples have `localhost:4730`. */
const gearmand = await startServer({ after });

describe("the examples of the documentation", () => {
  const blocks = pages().flatMap((page) => blocksOf(page, readFileSync(join(root, page), "utf8")));
  for (const block of blocks) lay(block);
  for (const page of pages()) linkPackage(page);
  linkProgram();
  after(() => rmSync(scratch, { recursive: true, force: true }));

  it("stand among links that lead somewhere", () => {
    assert.deepEqual(pages().flatMap(deadLinks), []);
  });

  it("are right in their types", () => {
    assert.deepEqual(typeErrors(), []);
  });

  for (const block of blocks.filter((block) => block.isRun)) {
    it(`run: ${block.page}:${block.line}`, () => {
      const result = runBlock(block);
      assert.equal(result.status, 0, `${result.error?.message ?? ""}${result.stdout}${result.stderr}`);
      const expected = expectedLines(block.code);
      if (expected.length > 0) assert.deepEqual(result.stdout.trimEnd().split("\n"), expected);
    });
  }
});

describe("the reference", () => {
  const reference = (page: string): string => readFileSync(join(root, "docs", "reference", page), "utf8");
  const members = [api.Pool, api.Task].flatMap((type) => Object.getOwnPropertyNames(type.prototype));
  const unnamed = (page: string, names: readonly string[]): string[] => {
    const text = reference(page);
    return names.filter((name) => !new RegExp(`\`(?:\\w+\\.)?${name}\\b`).test(text));
  };

  it("names every member", () => {
    // What a task has for the pool alone.
    const inner = ["constructor", "extras", "timeMs", "completed", "failed", "event", "aborted", "refuse", "end"];
    const hidden = new Set([...inner, "transferList", "toString"]);
    assert.deepEqual(
      unnamed(
        "api.md",
        members.filter((name) => !hidden.has(name)),
      ),
      [],
    );
  });

  it("names every event", () => assert.deepEqual(unnamed("api.md", Object.keys(EVENT_NAMES)), []));

  it("names every option of a pool and of its calls", () => {
    const reads = [readPool, readRunAll, readMap, readImap, readBroadcast, readDetach];
    const names = [...reads.flatMap((read) => Object.keys(read(undefined))), ...Object.keys(readRun("", undefined))];
    assert.deepEqual(unnamed("api.md", names), []);
  });

  it("names every option and trait of a backend", () => {
    for (const make of [inline, threads, processes]) {
      const { traits } = make("./tasks.js");
      assert.deepEqual(unnamed("backends.md", [...optionsOf(make), ...Object.keys(traits)]), []);
    }
  });

  it("names every member and option of Gearman's client, worker and administrator", () => {
    const methods = [GearmanClient, GearmanWorker, GearmanAdmin].flatMap((type) =>
      Object.getOwnPropertyNames(type.prototype).filter((name) => name !== "constructor"),
    );
    const options = [GearmanClient, GearmanWorker, GearmanAdmin].flatMap((type) =>
      optionsOf((_, given) => new type("localhost", given)),
    );
    assert.ok(options.includes("heartbeatMs") && options.includes("exceptions"), "the options are read");
    assert.deepEqual(unnamed("gearman.md", [...methods, ...options]), []);
  });

  it("names everything that is exported", () => {
    const exported = /^export (?:type )?\{([^}]*)\}/gm;
    const names = ["index.ts", "worker/index.ts"].flatMap((file) =>
      [...readFileSync(join(root, "src", file), "utf8").matchAll(exported)].flatMap(
        ([, list = ""]) => list.replaceAll(/\btype\b/g, "").match(/\w+/g) ?? [],
      ),
    );
    const text = ["api.md", "worker.md", "errors.md"].map(reference).join("");
    assert.deepEqual(
      names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)),
      [],
    );
  });
});

describe("the reader of examples", () => {
  const page = "text\n```ts file=a.ts\nlet a;\n```\n```sh run\necho hi\n#=> hi\n```\n```text\nno code\n```\n";

  it("finds the blocks, their lines and what is asked for them", () => {
    assert.deepEqual(
      blocksOf("page.md", page).map(({ line, language, file, isRun }) => [line, language, file, isRun]),
      [
        [2, "ts", "a.ts", false],
        [5, "sh", undefined, true],
        [9, "text", undefined, false],
      ],
    );
  });

  it("takes the expected output from the comments", () => {
    assert.deepEqual(expectedLines("print(1) //=> 1\n#=> two\n//=>\n"), ["1", "two", ""]);
  });

  it("refuses a word that it does not know", () => {
    assert.throws(() => blocksOf("page.md", "```ts rum\n```\n"), /page\.md:1.*"rum"/);
  });
});

function pages(): string[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  const backends = ["inline", "threads", "processes", "command", "command/programs", "gearman", "zeromq"].map((name) =>
    join("src", "backends", name, "README.md"),
  );
  const clients = ["python", "shell"].map((name) => join("clients", name, "README.md"));
  const inDocs = docs.filter((name) => name.endsWith(".md")).map((name) => join("docs", name));
  return ["README.md", ...inDocs, ...backends, ...clients];
}

function deadLinks(page: string): string[] {
  const links = readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g);
  return [...links].flatMap(([, path = "", anchor]) => {
    const target = path === "" ? join(root, page) : join(root, dirname(page), path);
    const isAlive = existsSync(target) && (anchor === undefined || anchorsOf(target).includes(anchor));
    return isAlive ? [] : [`${page}: ${path}${anchor === undefined ? "" : `#${anchor}`}`];
  });
}

/** Of the headings, as they are shown on the web: in small letters, without punctuation, with dashes for spaces. */
function anchorsOf(path: string): string[] {
  const titles = readFileSync(path, "utf8").matchAll(/^#+ (.+)$/gm);
  return Array.from(titles, ([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(/^```([a-z]+)([^\n]*)\n(.*?)^```$/gms)].map(
    ({ index, 1: language = "", 2: rest = "", 3: code = "" }) => {
      const line = text.slice(0, index).split("\n").length;
      const words = rest.split(" ").filter((word) => word !== "");
      const unknown = words.find((word) => word !== "run" && !word.startsWith("file="));
      if (unknown !== undefined)
        throw new Error(`Cannot read the example at ${page}:${line}: "${unknown}" has no meaning`);
      const file = words.find((word) => word.startsWith("file="))?.slice("file=".length);
      return { page, line, language, file, isRun: words.includes("run"), code };
    },
  );
}

function expectedLines(code: string): string[] {
  return [...code.matchAll(/(?:\/\/|#)=>[ ]?(.*)$/gm)].map((match) => match[1] ?? "");
}

/** Each page has a folder of its own; a block without a file name is called by its line. */
function folderOf(block: Block): string {
  return join(scratch, block.page.replaceAll(/[^\w]+/g, "-"));
}

function pathOf(block: Block): string {
  const extension = block.language === "js" ? "mjs" : block.language;
  return join(folderOf(block), block.file ?? `line-${block.line}.${extension}`);
}

function lay(block: Block): void {
  mkdirSync(dirname(pathOf(block)), { recursive: true });
  writeFileSync(pathOf(block), block.code.replaceAll("localhost:4730", gearmand.address));
}

/** Each page has the package where it would be installed, for the files in it that are no modules. */
function linkPackage(page: string): void {
  const modules = join(scratch, page.replaceAll(/[^\w]+/g, "-"), "node_modules");
  mkdirSync(modules, { recursive: true });
  symlinkSync(root, join(modules, "manyhands"));
}

function linkProgram(): void {
  const bin = join(scratch, "bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(join(root, "dist", "cli", "main.js"), join(bin, "manyhands"));
  // Where a package is installed `npx` finds its program; here that is on the path.
  writeFileSync(join(bin, "npx"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
}

/** The options that a backend takes, from its complaint about one that it does not. */
function optionsOf(make: (module: string, options: object) => unknown): string[] {
  try {
    make("./tasks.js", { "": 1 });
  } catch (error) {
    return /there are (.*)$/.exec((error as Error).message)?.[1]?.split(", ") ?? [];
  }
  return [];
}

function typeErrors(): string[] {
  const compilerOptions = {
    noEmit: true,
    allowImportingTsExtensions: true,
    rewriteRelativeImportExtensions: false,
    rootDir: root,
  };
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: { ...compilerOptions, isolatedDeclarations: false, declaration: false },
    include: ["**/*.ts"],
  };
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify(config));
  const result = spawnSync(join(root, "node_modules", ".bin", "tsc"), ["-p", scratch, "--pretty", "false"], {
    cwd: scratch,
    encoding: "utf8",
  });
  return result.status === 0 ? [] : result.stdout.split("\n").filter((line) => line !== "");
}

function runBlock(block: Block): SpawnSyncReturns<string> {
  const path = pathOf(block);
  const PATH = [join(scratch, "bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter);
  const [program, args]: [string, string[]] =
    block.language === "sh"
      ? ["bash", ["-euo", "pipefail", path]]
      : [process.execPath, block.language === "ts" ? ["--import", tsx, path] : [path]];
  return spawnSync(program, args, {
    cwd: folderOf(block),
    encoding: "utf8",
    env: { ...process.env, PATH, NO_COLOR: "1" },
    timeout: 60_000,
  });
}
