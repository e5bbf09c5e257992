import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { manyhands, scratch } from "./program.ts";

const { file } = scratch();

/** The arguments that a program is given, each as JSON, for each item in order. */
async function given(words: readonly string[], items: readonly string[], flags: readonly string[] = []) {
  const { stdout, stderr, status } = await manyhands([
    "map",
    "-k",
    "-q",
    "-j",
    "2",
    ...flags,
    "--",
    process.execPath,
    "-e",
    "console.log(JSON.stringify(process.argv.slice(1)))",
    "--",
    ...words,
    ...(items.length > 0 ? [":::", ...items] : []),
  ]);
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as string[]);
}

/** What `-c` prints for each item, with `printf` for whatever stands in the place of the words. */
async function printed(words: string, items: readonly string[], flags: readonly string[] = []) {
  const { stdout, stderr, status } = await manyhands([
    "map",
    "-k",
    "-q",
    "-j",
    "2",
    ...flags,
    "-c",
    `printf '<%s>' ${words}; echo`,
    ":::",
    ...items,
  ]);
  assert.equal(status, 0, stderr);
  return stdout;
}

const awkward = [
  "plain",
  "two words",
  " edges ",
  "it's",
  'a "b"',
  "a\nb",
  "ends\n\n",
  "-rf",
  "--",
  "",
  "$(touch harm)",
  "`touch harm`",
  "$HOME;&|<>*?[]{}~#!\\",
  "\\n\\0%s",
  "Žluťoučký 😀",
  "\u007f\u0001\t\r",
];

describe("a value", { concurrency: 2 }, () => {
  it("is one argument, whatever is in it", async () => {
    assert.deepEqual(
      await given(["{}", "x{}y"], awkward),
      awkward.map((one) => [one, `x${one}y`]),
    );
  });
  it("is one word in a shell, whatever is in it", async () => {
    assert.equal(await printed("{} x{}y", awkward), awkward.map((one) => `<${one}><x${one}y>\n`).join(""));
  });
  it("is added at the end of a command without placeholders", async () => {
    assert.deepEqual(await given(["a"], ["1", "2 3"]), [
      ["a", "1"],
      ["a", "2 3"],
    ]);
    const { stdout } = await manyhands(["map", "-k", "-q", "-c", "printf '<%s>'", ":::", "1", "2 3"]);
    assert.equal(stdout, "<1><2 3>");
  });
  it("of JSON is text where it is a string, and compact JSON where it is not", async () => {
    const input = file("values.ndjson", '"a b"\n1.50\nnull\n{"b": [1, {"c": "ü"}]}\ntrue\n');
    assert.deepEqual(await given(["{}"], [], ["--in", "ndjson", "-a", input]), [
      ["a b"],
      ["1.5"],
      ["null"],
      ['{"b":[1,{"c":"ü"}]}'],
      ["true"],
    ]);
  });
  it("can be the program", async () => {
    const { stdout, lines } = await manyhands(["map", "-k", "-q", "--", "{}", "{#}", ":::", "echo", "printf"]);
    assert.deepEqual(lines, ["1", "2"], stdout);
  });
});

const paths = {
  "{.}": ["/a/b.c/d.tar", "/a/b.c/d", "e", ".f", "", "dir/"],
  "{/}": ["d.tar.gz", "d", "e.x", ".f", "", ""],
  "{//}": ["/a/b.c", "/a/b.c", ".", ".", ".", "."],
  "{/.}": ["d.tar", "d", "e", ".f", "", ""],
};
const names = ["/a/b.c/d.tar.gz", "/a/b.c/d", "e.x", ".f", "", "dir/"];

