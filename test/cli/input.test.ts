import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Complaint } from "../../src/cli/complaint.ts";
import { type InputFormat, openInput } from "../../src/cli/input/index.ts";
import type { Item } from "../../src/cli/input/item.ts";
import { keyOf } from "../../src/cli/input/key.ts";
import type { Source } from "../../src/cli/input/source.ts";

/** A source of the given pieces. */
function sourceOf(name: string, pieces: readonly (string | Uint8Array)[]): Source {
  return {
    name,
    size: undefined,
    identity: undefined,
    open: async function* () {
      for (const piece of pieces) yield Buffer.from(piece as string);
    },
  };
}

interface Plan {
  readonly format: InputFormat;
  readonly groupSize?: number;
}

async function read(
  { format, groupSize }: Plan,
  ...files: readonly (readonly (string | Uint8Array)[])[]
): Promise<Item[]> {
  const sources = files.map((pieces, at) => sourceOf(`file${at + 1}`, pieces));
  const input = await openInput({ takesBytes: false, format, sources, values: undefined, groupSize });
  const items: Item[] = [];
  for await (const batch of input.batches) items.push(...batch);
  return items;
}

const values = (items: readonly Item[]) => items.map((item) => item.value);
const problems = (items: readonly Item[]) =>
  items.flatMap(({ problem, seq }) => (problem ? [`${seq}: ${problem.message}`] : []));

describe("NDJSON", () => {
  it("is a value a line, blank lines are none, and the last needs no end", async () => {
    const items = await read({ format: "ndjson" }, ['1\n\n{"a":2}\r\n  \n"x"']);
    assert.deepEqual(values(items), [1, { a: 2 }, "x"]);
    assert.deepEqual(
      items.map(({ seq, line }) => [seq, line]),
      [
        [1, 1],
        [2, 3],
        [3, 5],
      ],
    );
  });
  it("makes a bad line one failed item that names file and line", async () => {
    const items = await read({ format: "ndjson" }, ["1\n2\n"], ["3\n{oops\n5\n"]);
    assert.deepEqual(values(items), [1, 2, 3, undefined, 5]);
    assert.match(problems(items).join(), /^4: Cannot read file2 line 2 as JSON: /);
    assert.equal(String(items[3]?.raw), "{oops");
  });
  it("does not take text that is not UTF-8", async () => {
    const items = await read({ format: "ndjson" }, [Uint8Array.of(0x22, 0xff, 0x22, 0x0a, 0x31)]);
    assert.deepEqual([problems(items), items[1]?.value], [["1: Cannot read file1 line 1 as JSON: it is not UTF-8"], 1]);
  });
  it("takes a byte order mark for nothing", async () => {
    assert.deepEqual(values(await read({ format: "ndjson" }, ["\ufeff1\n2"])), [1, 2]);
  });
  it("does not join the last line of a file with the first of the next", async () => {
    assert.deepEqual(values(await read({ format: "ndjson" }, ["1\n2"], ["3"])), [1, 2, 3]);
  });
  it("knows what every item took, so that all items together took all bytes", async () => {
    const text = '1\n\n  \n{"a":2}\n"ä"\n';
    const items = await read({ format: "ndjson" }, [text]);
    assert.equal(
      items.reduce((sum, { bytes }) => sum + bytes, 0),
      Buffer.byteLength(text),
    );
  });
});

describe("lines", () => {
  it("are strings, empty ones too, without what ends them", async () => {
    assert.deepEqual(values(await read({ format: "lines" }, ["a\n\n b \r\nc"])), ["a", "", " b ", "c"]);
  });
  it("refuses a line that is not UTF-8 and keeps its bytes", async () => {
    const [item] = await read({ format: "lines" }, [Uint8Array.of(0x61, 0xff, 0x0a)]);
    assert.match(item?.problem?.message ?? "", /file1 line 1 as text: it is not UTF-8/);
    assert.deepEqual([...Buffer.from(item?.raw ?? "")], [0x61, 0xff]);
  });
});

describe("NUL-ended strings", () => {
  it("are taken exactly", async () => {
    assert.deepEqual(values(await read({ format: "nul" }, ["a\nb\0 c\r\0\0d"])), ["a\nb", " c\r", "", "d"]);
  });
});

