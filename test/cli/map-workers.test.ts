import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, it } from "node:test";
import { manyhands, numbers, scratch, tasks } from "./program.ts";

const { file } = scratch();

describe("the task is", { concurrency: 2 }, () => {
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    "the named export": ["./default-task.mjs#other", '["other",1]'],
    "the default export by its name": ["./default-task.mjs#default", '["default",1]'],
    "without a name the default export": ["./default-task.mjs", '["default",1]'],
    "without a default the only one there is": ["./only-task.mjs", '["only",1]'],
    "one in TypeScript": ["./typed.ts", "3"],
    "in a module that is given as a URL": [`file://${tasks}#double`, "2"],
  };
  for (const [name, [module, expected]] of Object.entries(cases)) {
    it(name, async () => {
      const { status, lines, stderr } = await manyhands(["map", module], { input: "1" });
      assert.deepEqual([status, lines], [0, [expected]], stderr);
    });
  }
  it("in a module whose path has spaces and signs", async () => {
    const odd = file("a b % é?.mjs", "export const id = (x) => x;");
    const { status, lines, stderr } = await manyhands(["map", odd], { input: "1" });
    assert.deepEqual([status, lines], [0, ["1"]], stderr);
  });
});

describe("the workers", { concurrency: 2 }, () => {
  for (const backend of ["threads", "processes", "inline"]) {
    it(`are ${backend}`, async () => {
      const { status, lines, stderr } = await manyhands(["map", `${tasks}#double`, "-k", "--backend", backend], {
        input: numbers(100),
      });
      assert.deepEqual([status, lines.length, lines.at(-1)], [0, 100, "200"], stderr);
      assert.match(stderr, /^100 ok, 0 failed, /);
    });
    it(`get --data on ${backend}`, async () => {
      const { lines } = await manyhands(["map", `${tasks}#data`, "--backend", backend, "--data", '{"a":[1]}'], {
        input: "1",
      });
      assert.deepEqual(lines, ['{"a":[1]}']);
    });
    it(`get --env on ${backend}, beside the program's own`, async () => {
      const flags = ["--backend", backend, "--env", "ONE=1", "--env", "TWO=a=b", "--in", "lines"];
      const options = { input: "ONE\nTWO\nOWN\nNONE\n", env: { OWN: "own" } };
      const { lines } = await manyhands(["map", `${tasks}#environment`, "-k", ...flags], options);
      assert.deepEqual(lines, ['"1"', '"a=b"', '"own"', "null"]);
    });
  }
  it("are as many as -j says", async () => {
    const { lines } = await manyhands(["map", `${tasks}#where`, "--backend", "processes", "-j", "3", "-q"], {
      input: numbers(60),
    });
    const pids = new Set(lines);
    assert.ok(pids.size >= 1 && pids.size <= 3, [...pids].join());
    const one = await manyhands(["map", `${tasks}#where`, "--backend", "processes", "-P", "1", "-q"], {
      input: numbers(60),
    });
    assert.equal(new Set(one.lines).size, 1);
  });
  it("are as many as there are processors, if nothing is said", async () => {
    const { stderr } = await manyhands(["map", `${tasks}#sleep`, "--progress", "json"], { input: "1500\n".repeat(2) });
    assert.match(stderr, new RegExp(`"workers":${availableParallelism()},`));
  });
});