describe("a placeholder", { concurrency: 2 }, () => {
  for (const [sign, expected] of Object.entries(paths)) {
    it(`${sign} is what GNU parallel makes of it`, async () => {
      // To GNU parallel a leading dot begins an extension like any other.
      const wanted = sign === "{.}" || sign === "{/.}" ? expected.map((one) => (one === ".f" ? "" : one)) : expected;
      assert.deepEqual(
        await given([sign], names),
        wanted.map((one) => [one]),
      );
    });
  }
  it("{#} is the number of the item", async () => {
    assert.deepEqual(await given(["n{#}"], ["a", "b", "c"]), [["n1"], ["n2"], ["n3"]]);
    assert.equal(await printed("{#}", ["a", "b"]), "<1>\n<2>\n");
  });
  it("{%} is the number of the slot, one of -j, and no two have one at a time", async () => {
    const items = Array.from({ length: 12 }, (_, at) => `${at}`);
    const { lines, stderr } = await manyhands(
      ["map", "-q", "-j", "3", "-c", `mkdir slot{%} && sleep 0.03 && rmdir slot{%} && echo {%}`, ":::", ...items],
      { cwd: file("cwd", "").replace(/cwd$/, "") },
    );
    assert.equal(lines.length, 12, stderr);
    assert.deepEqual([...new Set(lines)].toSorted(), ["1", "2", "3"]);
  });
  it("{1} is a column of a row, an element of a list, what stands between tabs", async () => {
    const csv = file("rows.csv", 'name,city\nAda,London\n"Grace, H.",New York\n');
    assert.deepEqual(await given(["{2}", "{1}"], [], ["--in", "csv", "-a", csv]), [
      ["London", "Ada"],
      ["New York", "Grace, H."],
    ]);
    const lists = file("lists.ndjson", '["a",["b"]]\n');
    assert.deepEqual(await given(["{2}", "{1}"], [], ["--in", "ndjson", "-a", lists]), [['["b"]', "a"]]);
    assert.deepEqual(await given(["{2}{1}"], ["a b\tc", "d\te\tf"]), [["ca b"], ["ed"]]);
  });
  it("{name} and {/a/b} are fields", async () => {
    const input = file("fields.ndjson", '{"name":"a b","in":{"x/y":[10,{"z~":null}]}}\n');
    assert.deepEqual(
      await given(
        ["{name}", "{/name}", "{/in/x~1y/0}", "-{/in/x~1y/1/z~0}", "{in}"],
        [],
        ["--in", "ndjson", "-a", input],
      ),
      [["a b", "a b", "10", "-null", '{"x/y":[10,{"z~":null}]}']],
    );
  });
  it("of a field that is not there fails its item, and no other", async () => {
    const input = file("some.ndjson", '{"a":1}\n{"b":2}\n{"a":3}\n{"__proto__":4}\n');
    const { status, lines, stderr } = await manyhands([
      "map",
      "-k",
      "--in",
      "ndjson",
      "-a",
      input,
      "--",
      "echo",
      "{a}",
    ]);
    assert.deepEqual([status, lines], [1, ["1", "3"]]);
    assert.match(
      stderr,
      /2 × ERR_BAD_INPUT: Cannot read .*some\.ndjson line 2 as what fills \{a\}: it has nothing of that name/,
    );
  });
  it("is only what it says: other braces stay", async () => {
    assert.deepEqual(await given(["{print $1}", "{name}", "{/a/b}", "{0}", "{ }", "a{}b", "{a,b}"], ["x"]), [
      ["{print $1}", "{name}", "{/a/b}", "{0}", "{ }", "axb", "{a,b}"],
    ]);
  });
  it("in quotes is refused, for it would not be one word there; in a substitution within them it is", async () => {
    for (const script of ["echo '{}'", 'echo "a {}"', "echo \"$(echo '{}')\"", 'echo \\\'"{/}"']) {
      const { status, stderr } = await manyhands(["map", "-c", script, ":::", "a"]);
      assert.equal(status, 2, script);
      assert.match(stderr, /Cannot fill in \{\/?\} within quotes/);
    }
    assert.equal(
      await printed(`"$(echo {})" 'q' {} \\' {} "\\"" {}`, ["a  b"]),
      "<a  b><q><a  b><'><a  b><\"><a  b>\n",
    );
    assert.equal((await manyhands(["map", "-q", "-c", "# it's {}\necho {}", ":::", "a"])).stdout, "a\n");
  });
});