describe("CSV", () => {
  it("gives rows as objects of strings", async () => {
    const items = await read({ format: "csv" }, ['\ufeffname,n\r\n"a ""b"", c",1\r\n\r\n"two\nlines",2\r\nlast,3']);
    assert.deepEqual(values(items), [
      { name: 'a "b", c', n: "1" },
      { name: "two\nlines", n: "2" },
      { name: "last", n: "3" },
    ]);
    assert.deepEqual(items.map(({ line, lastLine }) => [line, lastLine].join("-")).length, 3);
    assert.equal(items[1]?.raw, '"two\nlines",2');
  });
  it("makes a row with another number of columns one failed item", async () => {
    const items = await read({ format: "csv" }, ["a,b\n1,2\n3\n4,5,6\n7,8\n"]);
    assert.deepEqual(values(items), [{ a: "1", b: "2" }, undefined, undefined, { a: "7", b: "8" }]);
    assert.match(problems(items)[0] ?? "", /^2: Cannot read file1 line 3 as a row: /);
    assert.match(problems(items)[1] ?? "", /^3: Cannot read file1 line 4 as a row: /);
  });
  it("loses nothing to a stray quote", async () => {
    const items = await read({ format: "csv" }, ['a,b\n1,x"y\n2,"q"z\n3,4\n']);
    assert.deepEqual(
      items.map(({ value }) => (value as { a: string }).a),
      ["1", "2", "3"],
    );
  });
  it("refuses files whose columns differ", async () => {
    await assert.rejects(
      read({ format: "csv" }, ["a,b\n1,2\n"], ["a,c\n1,2\n"]),
      /Cannot read "file2": its columns \(a,c\)/,
    );
  });
  it("has a header for the file of failed items", async () => {
    const sources = [sourceOf("x", ['"a,x",b\n1,2\n'])];
    const input = await openInput({
      takesBytes: false,
      format: "csv",
      sources,
      values: undefined,
      groupSize: undefined,
    });
    for await (const _ of input.batches);
    assert.equal(input.again.header(), '"a,x",b');
  });
});

describe("TSV", () => {
  it("knows tabs and no quotes", async () => {
    assert.deepEqual(values(await read({ format: "tsv" }, ['a\tb\n"x\t1\n y \t2\n'])), [
      { a: '"x', b: "1" },
      { a: " y ", b: "2" },
    ]);
  });
});

describe("JSON", () => {
  it("is the elements of an array, or one value", async () => {
    assert.deepEqual(values(await read({ format: "json" }, ['[1,\n{"a":[]}, null]'], ['{"b":1}'])), [
      1,
      { a: [] },
      null,
      { b: 1 },
    ]);
  });
  it("knows beforehand how many there are", async () => {
    const input = await openInput({
      takesBytes: false,
      format: "json",
      sources: [sourceOf("x", ["[1,2,3]"])],
      values: undefined,
      groupSize: 2,
    });
    assert.equal(input.total, 2);
  });
  it("is refused whole where it is none", async () => {
    await assert.rejects(read({ format: "json" }, ["[1,"]), (error) => {
      assert.ok(error instanceof Complaint);
      assert.match(error.message, /^Cannot read "file1" as JSON: /);
      return true;
    });
  });
});

describe("groups", () => {
  it("hold so many items, the last what is left", async () => {
    assert.deepEqual(values(await read({ format: "lines", groupSize: 2 }, ["a\nb\n"], ["c\n"])), [["a", "b"], ["c"]]);
  });
  it("leave out what cannot be read", async () => {
    const items = await read({ format: "ndjson", groupSize: 2 }, ["1\nx\n2\n3\n"]);
    assert.deepEqual(values(items), [undefined, [1, 2], [3]]);
  });
  it("remember their items as they stood", async () => {
    const [item] = await read({ format: "nul", groupSize: 3 }, ["a\0b\0c\0"]);
    assert.equal(String(item?.raw), "a\0b\0c");
  });
});

describe("values of the command line", () => {
  it("are strings, whatever they look like", async () => {
    const input = await openInput({
      takesBytes: false,
      format: "ndjson",
      sources: [],
      values: ["1", "", "a\nb", "-x"],
      groupSize: undefined,
    });
    const items: Item[] = [];
    for await (const batch of input.batches) items.push(...batch);
    assert.deepEqual([values(items), input.total], [["1", "", "a\nb", "-x"], 4]);
    assert.equal(items[2]?.raw, '"a\\nb"');
  });
});

describe("any split of the bytes", () => {
  const texts: Readonly<Record<Exclude<InputFormat, "json">, string>> = {
    ndjson: '1\n{"ä":"€😀"}\r\n\nbad\n[]\n"end"',
    lines: "ä\n\n€😀\r\nend",
    nul: "ä\0\0€\n😀\0end",
    csv: 'a,b\r\n"ä\n,",1\r\nshort\r\n"€😀",2\r\n',
    tsv: "a\tb\nä\t1\nshort\n€😀\t2",
  };
  for (const format of Object.keys(texts) as (keyof typeof texts)[]) {
    it(`reads the same ${format}`, async () => {
      const bytes = Buffer.from(texts[format]);
      const plain = ({ value, problem, raw, line, seq }: Item) => [seq, line, value, problem?.message, String(raw)];
      const whole = (await read({ format }, [bytes])).map(plain);
      assert.ok(whole.length >= 3);
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(fc.nat({ max: bytes.length }), { maxLength: 8 }), async (cuts) => {
          const ends = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
          const pieces = ends.slice(1).map((end, at) => bytes.subarray(ends[at], end));
          assert.deepEqual((await read({ format }, pieces)).map(plain), whole);
        }),
        { numRuns: 100 },
      );
    });
  }
});

describe("a key", () => {
  it("is the same for equal items, whatever the order of their fields", () => {
    assert.equal(keyOf({ a: 1, b: [{ c: 2, d: 3 }] }), keyOf({ b: [{ d: 3, c: 2 }], a: 1 }));
  });
  it("is another for other items", () => {
    assert.equal(new Set([1, "1", null, [1], { a: 1 }, [], {}].map(keyOf)).size, 7);
  });
  it("is that of the first version for ever", () => assert.equal(keyOf(17), "4523540f1504cd17"));
});
