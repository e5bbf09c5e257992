import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { describeExitCodes, type Ending, EXIT_CODES, exitCodeOf } from "../../src/cli/exit-codes.ts";
import { bash, fixtures, manyhands, start, tasks } from "./program.ts";

const map = (name: string, ...args: readonly string[]) => ["map", `${tasks}#${name}`, "-j", "1", ...args];

/** Each ending, brought about. */
const endings: Readonly<Record<Ending, () => Promise<number | null>>> = {
  ok: async () => (await manyhands(map("echo"), { input: "1" })).status,
  itemFailed: async () => (await manyhands(map("fail"), { input: "1" })).status,
  usage: async () => (await manyhands(["map", "./missing.mjs"])).status,
  incomplete: async () => (await manyhands(map("fail", "--halt", "soon,fail=1"), { input: "1\n".repeat(500) })).status,
  notFound: async () => (await manyhands(["map", "--", "no-such-program"])).status,
  notExecutable: async () => (await manyhands(["map", "--", fixtures])).status,
  noWorker: async () => (await manyhands(["map", "./exits-at-import.mjs"])).status,
  sigint: () => afterSignal("SIGINT"),
  sigterm: () => afterSignal("SIGTERM"),
  sighup: () => afterSignal("SIGHUP"),
  brokenPipe: async () =>
    Number((await bash('yes 1 | manyhands map ./tasks.mjs#echo | head -n 1; echo "${PIPESTATUS[1]}"')).lines[1]),
};

async function afterSignal(signal: NodeJS.Signals): Promise<number | null> {
  const running = start(map("echo"));
  running.child.stdin.write("1\n");
  await running.seen("stdout", /1/);
  running.child.kill(signal);
  return (await running.ended).status;
}

describe("the exit status", { concurrency: 2 }, () => {
  for (const [ending, bringAbout] of Object.entries(endings)) {
    const { code, meaning } = EXIT_CODES[ending as Ending];
    it(`${code}: ${meaning}`, async () => assert.equal(await bringAbout(), code));
  }
});

describe("the table of exit statuses", () => {
  const entries = Object.entries(EXIT_CODES) as [Ending, (typeof EXIT_CODES)[Ending]][];

  it("gives each ending a status of its own", () => {
    assert.equal(new Set(entries.map(([, { code }]) => code)).size, entries.length);
  });
  it("is the contract: these numbers never change", () => {
    const codes = Object.fromEntries(entries.map(([ending, { code }]) => [ending, code]));
    assert.deepEqual(codes, {
      ok: 0,
      itemFailed: 1,
      usage: 2,
      incomplete: 3,
      noWorker: 4,
      notExecutable: 126,
      notFound: 127,
      sighup: 129,
      sigint: 130,
      brokenPipe: 141,
      sigterm: 143,
    });
  });
  it("reports the first of several, in its order", () => {
    assert.equal(exitCodeOf([]), 0);
    for (const [at, [ending, { code }]] of entries.entries()) {
      assert.equal(
        exitCodeOf(
          entries
            .slice(at)
            .map(([later]) => later)
            .toReversed(),
        ),
        code,
        ending,
      );
    }
  });
  it("stands in help, in order of the numbers, each with its meaning", () => {
    const lines = describeExitCodes().split("\n");
    assert.equal(lines.length, entries.length);
    for (const [, { code, meaning }] of entries) assert.ok(lines.includes(`${String(code).padStart(5)}  ${meaning}`));
  });
  it("stands in the reference, the same", () => {
    const page = readFileSync(new URL("../../docs/reference/cli.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, meaning]) => [
      Number(code),
      meaning?.replaceAll("`", ""),
    ]);
    assert.deepEqual(
      rows,
      entries.map(([, { code, meaning }]) => [code, meaning]).toSorted((a, b) => Number(a[0]) - Number(b[0])),
    );
    const order = entries.map(([, { code }]) => code).join(", ");
    assert.ok(page.includes(`in the order ${order}.`), order);
  });
});