describe("-n", { concurrency: 2 }, () => {
  it("gives several arguments where a placeholder stands alone, and one with spaces elsewhere", async () => {
    assert.deepEqual(await given(["{}", "x{}", "{/}", "{#}"], ["a/1", "b c", "d"], ["-n", "2"]), [
      ["a/1", "b c", "xa/1 b c", "1", "b c", "1"],
      ["d", "xd", "d", "2"],
    ]);
    assert.deepEqual(await given(["{2}", "{1}"], ["a", "b", "c", "d"], ["-n", "2"]), [
      ["b", "a"],
      ["d", "c"],
    ]);
  });
  it("gives several words in a shell", async () => {
    assert.equal(await printed("{} .", ["a b", "c", "d"], ["-n", "2"]), "<a b><c><.>\n<d><.>\n");
  });
  it("of 1 is as without it", async () => {
    assert.deepEqual(await given([], ["a b"], ["-n", "1"]), [["a b"]]);
  });
});

describe("input of bytes", { concurrency: 2 }, () => {
  const latin = Buffer.from("caf\xe9 \xff\n\n", "latin1");
  const input = Buffer.concat([latin, Buffer.from("\0plain ü\0"), Buffer.from([0xc3, 0x28, 0x27, 0x5c, 0x25, 0])]);
  const hex = ["--", "sh", "-c", 'printf %s "$1" | od -An -tx1', "sh"];

  it("reaches the program as exactly those bytes through -0", async () => {
    const { lines } = await manyhands(["map", "-0", "-k", "-q", ...hex], { input });
    assert.deepEqual(
      lines.map((line) => line.trim()),
      ["63 61 66 e9 20 ff 0a 0a", "70 6c 61 69 6e 20 c3 bc", "c3 28 27 5c 25"],
    );
  });
  it("reaches a shell so, too, and what is made of it", async () => {
    const odd = Buffer.concat([Buffer.from("d\xe9/it's\xff.x y\n", "latin1"), Buffer.from([0])]);
    const { lines } = await manyhands(["map", "-0", "-q", "-c", "printf %s {} {.} {//}{/} | od -An -tx1 -w64"], {
      input: odd,
    });
    const [name, base] = ["64 e9 2f 69 74 27 73 ff", "69 74 27 73 ff 2e 78 20 79 0a"];
    assert.deepEqual(lines[0]?.trim(), `${name} 2e 78 20 79 0a ${name} 64 e9 ${base}`);
  });
  it("reaches it through lines, and in a group", async () => {
    const { lines } = await manyhands(
      ["map", "-q", "-n", "2", "-k", "--", "sh", "-c", 'printf "%s|" "$@" | od -An -tx1', "sh"],
      {
        input: Buffer.from([0xff, 0x0a, 0x61, 0x0a, 0xfe, 0x0a]),
      },
    );
    assert.deepEqual(
      lines.map((line) => line.trim()),
      ["ff 7c 61 7c", "fe 7c"],
    );
  });
  it("that failed is written to --failed as it was", async () => {
    const failed = file("failed", "");
    await manyhands(["map", "-0", "-q", "-k", "--failed", failed, "--", "false"], { input });
    assert.deepEqual(readFileSync(failed), input);
  });
  it("is shown by --dry-run as a shell would read it back", async () => {
    const { stdout } = await manyhands(["map", "-0", "--dry-run", "--", "printf", "%s|", "{}"], {
      input: Buffer.from("a'b\0"),
    });
    assert.equal(stdout, "printf '%s|' 'a'\\''b'\n");
  });
});
