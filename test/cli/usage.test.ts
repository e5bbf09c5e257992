import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { LATER_COMMANDS, LATER_FLAGS } from "../../src/cli/commands/later.ts";
import { runProgram } from "../../src/cli/program.ts";
import { bash, fixtures, manyhands, scratch, tasks } from "./program.ts";

const { path, file } = scratch();
process.chdir(fixtures);

/** It ends with exit 2, and one line on stderr that matches. In this process: there are many, and a process each takes its time. */
async function refuses(args: readonly string[], pattern: RegExp): Promise<void> {
  let said = "";
  const status = await runProgram(args, (text) => {
    said += text;
  });
  assert.equal(status, 2, said);
  assert.match(said, pattern);
  assert.match(said, /^manyhands: [^\n]+\n$/);
}

/** The same of the real program, which prints nothing on stdout. */
async function programRefuses(args: readonly string[], pattern: RegExp, input = "1\n"): Promise<void> {
  const { status, stdout, stderr } = await manyhands(args, { input });
  assert.deepEqual([status, stdout], [2, ""], stderr);
  assert.match(stderr, pattern);
  assert.match(stderr, /^manyhands: [^\n]+\n$/);
}

describe("help", { concurrency: 2 }, () => {
  it("is shown without arguments", async () => {
    const { status, stdout, stderr } = await manyhands([]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^Usage: manyhands /);
    assert.match(stdout, /map \[options\]/);
    assert.match(stdout, /Exit status:\n +0 {2}every item/);
  });
  for (const args of [["--help"], ["-h"], ["help"]]) {
    it(`is shown for ${args}`, async () => {
      const { status, stdout } = await manyhands(args);
      assert.equal(status, 0);
      assert.match(stdout, /^Usage: manyhands \[/);
    });
  }
  for (const args of [
    ["map", "--help"],
    ["map", "-h"],
    ["help", "map"],
    ["map", tasks, "--help"],
  ]) {
    it(`of map is shown for ${args}`, async () => {
      const { status, stdout } = await manyhands(args);
      assert.equal(status, 0);
      assert.match(stdout, /^Usage: manyhands map /);
      for (const group of ["Input:", "Workers:", "Failure:", "Output:", "Show:", "Exit status:"]) {
        assert.ok(stdout.includes(`\n${group}\n`), group);
      }
      assert.ok(!stdout.includes("--resume"), "what is refused is not offered");
    });
  }
  it("is shown where there is no input and stdin is a terminal, with exit 2", async () => {
    const { status, stdout } = await bash(
      `script -qec '"${process.execPath}" ../../../src/cli/main.ts map tasks.mjs#echo' /dev/null`,
    );
    assert.equal(status, 2);
    assert.match(stdout, /Usage: manyhands map/);
    assert.match(stdout, /there is no input/);
  });
  it("tells the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    const { status, stdout } = await manyhands(["--version"]);
    assert.deepEqual([status, stdout], [0, `${version}\n`]);
  });
});

