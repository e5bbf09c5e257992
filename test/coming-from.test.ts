// docs/coming-from.md says what things of other systems are called here. Each name that it gives for today must exist: exports, members
// of a pool, a task and a context, events, options of just that call, fields. What comes later carries the mark *planned*.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { command } from "../src/backends/command/index.ts";
import * as gearmanModule from "../src/backends/gearman/index.ts";
import { inline } from "../src/backends/inline/index.ts";
import { processes } from "../src/backends/processes/index.ts";
import { threads } from "../src/backends/threads/index.ts";
import * as zeromqModule from "../src/backends/zeromq/index.ts";
import { LATER_COMMANDS } from "../src/cli/commands/later.ts";
import * as main from "../src/index.ts";
import { EVENT_NAMES } from "../src/pool/events.ts";
import {
  readBroadcast,
  readDetach,
  readImap,
  readMap,
  readPool,
  readRun,
  readRunAll,
  readWait,
} from "../src/pool/pool-options.ts";
import * as worker from "../src/worker/index.ts";
import { TaskRun } from "../src/worker/task-context.ts";

const page = readFileSync(new URL("../docs/coming-from.md", import.meta.url), "utf8");

const SYSTEMS = [
  "piscina",
  "workerpool (on npm)",
  "p-map",
  "jest-worker",
  "ganeti: WorkerPool",
  "AsynQueue",
  "gmisclib: spread_jobs",
  "glimpse: zmq_cluster",
  "glimpse: gearman_cluster",
];

/** What stands for a value of the reader's own. */
const PLACEHOLDERS = new Set(
  "a b args argvs backend codec fn id input inputs list module ms n name options reason servers tasks text value workerId series Infinity throw".split(
    " ",
  ),
);

const WORKER_FIELDS: Record<keyof main.WorkerInfo, true> = {
  id: true,
  backend: true,
  host: true,
  pid: true,
  threadId: true,
  state: true,
  label: true,
  series: true,
  capacity: true,
  running: true,
  sentAhead: true,
  done: true,
  failed: true,
  runMs: true,
  roundTripMs: true,
  memoryBytes: true,
  startedAt: true,
  tasks: true,
};
const OUTCOME_FIELDS = ["ok", "value", "error", "index"];

