import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { LATER_COMMANDS, LATER_FLAGS } from "../../src/cli/commands/later.ts";
import { manyhands } from "./program.ts";

const page = readFileSync(new URL("../../docs/reference/cli.md", import.meta.url), "utf8");

describe("the reference", () => {
  it("has every flag that help has, and no other", async () => {
    const { stdout } = await manyhands(["map", "--help"]);
    const [, options = ""] = /\nInput:\n(.*?)\nOptions:/s.exec(stdout) ?? [];
    const offered = [...options.matchAll(/^ {2}(-\S+?),? (?:(--\S+) )?/gm)].flatMap(([, first = "", second]) => [
      first,
      ...(second ? [second] : []),
    ]);
    assert.ok(offered.length > 25, offered.join(" "));
    const [, tables = ""] = /^(.*)\n## Not yet/s.exec(page) ?? [];
    const described = new Set(
      [...tables.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
        [...cell.matchAll(/`(--?[\w-]+)/g)].map(([, flag]) => flag),
      ),
    );
    assert.deepEqual([...described].toSorted(), [...new Set(offered)].toSorted());
  });
  it("names everything that is refused for now", () => {
    const [, later = ""] = /\n## Not yet\n(.*)$/s.exec(page) ?? [];
    for (const { flags } of LATER_FLAGS) assert.ok(later.includes(`\`${flags.split(/[ ,]/)[0]}`), flags);
    for (const name of LATER_COMMANDS) assert.ok(later.includes(`\`${name}\``), name);
  });
});