describe("wrong usage is exit 2 and a line that names it:", () => {
  const map = ["map", `${tasks}#echo`];
  const cases: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
    "an unknown command": [["mop"], /unknown command 'mop'.*map/],
    "a module in the place of a command": [[tasks], /unknown command '.*tasks\.mjs'/],
    "no module": [["map"], /missing required argument 'module/],
    "an unknown flag": [[...map, "--frist"], /unknown option '--frist'/],
    "a flag without its value": [[...map, "--retries"], /--retries.*argument missing/],
    "a wrong number": [[...map, "--retries", "many"], /--retries "many"/],
    "a negative size": [[...map, "-j", "-1"], /-j "-1"/],
    "no workers": [[...map, "-j", "0"], /-j "0"/],
    "NaN workers": [[...map, "-P", "NaN"], /-j "NaN"/],
    "two sizes": [[...map, "-j", "1", "-P", "2"], /-j 1 and -P 2/],
    "a wrong duration": [[...map, "--timeout", "soon"], /--timeout "soon"/],
    "a wrong halt": [[...map, "--halt", "later"], /--halt "later"/],
    "a halt that needs a total": [[...map, "--halt", "soon,done=5%"], /give --total/],
    "a wrong format": [[...map, "--in", "xml"], /--in "xml": give ndjson, lines, nul, csv, tsv or json/],
    "two formats": [[...map, "-0", "--in", "csv"], /-0 with --in csv/],
    "a wrong output format": [[...map, "--out", "yaml"], /--out "yaml": give value, record or raw/],
    "a wrong backend": [[...map, "--backend", "cloud"], /--backend "cloud"/],
    "a wrong progress": [[...map, "--progress", "loud"], /--progress "loud"/],
    "data that is no JSON": [[...map, "--data", "{"], /--data as JSON/],
    "a variable without a name": [[...map, "--env", "=1"], /--env "=1"/],
    "a window of nothing": [[...map, "--window", "0"], /--window "0"/],
    "quiet and verbose": [[...map, "-q", "-v"], /-q with -v/],
    "files and values": [[...map, tasks, ":::", "a"], /both ":::" and/],
    "two lists of values": [[...map, ":::", "a", ":::", "b"], /":::" twice/],
    "::::": [[...map, "::::", "a"], /"::::": give the file as -a/],
    "standard input twice": [[...map, "-", "-a", "-"], /"-" twice/],
    "a missing input": [[...map, "no-such.ndjson"], /input "no-such\.ndjson": ENOENT/],
    "a missing -a": [[...map, "-a", "no-such"], /input "no-such"/],
    "a folder as input": [[...map, "."], /input "\.": it is a directory/],
    "a missing module": [["map", "./no-such.mjs"], /module "\.\/no-such\.mjs": there is no such file/],
    "a folder as module": [["map", "."], /module "\.": it is not a file/],
    "a name that is empty": [["map", "./tasks.mjs#"], /no name follows the #/],
    "a missing export": [
      ["map", "./tasks.mjs#ecco"],
      /"\.\/tasks\.mjs#ecco": the module has no such task; its tasks are .*echo/,
    ],
    "a reserved export": [["map", "./tasks.mjs#setup"], /#setup": the module has no such task/],
    "an export that is no function": [["map", "./only-task.mjs#answer"], /#answer": the module has no such task/],
    "several exports and no name": [
      ["map", "./tasks.mjs"],
      /name one of its tasks, as in \.\/tasks\.mjs#\w+; its tasks are/,
    ],
    "no export at all": [["map", "./no-task.mjs"], /"\.\/no-task\.mjs": it exports no task/],
    "a module with a syntax error": [["map", "./broken-syntax.mjs"], /module "\.\/broken-syntax\.mjs"/],
    "a module that throws": [["map", "./throws-at-import.mjs"], /module "\.\/throws-at-import\.mjs".*cannot load this/],
    "an output that cannot be opened": [[...map, "-o", "/no/such/folder/out"], /-o "\/no\/such\/folder\/out": ENOENT/],
    "a failed file that cannot be opened": [
      [...map, "--failed", "/no/such/folder/f"],
      /--failed "\/no\/such\/folder\/f": ENOENT/,
    ],
    "an empty name of a module": [["map", ""], /give a task module/],
    "no command after --": [["map", "--"], /no command follows "--"/],
    "two commands": [["map", "-c", "a", "--", "b"], /both -c and the command after "--"/],
    "a module and a command": [["map", tasks, "--", "b"], /a command on ".*tasks\.mjs": .* -a FILE/],
    "a module and a shell command": [["map", "-c", "b", tasks], /a command on ".*tasks\.mjs": .* -a FILE/],
    "a backend for a command": [["map", "--backend", "inline", "--", "true"], /--backend with a command/],
    "data for a command": [["map", "--data", "1", "-c", "true"], /--data with a command/],
    "a log of jobs for a module": [[...map, "--joblog", "x"], /--joblog with a task module/],
    "a host that is an option": [[...map, "-S", "-oX=y"], /-S "-oX=y"/],
    "ssh without a host": [[...map, "--ssh", "ssh"], /--ssh without -S/],
    "a remote command without a host": [[...map, "--remote-command", "m"], /--remote-command without -S/],
    "a remote command for a command": [
      ["map", "-S", "a", "--remote-command", "m", "--", "b"],
      /--remote-command with a/,
    ],
    "an open quote": [[...map, "-S", "a", "--ssh", "ssh '"], /--ssh "ssh '": a quote is not closed/],
    "a value within quotes": [["map", "-c", "echo '{/.}'"], /fill in \{\/\.\} within quotes/],
    "input that is no JSON, where it is read whole": [[...map, "--in", "json", tasks], /"\/.*" as JSON/],
  };
  for (const [name, [args, pattern]] of Object.entries(cases)) it(name, () => refuses(args, pattern));

  const inEarnest = [
    "an unknown flag",
    "no module",
    "a missing module",
    "a missing export",
    "a missing input",
    "a module that throws",
  ];
  for (const name of inEarnest) {
    const [args, pattern] = cases[name] ?? [[], /^$/];
    it(`${name}, of the real program`, () => programRefuses(args, pattern));
  }
  it("standard input that is no JSON, where it is read whole", () => {
    return programRefuses([...map, "--in", "json"], /"stdin" as JSON/, "[1,");
  });

  it("an output that is the input", async () => {
    const input = file("same.ndjson", "1\n");
    await refuses([...map, input, "-o", input], /-o ".*": it is the input/);
    await refuses([...map, "-a", input, "--failed", input], /--failed ".*": it is the input/);
    assert.equal(readFileSync(input, "utf8"), "1\n");
  });
  it("an output that is the module", () => refuses([...map, "-o", tasks], /-o ".*": it is the task module/));
  it("one file for both outputs", async () => {
    await refuses([...map, "-o", path("one"), "--failed", path("one")], /--failed ".*": -o goes there too/);
  });
  it("a missing module, before an existing output is emptied", async () => {
    const output = file("kept", "precious\n");
    await refuses(["map", "./throws-at-import.mjs", "-o", output], /cannot load this/);
    assert.equal(readFileSync(output, "utf8"), "precious\n");
  });
});

describe("what comes later is refused with a sentence:", () => {
  for (const { flags } of LATER_FLAGS) {
    const [first = "", ...rest] = flags.split(/[ ,]+/);
    const value = rest.some((word) => word.startsWith("<")) ? ["x"] : [];
    it(first, () => refuses(["map", `${tasks}#echo`, first, ...value], new RegExp(`Cannot use ${first} yet: \\w`)));
  }
  for (const name of LATER_COMMANDS) {
    it(name, () => refuses([name, "--json", "x"], new RegExp(`"manyhands ${name}" yet`)));
  }
  it("a flag, by the real program", () =>
    programRefuses(["map", `${tasks}#echo`, "--resume"], /Cannot use --resume yet/));
});