const { gearman } = gearmanModule;
const backends = { inline, threads, processes, command, gearman };
const exported: Record<string, unknown> = { ...main, ...worker, ...backends, ...zeromqModule, ...gearmanModule };
const types = new Set(
  ["../src/index.ts", "../src/worker/index.ts"].flatMap((file) =>
    [...readFileSync(new URL(file, import.meta.url), "utf8").matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(
      ([, names = ""]) => names.match(/\w+/g) ?? [],
    ),
  ),
);

/** Options by the call that takes them. */
const options: Record<string, readonly string[]> = {
  Pool: Object.keys(readPool(undefined)),
  "pool.run": Object.keys(readRun("run()", undefined)),
  "pool.stream": Object.keys(readRun("stream()", undefined)),
  "pool.runAll": Object.keys(readRunAll(undefined)),
  "pool.map": Object.keys(readMap(undefined)),
  "pool.imap": Object.keys(readImap(undefined)),
  "pool.broadcast": Object.keys(readBroadcast(undefined)),
  "pool.detach": Object.keys(readDetach(undefined)),
  "pool.idle": Object.keys(readWait("idle()", undefined)),
  "pool.ready": Object.keys(readWait("ready()", undefined)),
  DeferTask: Object.keys(new worker.DeferTask({ priority: 1 })),
  WorkerBusy: Object.keys(new worker.WorkerBusy()),
  ...Object.fromEntries(Object.entries(backends).map(([name, make]) => [name, optionsOf(make)])),
};

const members: Record<string, (name: string) => boolean> = {
  pool: (name) => name in main.Pool.prototype,
  task: (name) => name in main.Task.prototype,
  ctx: (name) => name in new TaskRun({} as never, 0),
};

describe("docs/coming-from.md", () => {
  it("has a table for each system", () => {
    assert.deepEqual(
      [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title),
      SYSTEMS,
    );
    for (const section of page.split(/^## /m).slice(1)) assert.ok(rowsOf(section).length > 4, section.split("\n")[0]);
  });

  for (const section of page.split(/^## /m).slice(1)) {
    const [title = ""] = section.split("\n");
    it(`names only what exists: ${title}`, () => {
      const wrong = rowsOf(section).flatMap((row) => namesOf(row).flatMap((name) => faultsOf(name, row)));
      assert.deepEqual(wrong, []);
    });
  }
});

describe("the reader of names", () => {
  const faults = (span: string): string[] => faultsOf(span, span);

  it("leaves out what is planned", () => {
    assert.deepEqual(namesOf("`pool.run(name)` and `command(argv)` *planned*"), ["pool.run(name)"]);
  });

  it("accepts what there is", () => {
    for (const span of ["pool.run(name, input, { signal })", 'pool.on("workerUp", fn)', "ctx.signal", "memoryBytes"]) {
      assert.deepEqual(faults(span), []);
    }
  });

  it("finds what there is not", () => {
    for (const span of [
      "pool.exec(name)",
      "pool.run(name, input, { nice })",
      'pool.on("taskDone", fn)',
      "threads(module, { sizes })",
      "gearman(servers, { chunks })",
      "new Farm()",
      "utilization",
      '"cluster"',
    ]) {
      assert.notDeepEqual(faults(span), [], span);
    }
  });
});

/** Last cells of the section's tables, without the heads. */
function rowsOf(section: string): string[] {
  const lines = section.split("\n").filter((line) => line.startsWith("|") && !line.startsWith("|---"));
  return lines.slice(1).map((line) => line.replaceAll("\\|", "/").split("|").at(-2) ?? "");
}

/** What stands in code and is not planned. */
function namesOf(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`( \*planned\*)?/g)].flatMap(([, span = "", mark]) =>
    mark === undefined ? [span] : [],
  );
}

function faultsOf(span: string, row: string): string[] {
  const [, command] = /^manyhands (\w+)/.exec(span) ?? [];
  if (command !== undefined) return LATER_COMMANDS.includes(command) ? [`command "${command}" in `] : [];
  if (span.startsWith("export function ")) return [];
  const fault = (what: string): string => `${what} in \`${span}\` (${row.trim()})`;
  const lone = /^"(.+)"$/.exec(span)?.[1];
  if (lone !== undefined) return isSeries(lone) ? [] : [fault(`series "${lone}"`)];
  const found: string[] = [];
  const event = /^pool\.on\("(\w+)"/.exec(span)?.[1];
  if (event !== undefined && !Object.hasOwn(EVENT_NAMES, event)) found.push(`event ${event}`);
  const code = span.replaceAll(/"[^"]*"|<[^>]*>|\b(?:true|false|new)\b/g, "");
  const calls: string[] = [];
  let depth = 0;
  let key = "";
  for (const [token] of code.matchAll(/(?:(?:pool|task|ctx)\.)?[A-Za-z_]\w*\(?|[(){}]/g)) {
    if (token === "{") depth++;
    else if (token === "}") depth--;
    else if (token === "(") calls.push("");
    else if (token === ")") calls.pop();
    else {
      const name = token.replace("(", "");
      if (token.endsWith("(")) calls.push(name);
      if (depth > 1) {
        if (key !== "size" || !["min", "max", "idleMs"].includes(name)) found.push(`${name} of ${key}`);
      } else if (depth === 1 && !token.endsWith("(")) {
        key = name;
        const call = calls.at(-1);
        const known = call === undefined ? OUTCOME_FIELDS : (options[call] ?? []);
        if (!known.includes(name)) found.push(`option ${name} of ${call}`);
      } else if (!isKnown(name)) found.push(name);
    }
  }
  return found.map(fault);
}

function isKnown(name: string): boolean {
  const [owner = "", member] = name.split(".");
  if (member !== undefined) return members[owner]?.(member) === true;
  return (
    Object.hasOwn(exported, name) ||
    types.has(name) ||
    PLACEHOLDERS.has(name) ||
    Object.hasOwn(WORKER_FIELDS, name) ||
    ["setup", "teardown", "onError", "onSettled"].includes(name)
  );
}

function isSeries(name: string): boolean {
  const made = [inline("./tasks.js"), threads("./tasks.js"), processes("./tasks.js"), command(["./tasks"])];
  made.push(gearman("localhost"), zeromqModule.zeromq({ bind: "tcp://127.0.0.1:1" }));
  return made.some(({ plan }) => plan.series.includes(name));
}

/** The options that a backend takes, from its complaint about one that it does not. */
function optionsOf(make: (module: never, options: never) => unknown): string[] {
  try {
    make("tasks.js" as never, { "": 1 } as never);
  } catch (error) {
    return /there are (.*)$/.exec((error as Error).message)?.[1]?.split(", ") ?? [];
  }
  return [];
}
